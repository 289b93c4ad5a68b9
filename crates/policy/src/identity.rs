//! Who calls, and what they may call. Rights are those of the key and its team together, looked at when they are used.

use std::net::IpAddr;

use crate::key::Digest;
use crate::patterns::Patterns;

/// A team: owns keys, and bounds what they may call.
#[derive(Debug, Clone, Default)]
pub struct Team {
    /// Its name.
    pub name: String,
    /// Routes that it may call.
    pub routes: Patterns,
    /// Models that it may call without a route.
    pub models: Patterns,
}

/// A key that opens the data plane for one team.
pub struct VirtualKey {
    /// The public id; for a key from a config file that is not of our form, its name.
    pub id: String,
    /// Its name in config.
    pub name: String,
    /// The team that it belongs to.
    pub team: Team,
    /// The user that it belongs to; `None`: a service key.
    pub user: Option<String>,
    /// The application or use case that it is for.
    pub feature: Option<String>,
    /// Digests of its live secrets; two during a rotation.
    pub digests: Vec<Digest>,
    /// Not valid before, in seconds since 1970.
    pub not_before: Option<u64>,
    /// Not valid from, in seconds since 1970.
    pub expires_at: Option<u64>,
    /// Switched off.
    pub disabled: bool,
    /// Addresses that may use it; empty: any.
    pub networks: Vec<Network>,
    /// Narrows the team's routes.
    pub routes: Option<Patterns>,
    /// Narrows the team's models.
    pub models: Option<Patterns>,
}

/// Why a key with the right secret is refused all the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyRefusal {
    /// The secret is not the key's.
    WrongSecret,
    /// Switched off.
    Disabled,
    /// Not valid yet.
    NotYet,
    /// Not valid any more.
    Expired,
    /// Not from this address.
    Address,
}

impl VirtualKey {
    /// Whether a presented secret opens this key now, from this address. The secret is compared first, in constant time, so
    /// that only its owner learns why else it is refused.
    ///
    /// # Errors
    /// The first reason that refuses it.
    pub fn verify(&self, presented: &Digest, now_s: u64, from: IpAddr) -> Result<(), KeyRefusal> {
        // All secrets are compared, so that time does not tell which one matched.
        let right = self.digests.iter().fold(false, |found, digest| digest.matches(presented) | found);
        if !right {
            return Err(KeyRefusal::WrongSecret);
        }
        if self.disabled {
            return Err(KeyRefusal::Disabled);
        }
        if self.not_before.is_some_and(|start| now_s < start) {
            return Err(KeyRefusal::NotYet);
        }
        if self.expires_at.is_some_and(|end| now_s >= end) {
            return Err(KeyRefusal::Expired);
        }
        if !self.networks.is_empty() && !self.networks.iter().any(|network| network.contains(from)) {
            return Err(KeyRefusal::Address);
        }
        Ok(())
    }

    /// May it call that route?
    #[must_use]
    pub fn may_call_route(&self, route: &str) -> bool {
        self.team.routes.allow(route) && self.routes.as_ref().is_none_or(|own| own.allow(route))
    }

    /// May it call that model without a route?
    #[must_use]
    pub fn may_call_model(&self, model: &str) -> bool {
        self.team.models.allow(model) && self.models.as_ref().is_none_or(|own| own.allow(model))
    }
}

/// A range of addresses in CIDR notation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    bits: u8,
}

impl Network {
    /// Reads `10.0.0.0/8`, `2001:db8::/32` or a single address.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits.parse::<u8>().ok()?)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().ok()?;
        let widest = if address.is_ipv4() { 32 } else { 128 };
        let bits = bits.unwrap_or(widest);
        (bits <= widest).then_some(Self { address, bits })
    }

    /// True when the address lies in the range; an IPv4-mapped IPv6 address counts as the IPv4 one.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.address, address.to_canonical()) {
            (IpAddr::V4(own), IpAddr::V4(other)) => {
                let shift = 32 - u32::from(self.bits);
                u32::from(own).checked_shr(shift).unwrap_or(0) == u32::from(other).checked_shr(shift).unwrap_or(0)
            }
            (IpAddr::V6(own), IpAddr::V6(other)) => {
                let shift = 128 - u32::from(self.bits);
                u128::from(own).checked_shr(shift).unwrap_or(0) == u128::from(other).checked_shr(shift).unwrap_or(0)
            }
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::key::Pepper;

    fn key() -> VirtualKey {
        VirtualKey {
            id: "id".into(),
            name: "n".into(),
            team: Team {
                name: "t".into(),
                routes: Patterns::new(vec!["chat".into()]),
                models: Patterns::new(vec!["openai/*".into()]),
            },
            user: None,
            feature: None,
            digests: vec![Pepper::new(&[1; 32]).digest("the-secret")],
            not_before: Some(100),
            expires_at: Some(200),
            disabled: false,
            networks: vec![Network::parse("10.0.0.0/8").unwrap()],
            routes: None,
            models: Some(Patterns::new(vec!["*/gpt-4o".into()])),
        }
    }

    #[test]
    fn a_key_is_refused_for_the_first_reason() {
        let pepper = Pepper::new(&[1; 32]);
        let (right, wrong) = (pepper.digest("the-secret"), pepper.digest("another"));
        let (inside, outside): (IpAddr, IpAddr) = ("10.1.2.3".parse().unwrap(), "11.1.2.3".parse().unwrap());
        let rows = [
            (&right, 150, inside, Ok(())),
            (&wrong, 50, outside, Err(KeyRefusal::WrongSecret)),
            (&right, 99, inside, Err(KeyRefusal::NotYet)),
            (&right, 100, inside, Ok(())),
            (&right, 200, inside, Err(KeyRefusal::Expired)),
            (&right, 150, outside, Err(KeyRefusal::Address)),
            (&right, 150, "::ffff:10.1.2.3".parse().unwrap(), Ok(())),
        ];
        for (secret, now, from, expected) in rows {
            assert_eq!(key().verify(secret, now, from), expected, "{now} {from}");
        }
        let off = VirtualKey { disabled: true, ..key() };
        assert_eq!(off.verify(&right, 150, inside), Err(KeyRefusal::Disabled));
    }

    #[test]
    fn rights_are_those_of_team_and_key_together() {
        assert!(key().may_call_route("chat"));
        assert!(!key().may_call_route("other"));
        assert!(key().may_call_model("openai/gpt-4o"));
        assert!(!key().may_call_model("openai/gpt-4o-mini"));
        assert!(!key().may_call_model("azure/gpt-4o"));
    }

    #[test]
    fn networks_are_read_and_matched() {
        let rows = [
            ("10.0.0.0/8", "10.255.0.1", true),
            ("0.0.0.0/0", "1.2.3.4", true),
            ("192.168.1.7", "192.168.1.7", true),
            ("192.168.1.7", "192.168.1.8", false),
            ("2001:db8::/32", "2001:db8::1", true),
            ("::/0", "2001::1", true),
            ("10.0.0.0/8", "2001::1", false),
        ];
        for (network, address, expected) in rows {
            assert_eq!(
                Network::parse(network).unwrap().contains(address.parse().unwrap()),
                expected,
                "{network} {address}"
            );
        }
        for wrong in ["10.0.0.0/33", "x", "10.0.0.0/-1", "::/129"] {
            assert!(Network::parse(wrong).is_none(), "{wrong}");
        }
    }
}
