//! The keys that open the data plane, found by what was presented. Built whole from one config and never changed: a new config
//! makes a new directory. It holds digests, never secrets.

use std::collections::HashMap;
use std::sync::Arc;

use tollgate_policy::identity::VirtualKey;
use tollgate_policy::key::{Digest, Pepper, Presented};

/// All keys of one config.
pub struct Directory {
    pepper: Pepper,
    by_id: HashMap<String, Arc<VirtualKey>>,
    by_digest: HashMap<[u8; 32], Arc<VirtualKey>>,
}

impl Directory {
    /// A directory of keys given with their secrets in plain text, which are not kept.
    #[must_use]
    pub fn new(pepper: Pepper, keys: Vec<(VirtualKey, String)>) -> Self {
        let mut directory = Self {
            pepper,
            by_id: HashMap::new(),
            by_digest: HashMap::new(),
        };
        for (mut key, secret) in keys {
            let digest = directory.pepper.digest(&secret);
            key.digests.push(digest);
            match Presented::parse(&secret) {
                Some(Presented::Ours { id, .. }) => {
                    id.clone_into(&mut key.id);
                    directory.by_id.insert(id.to_owned(), Arc::new(key));
                }
                _ => {
                    directory.by_digest.insert(*digest.bytes(), Arc::new(key));
                }
            }
        }
        directory
    }

    /// The key that a credential may open, and the credential's digest for [`VirtualKey::verify`]. Keys of our form are found by
    /// their public id; any other string by its whole digest, which nobody can steer towards a stored one.
    #[must_use]
    pub fn find(&self, presented: Presented<'_>) -> Option<(&Arc<VirtualKey>, Digest)> {
        let digest = self.pepper.digest(presented.text());
        let key = match presented {
            Presented::Ours { id, .. } => self.by_id.get(id),
            Presented::Other(_) => self.by_digest.get(digest.bytes()),
        }?;
        Some((key, digest))
    }

    /// How many keys there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.by_id.len() + self.by_digest.len()
    }

    /// True when nothing opens.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use tollgate_policy::identity::Team;
    use tollgate_policy::key;

    fn key(name: &str) -> VirtualKey {
        VirtualKey {
            id: name.into(),
            name: name.into(),
            team: Team::default(),
            user: None,
            feature: None,
            digests: Vec::new(),
            not_before: None,
            expires_at: None,
            disabled: false,
            networks: Vec::new(),
            routes: None,
            models: None,
        }
    }

    #[test]
    fn finds_each_key_by_its_own_secret_only() {
        let (ours, same_id) = (key::make([1; 9], [2; 32]), key::make([1; 9], [3; 32]));
        let other = "sk-kept-over-migration".to_owned();
        let directory = Directory::new(Pepper::new(&[5; 32]), vec![(key("a"), ours.clone()), (key("b"), other.clone())]);
        assert_eq!(directory.len(), 2);
        let open = |text: &str| {
            let (key, digest) = directory.find(Presented::parse(text)?)?;
            key.verify(&digest, 0, [127, 0, 0, 1].into()).ok().map(|()| key.name.clone())
        };
        assert_eq!(open(&ours).unwrap(), "a");
        assert_eq!(open(&other).unwrap(), "b");
        assert_eq!(open(&same_id), None, "right id, wrong secret");
        assert_eq!(open("sk-kept-over-migratioN"), None);
        assert_eq!(directory.find(Presented::parse(&ours).unwrap()).unwrap().0.id, &ours[6..18]);
    }
}
