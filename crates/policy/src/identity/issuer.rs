//! Identity providers whose tokens are believed, and what a token's claims make of its holder. Pure: who fetches keys and checks
//! signatures is the gateway.

use super::{Features, Scopes, Tags};
use crate::rules::{ClaimCondition, Claims};

/// How much clocks may differ unless told otherwise, in seconds.
pub const LEEWAY_S_DEFAULT: u64 = 60;
/// The most that they may differ, in seconds.
pub const LEEWAY_S_MAX: u64 = 300;

/// A signature's algorithm. Only such with a public key: with a shared secret, whoever can check a token could make one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Algorithm {
    /// RSA PKCS#1 v1.5 with SHA-256.
    Rs256,
    /// RSA PKCS#1 v1.5 with SHA-384.
    Rs384,
    /// RSA PKCS#1 v1.5 with SHA-512.
    Rs512,
    /// RSA-PSS with SHA-256.
    Ps256,
    /// RSA-PSS with SHA-384.
    Ps384,
    /// RSA-PSS with SHA-512.
    Ps512,
    /// ECDSA over P-256.
    Es256,
    /// ECDSA over P-384.
    Es384,
    /// Ed25519.
    EdDsa,
}

impl Algorithm {
    /// All of them, with their names in a token.
    pub const ALL: [(Self, &'static str); 9] = [
        (Self::Rs256, "RS256"),
        (Self::Rs384, "RS384"),
        (Self::Rs512, "RS512"),
        (Self::Ps256, "PS256"),
        (Self::Ps384, "PS384"),
        (Self::Ps512, "PS512"),
        (Self::Es256, "ES256"),
        (Self::Es384, "ES384"),
        (Self::EdDsa, "EdDSA"),
    ];

    /// The algorithm of that name; `none` and those with a shared secret are none.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(_, own)| *own == name).map(|(algorithm, _)| *algorithm)
    }
}

/// An identity provider whose tokens are believed.
#[derive(Debug)]
pub struct Issuer {
    /// Its name in config.
    pub name: String,
    /// What a token's `iss` must be, to the letter.
    pub issuer: String,
    /// One of these must be a token's `aud`.
    pub audiences: Vec<String>,
    /// Where its public keys are.
    pub jwks_url: String,
    /// Which signatures count.
    pub algorithms: Vec<Algorithm>,
    /// What claims make of a holder: the first rule that holds and gives a team counts.
    pub rules: Vec<ClaimRule>,
    /// How much clocks may differ, in seconds.
    pub leeway_s: u64,
    /// How old a token may be, from its `iat`, in seconds; `None`: as old as its `exp` lets it be.
    pub max_age_s: Option<u64>,
}

/// What claims make of a holder.
#[derive(Debug, Default)]
pub struct ClaimRule {
    /// When it counts; `None`: always.
    pub when: Option<ClaimCondition>,
    /// The team.
    pub team: Take,
    /// The user; the token's `sub` is the usual one. `None`: a service.
    pub user: Option<Take>,
    /// The features.
    pub features: Vec<Take>,
    /// What its holder may do; `None`: as with a key without scopes.
    pub scopes: Option<Scopes>,
    /// Tags of everything that its holder calls.
    pub tags: Tags,
}

/// Where a value comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Take {
    /// The claim of that name: by its whole name, or by a dotted path.
    Claim(String),
    /// This.
    Constant(String),
}

impl Default for Take {
    fn default() -> Self {
        Self::Constant(String::new())
    }
}

/// Who holds a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subject {
    /// The name of the team.
    pub team: String,
    /// The name of the user.
    pub user: Option<String>,
    /// The features to choose from.
    pub features: Features,
    /// What it may do.
    pub scopes: Option<Scopes>,
    /// Its tags.
    pub tags: Tags,
}

/// What is wrong with an issuer's config.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IssuerError {
    /// No `issuer`.
    NoIssuer,
    /// No audience: tokens for anybody else would open this gateway too.
    NoAudience,
    /// No algorithm.
    NoAlgorithm,
    /// No rule: nobody would have a team.
    NoRule,
    /// More leeway than [`LEEWAY_S_MAX`].
    Leeway,
}

impl std::fmt::Display for IssuerError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::NoIssuer => "an issuer needs \"issuer\", as it stands in its tokens' iss",
            Self::NoAudience => "an issuer needs an audience; without one, its tokens for anything else would open this gateway",
            Self::NoAlgorithm => "an issuer needs an algorithm, such as RS256 or ES256",
            Self::NoRule => "an issuer needs a rule that gives its callers a team",
            Self::Leeway => "clocks may differ by up to 300 seconds",
        })
    }
}

impl std::error::Error for IssuerError {}

impl Issuer {
    /// Whether it can be used.
    ///
    /// # Errors
    /// The first thing that is missing or too much.
    pub fn check(&self) -> Result<(), IssuerError> {
        let checks = [
            (self.issuer.is_empty(), IssuerError::NoIssuer),
            (self.audiences.is_empty(), IssuerError::NoAudience),
            (self.algorithms.is_empty(), IssuerError::NoAlgorithm),
            (self.rules.is_empty(), IssuerError::NoRule),
            (LEEWAY_S_MAX < self.leeway_s, IssuerError::Leeway),
        ];
        checks.into_iter().find(|(wrong, _)| *wrong).map_or(Ok(()), |(_, error)| Err(error))
    }

