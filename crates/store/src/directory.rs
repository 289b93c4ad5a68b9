//! The keys that open the data plane, found by what was presented; and the teams and users that a token may name. Built whole
//! from one config and one state of the database, and never changed: whatever changes makes a new directory. It holds digests,
//! never secrets.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;

use tollgate_policy::identity::{Secrets, Team, User, VirtualKey};
use tollgate_policy::key::{Digests, Peppers, Presented};

/// All keys.
pub struct Directory {
    peppers: Peppers,
    by_id: HashMap<String, Arc<VirtualKey>>,
    by_digest: HashMap<[u8; 32], Arc<VirtualKey>>,
    teams: HashMap<String, Arc<Team>>,
    users: HashMap<String, Arc<User>>,
    keys: usize,
    clashes: Vec<String>,
}

/// A key whose secrets are at hand in plain text, as from a config file. They are not kept.
pub struct PlainKey {
    /// The key; its `secrets` and, for a secret of our form, its `id` are filled in.
    pub key: VirtualKey,
    /// The secret.
    pub secret: String,
    /// The one before it, and when its grace ends, in seconds since 1970.
    pub older: Option<(String, u64)>,
}

/// What a directory is made from.
#[derive(Default)]
pub struct Entries {
    /// All teams.
    pub teams: Vec<Arc<Team>>,
    /// All users.
    pub users: Vec<Arc<User>>,
    /// Keys from the config. They come before those from the database.
    pub plain: Vec<PlainKey>,
    /// Keys from the database, with their digests. They are of our form.
    pub stored: Vec<VirtualKey>,
}

impl Directory {
    /// A directory of all that.
    #[must_use]
    pub fn build(peppers: Peppers, entries: Entries) -> Self {
        let mut directory = Self {
            by_id: HashMap::with_capacity(entries.stored.len()),
            by_digest: HashMap::new(),
            teams: entries.teams.into_iter().map(|team| (team.name.clone(), team)).collect(),
            users: entries.users.into_iter().map(|user| (user.name.clone(), user)).collect(),
            keys: 0,
            clashes: Vec::new(),
            peppers,
        };
        for plain in entries.plain {
            directory.add_plain(plain);
        }
        for key in entries.stored {
            directory.add(Arc::new(key));
        }
        directory
    }

    /// The key that a credential may open, and the credential's digests for [`VirtualKey::verify`]. Keys of our form are found by
    /// their public id; any other string by its whole digest, which nobody can steer towards a stored one. The digests are made
    /// before anything is looked up, so that an unknown id takes as long as a known one.
    #[must_use]
    pub fn find(&self, presented: Presented<'_>) -> Option<(&Arc<VirtualKey>, Digests)> {
        let digests = self.peppers.digests(presented.text());
        let key = match presented {
            Presented::Ours { id, .. } => self.by_id.get(id),
            Presented::Other(_) => digests.iter().find_map(|one| self.by_digest.get(one.digest.bytes())),
        }?;
        Some((key, digests))
    }

    /// The key of that id.
    #[must_use]
    pub fn key(&self, id: &str) -> Option<&Arc<VirtualKey>> {
        self.by_id.get(id)
    }

    /// The key of that id or, where there is none, of that name.
    #[must_use]
    pub fn called(&self, id_or_name: &str) -> Option<&Arc<VirtualKey>> {
        let mut all = self.by_id.values().chain(self.by_digest.values());
        self.key(id_or_name)
            .or_else(|| all.find(|key| key.id == id_or_name || key.name == id_or_name))
    }

    /// The team of that name.
    #[must_use]
    pub fn team(&self, name: &str) -> Option<&Arc<Team>> {
        self.teams.get(name)
    }

    /// The user of that name.
    #[must_use]
    pub fn user(&self, name: &str) -> Option<&Arc<User>> {
        self.users.get(name)
    }

    /// Names of keys that were left out, because a key before them has the same id or secret.
    #[must_use]
    pub fn clashes(&self) -> &[String] {
        &self.clashes
    }