    /// What the claims make of their holder; `None`: nobody whom we know.
    #[must_use]
    pub fn subject(&self, claims: &Claims) -> Option<Subject> {
        self.rules.iter().find_map(|rule| rule.subject(claims))
    }
}

impl ClaimRule {
    fn subject(&self, claims: &Claims) -> Option<Subject> {
        if self.when.as_ref().is_some_and(|when| !when.holds(claims)) {
            return None;
        }
        let user = match &self.user {
            // A rule that wants a user does not count for a token without one: it would be a service's.
            Some(take) => Some(take.one(claims)?),
            None => None,
        };
        Some(Subject {
            team: self.team.one(claims)?,
            user,
            features: Features::new(self.features.iter().flat_map(|take| take.all(claims))),
            scopes: self.scopes,
            tags: self.tags.clone(),
        })
    }
}

impl Take {
    /// The one value; none when there is none, or when there are several.
    fn one(&self, claims: &Claims) -> Option<String> {
        match self.all(claims).as_slice() {
            [one] if !one.is_empty() => Some((*one).to_owned()),
            _ => None,
        }
    }

    fn all<'a>(&'a self, claims: &'a Claims) -> Vec<&'a str> {
        match self {
            Self::Claim(name) => claims.texts(name),
            Self::Constant(text) => vec![text],
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use std::collections::BTreeMap;

    fn issuer() -> Issuer {
        let claim = |name: &str| Take::Claim(name.into());
        let rule = |when: &str, team: Take| ClaimRule {
            when: Some(ClaimCondition::compile(when).unwrap()),
            team,
            user: Some(claim("sub")),
            features: vec![claim("apps"), Take::Constant("portal".into())],
            ..ClaimRule::default()
        };
        Issuer {
            name: "sso".into(),
            issuer: "https://sso.example".into(),
            audiences: vec!["tollgate".into()],
            jwks_url: "https://sso.example/keys".into(),
            algorithms: vec![Algorithm::Es256],
            rules: vec![
                rule("'admins' in claims.groups", Take::Constant("platform".into())),
                rule("has(claims.team)", claim("team")),
                ClaimRule {
                    when: Some(ClaimCondition::compile("claims.service == ['yes']").unwrap()),
                    team: Take::Constant("robots".into()),
                    ..ClaimRule::default()
                },
            ],
            leeway_s: LEEWAY_S_DEFAULT,
            max_age_s: None,
        }
    }

    /// Claims, and who holds them: team, user, features.
    type Row = (
        &'static [(&'static str, &'static [&'static str])],
        Option<(&'static str, Option<&'static str>, &'static [&'static str])>,
    );

    #[test]
    fn the_first_rule_that_holds_and_gives_a_team_counts() {
        let rows: &[Row] = &[
            (
                &[
                    ("sub", &["ann"]),
                    ("groups", &["admins"]),
                    ("team", &["sales"]),
                    ("apps", &["crm", "mail"]),
                ],
                Some(("platform", Some("ann"), &["crm", "mail", "portal"])),
            ),
            (
                &[("sub", &["ann"]), ("team", &["sales"])],
                Some(("sales", Some("ann"), &["portal"])),
            ),
            // No user where one is wanted, two teams, an empty one: nobody.
            (&[("team", &["sales"])], None),
            (&[("sub", &["ann"]), ("team", &["sales", "support"])], None),
            (&[("sub", &["ann"]), ("team", &[""])], None),
            (&[("sub", &["ann"])], None),
            (&[("service", &["yes"])], Some(("robots", None, &[]))),
        ];
        for (claims, expected) in rows {
            let claims: BTreeMap<_, _> = claims.iter().copied().collect();
            let subject = issuer().subject(&Claims::new(&claims).unwrap());
            let got = subject.map(|subject| {
                let features: Vec<String> = subject.features.iter().map(str::to_owned).collect();
                (subject.team, subject.user, features)
            });
            let expected = expected.map(|(team, user, features)| {
                let features: Vec<String> = features.iter().map(|name| (*name).to_owned()).collect();
                (team.to_owned(), user.map(str::to_owned), features)
            });
            assert_eq!(got, expected, "{claims:?}");
        }
    }

    #[test]
    fn an_issuer_without_a_bound_is_refused() {
        let strange = |change: fn(&mut Issuer)| {
            let mut issuer = issuer();
            change(&mut issuer);
            issuer.check()
        };
        assert_eq!(strange(|_| {}), Ok(()));
        assert_eq!(strange(|issuer| issuer.issuer.clear()), Err(IssuerError::NoIssuer));
        assert_eq!(strange(|issuer| issuer.audiences.clear()), Err(IssuerError::NoAudience));
        assert_eq!(strange(|issuer| issuer.algorithms.clear()), Err(IssuerError::NoAlgorithm));
        assert_eq!(strange(|issuer| issuer.rules.clear()), Err(IssuerError::NoRule));
        assert_eq!(strange(|issuer| issuer.leeway_s = 301), Err(IssuerError::Leeway));
        for name in ["none", "HS256", "HS384", "HS512", "rs256", ""] {
            assert_eq!(Algorithm::parse(name), None, "{name}");
        }
        for (algorithm, name) in Algorithm::ALL {
            assert_eq!(Algorithm::parse(name), Some(algorithm));
        }
    }
}