    /// How many keys there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.keys
    }

    /// True when no key opens anything.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn add_plain(&mut self, plain: PlainKey) {
        let PlainKey { mut key, secret, older } = plain;
        let newest = self.peppers.digest(&secret);
        key.secrets = Secrets::new(newest);
        let older = older.map(|(text, until)| (self.peppers.digest(&text), until));
        if let Some((digest, until)) = older {
            key.secrets = key.secrets.with_older(digest, until);
        }
        if let Some(Presented::Ours { id, .. }) = Presented::parse(&secret) {
            id.clone_into(&mut key.id);
            return self.add(Arc::new(key));
        }
        let digests: Vec<[u8; 32]> = key.secrets.iter().map(|secret| *secret.digest.digest.bytes()).collect();
        if digests.iter().any(|digest| self.by_digest.contains_key(digest)) {
            return self.clashes.push(key.name);
        }
        let key = Arc::new(key);
        self.by_digest.extend(digests.into_iter().map(|digest| (digest, Arc::clone(&key))));
        self.keys += 1;
    }

    fn add(&mut self, key: Arc<VirtualKey>) {
        match self.by_id.entry(key.id.clone()) {
            Entry::Vacant(free) => {
                free.insert(key);
                self.keys += 1;
            }
            Entry::Occupied(_) => self.clashes.push(key.name.clone()),
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use tollgate_policy::identity::KeyRefusal;
    use tollgate_policy::key::{self, Pepper};

    fn named(name: &str) -> VirtualKey {
        VirtualKey {
            id: name.into(),
            name: name.into(),
            ..VirtualKey::default()
        }
    }

    fn plain(name: &str, secret: &str) -> PlainKey {
        PlainKey {
            key: named(name),
            secret: secret.into(),
            older: None,
        }
    }

    fn peppers() -> Peppers {
        Peppers::new(Pepper::new(&[5; 32]))
    }

    /// The name of the key that a text opens, and whether by its older secret.
    fn open(directory: &Directory, text: &str, now_s: u64) -> Option<Result<(String, bool), KeyRefusal>> {
        let (key, digests) = directory.find(Presented::parse(text)?)?;
        let opened = key.verify(&digests, now_s, [127, 0, 0, 1].into());
        Some(opened.map(|opened| (key.id.clone(), opened.deprecated_until.is_some())))
    }

    #[test]
    fn finds_each_key_by_its_own_secret_only() {
        let (ours, same_id) = (key::make([1; 9], [2; 32]), key::make([1; 9], [3; 32]));
        let other = "sk-kept-over-migration".to_owned();
        let entries = Entries {
            plain: vec![plain("a", &ours), plain("b", &other)],
            ..Entries::default()
        };
        let directory = Directory::build(peppers(), entries);
        assert_eq!((directory.len(), directory.clashes().len()), (2, 0));
        let id = ours[6..18].to_owned();
        assert_eq!(open(&directory, &ours, 0), Some(Ok((id.clone(), false))));
        assert_eq!(open(&directory, &other, 0), Some(Ok(("b".into(), false))));
        assert_eq!(
            open(&directory, &same_id, 0),
            Some(Err(KeyRefusal::WrongSecret)),
            "right id, wrong secret"
        );
        assert_eq!(open(&directory, "sk-kept-over-migratioN", 0), None);
        assert_eq!(open(&directory, &key::make([9; 9], [2; 32]), 0), None, "unknown id");
        assert_eq!(directory.key(&id).unwrap().name, "a");
    }

    #[test]
    fn both_secrets_of_a_rotation_open_the_same_key() {
        let ours = key::make([1; 9], [2; 32]);
        let renewed = key::renew(&ours[6..18], [3; 32]).unwrap();
        for (older, newer) in [(ours.as_str(), renewed.as_str()), ("older-foreign-key", "newer-foreign-key")] {
            let key = PlainKey {
                older: Some((older.into(), 100)),
                ..plain("a", newer)
            };
            let entries = Entries {
                plain: vec![key],
                ..Entries::default()
            };
            let directory = Directory::build(peppers(), entries);
            assert_eq!(directory.len(), 1);
            let (first, second) = (
                open(&directory, older, 99).unwrap().unwrap(),
                open(&directory, newer, 99).unwrap().unwrap(),
            );
            assert_eq!(first.0, second.0, "spend must neither reset nor double");
            assert_eq!((first.1, second.1), (true, false));
            assert_eq!(open(&directory, older, 100), Some(Err(KeyRefusal::Rotated)));
            assert!(open(&directory, newer, 100).unwrap().is_ok());
        }
    }

    #[test]
    fn keys_of_the_database_open_by_digests_of_every_pepper() {
        let (old, new) = (key::make([1; 9], [2; 32]), key::make([2; 9], [3; 32]));
        let two = peppers().with(2, Pepper::new(&[6; 32]));
        let stored = |text: &str, peppers: &Peppers| VirtualKey {
            id: text[6..18].into(),
            secrets: Secrets::new(peppers.digest(text)),
            ..named("stored")
        };
        let entries = Entries {
            stored: vec![stored(&old, &peppers()), stored(&new, &two)],
            ..Entries::default()
        };
        let directory = Directory::build(two, entries);
        for text in [&old, &new] {
            assert_eq!(open(&directory, text, 0), Some(Ok((text[6..18].to_owned(), false))), "{text}");
        }
        assert_eq!(directory.len(), 2);
    }

    #[test]
    fn the_first_of_two_keys_with_the_same_id_or_secret_counts_and_the_other_is_named() {
        let ours = key::make([1; 9], [2; 32]);
        let stored = VirtualKey {
            id: ours[6..18].into(),
            ..named("from the database")
        };
        let entries = Entries {
            plain: vec![plain("a", &ours), plain("b", "foreign-key-1"), plain("c", "foreign-key-1")],
            stored: vec![stored],
            ..Entries::default()
        };
        let directory = Directory::build(peppers(), entries);
        assert_eq!(directory.clashes(), ["c", "from the database"]);
        assert_eq!(directory.len(), 2);
        assert_eq!(directory.find(Presented::parse("foreign-key-1").unwrap()).unwrap().0.name, "b");
        assert!(open(&directory, &ours, 0).unwrap().is_ok());
    }
}
