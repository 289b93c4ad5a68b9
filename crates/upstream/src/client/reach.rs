//! Which addresses a connection may go to (FAULTS R-B2). What is judged is the address that is then connected to, never a name or a
//! spelling. Who resolves is `resolve.rs`, who connects is `dial.rs`.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// How far connections to an origin may go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Reach {
    /// For providers, whose address an operator wrote. Names may stand for loopback and private networks: operators run providers there.
    /// They may not stand for link-local addresses and clouds' metadata services: a name that suddenly points at them is an attack. Who
    /// really wants one writes the address itself.
    #[default]
    Configured,
    /// As [`Reach::Configured`] for names, and the same for addresses that are written as such.
    Private,
    /// The public internet alone: no loopback, no private network, nothing with a special purpose.
    Public,
}

impl Reach {
    /// What a name stands for that may not be connected to; `None`: it may.
    #[must_use]
    pub fn refusal(self, address: IpAddr) -> Option<&'static str> {
        let address = carried(address);
        never(address).or_else(|| (self == Self::Public).then(|| not_public(address)).flatten())
    }

    /// As [`Reach::refusal`], of an address that stands in the URL itself.
    #[must_use]
    pub fn refusal_of_literal(self, address: IpAddr) -> Option<&'static str> {
        match self {
            Self::Configured => None,
            Self::Private | Self::Public => self.refusal(address),
        }
    }
}

/// The IPv4 address that an IPv6 address is only another way to write, or that a gateway of the network translates it to.
fn carried(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        // NAT64's well-known prefix (RFC 6052): in networks without IPv4 all hosts of the IPv4 internet appear behind it.
        IpAddr::V6(v6) if v6.segments().starts_with(&[0x64, 0xff9b, 0, 0, 0, 0]) => IpAddr::V4(Ipv4Addr::from_bits(low_32(v6))),
        other => other,
    }
}

fn low_32(address: Ipv6Addr) -> u32 {
    let [.., high, low] = address.segments();
    u32::from(high) << 16 | u32::from(low)
}

/// What no name may stand for.
fn never(address: IpAddr) -> Option<&'static str> {
    /// Alibaba, Azure's wire server, Oracle. Amazon's and everybody else's are link-local.
    const METADATA_V4: [Ipv4Addr; 3] = [
        Ipv4Addr::new(100, 100, 100, 200),
        Ipv4Addr::new(168, 63, 129, 16),
        Ipv4Addr::new(192, 0, 0, 192),
    ];
    let is_metadata = match address {
        IpAddr::V4(v4) => METADATA_V4.contains(&v4),
        // Amazon, Google, Scaleway.
        IpAddr::V6(v6) => matches!(
            v6.segments(),
            [0xfd00, 0xec2, ..] | [0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254] | [0xfd00, 0x42, 0, 0, 0, 0, 0, 0x42]
        ),
    };
    let is_link_local = match address {
        IpAddr::V4(v4) => v4.is_link_local(),
        IpAddr::V6(v6) => v6.is_unicast_link_local(),
    };
    let is_broadcast = address == IpAddr::V4(Ipv4Addr::BROADCAST);
    first_of(&[
        (is_metadata, "a cloud's metadata service"),
        (is_link_local, "a link-local address"),
        (address.is_multicast() || is_broadcast, "a multicast address"),
        (address.is_unspecified(), "no address of a host"),
    ])
}

/// What is not on the public internet (IANA's registries of special-purpose addresses).
fn not_public(address: IpAddr) -> Option<&'static str> {
    match address {
        IpAddr::V4(v4) => not_public_v4(v4),
        IpAddr::V6(v6) => not_public_v6(v6),
    }
}

fn not_public_v4(address: Ipv4Addr) -> Option<&'static str> {
    let octets = address.octets();
    let special = matches!(
        octets,
        [0 | 240.., ..] | [192, 0, 0 | 2, _] | [192, 88, 99, _] | [198, 18 | 19, ..] | [198, 51, 100, _] | [203, 0, 113, _]
    );
    first_of(&[
        (address.is_loopback(), "a loopback address"),
        (address.is_private(), "a private address"),
        (matches!(octets, [100, 64..=127, ..]), "an address behind a carrier's NAT"),
        (special, "an address with a special purpose"),
    ])
}

fn not_public_v6(address: Ipv6Addr) -> Option<&'static str> {
    let segments = address.segments();
    // What is handed out lies in 2000::/3. Of it: protocols with Teredo, documentation, 6to4 (another way to write IPv4), documentation.
    let special = matches!(
        segments,
        [..=0x1fff | 0x4000.., ..] | [0x2001, ..=0x1ff | 0xdb8, ..] | [0x2002, ..] | [0x3fff, ..=0xfff, ..]
    );
    first_of(&[
        (address.is_loopback(), "a loopback address"),
        (address.is_unique_local(), "a private address"),
        (special, "an address with a special purpose"),
    ])
}

fn first_of(rows: &[(bool, &'static str)]) -> Option<&'static str> {
    rows.iter().find(|(holds, _)| *holds).map(|(_, what)| *what)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    /// Address, whether providers' names may stand for it, whether it is public.
    const ADDRESSES: [(&str, bool, bool); 62] = [
        ("8.8.8.8", true, true),
        ("1.1.1.1", true, true),
        ("100.63.255.255", true, true),
        ("100.128.0.0", true, true),
        ("126.255.255.255", true, true),
        ("128.0.0.0", true, true),
        ("172.15.255.255", true, true),
        ("172.32.0.0", true, true),
        ("192.0.1.1", true, true),
        ("192.167.255.255", true, true),
        ("198.17.255.255", true, true),
        ("198.20.0.0", true, true),
        ("223.255.255.255", true, true),
        ("2606:4700::6810:1", true, true),
        ("2001:200::1", true, true),
        ("2a00:1450:4001:81b::200e", true, true),
        ("::ffff:8.8.8.8", true, true),
        ("64:ff9b::8.8.8.8", true, true),
        ("10.0.0.7", true, false),
        ("127.0.0.1", true, false),
        ("127.255.255.254", true, false),
        ("172.16.0.1", true, false),
        ("172.31.255.255", true, false),
        ("192.168.0.1", true, false),
        ("100.64.0.1", true, false),
        ("100.127.255.255", true, false),
        ("0.0.0.1", true, false),
        ("0.255.255.255", true, false),
        ("192.0.0.8", true, false),
        ("192.0.2.1", true, false),
        ("192.88.99.1", true, false),
        ("198.18.0.1", true, false),
        ("198.19.255.255", true, false),
        ("198.51.100.1", true, false),
        ("203.0.113.1", true, false),
        ("240.0.0.1", true, false),
        ("::1", true, false),
        ("::ffff:127.0.0.1", true, false),
        ("::ffff:10.0.0.7", true, false),
        ("::127.0.0.1", true, false),
        ("64:ff9b::10.0.0.7", true, false),
        ("64:ff9b:1::1", true, false),
        ("fc00::1", true, false),
        ("fd12:3456::1", true, false),
        ("fec0::1", true, false),
        ("100::1", true, false),
        ("2001::1", true, false),
        ("2001:db8::1", true, false),
        ("2002:7f00:1::", true, false),
        ("3fff:fff::1", true, false),
        ("169.254.169.254", false, false),
        ("::ffff:169.254.169.254", false, false),
        ("64:ff9b::169.254.169.254", false, false),
        ("100.100.100.200", false, false),
        ("168.63.129.16", false, false),
        ("fd00:ec2::254", false, false),
        ("fd20:ce::254", false, false),
        ("fe80::1", false, false),
        ("0.0.0.0", false, false),
        ("::", false, false),
        ("255.255.255.255", false, false),
        ("224.0.0.1", false, false),
    ];

    #[test]
    fn r_b2_how_far_each_reach_goes() {
        for (text, named, public) in ADDRESSES {
            let address: IpAddr = text.parse().unwrap();
            assert_eq!(Reach::Configured.refusal(address).is_none(), named, "{text}");
            assert_eq!(Reach::Private.refusal(address).is_none(), named, "{text}");
            assert_eq!(Reach::Public.refusal(address).is_none(), public, "{text}");
            assert_eq!(Reach::Configured.refusal_of_literal(address), None, "{text}");
            assert_eq!(Reach::Private.refusal_of_literal(address).is_none(), named, "{text}");
            assert_eq!(Reach::Public.refusal_of_literal(address).is_none(), public, "{text}");
        }
    }

    #[test]
    fn a_refusal_says_what_the_address_is() {
        for (text, what) in [
            ("127.0.0.1", "a loopback address"),
            ("::ffff:10.1.2.3", "a private address"),
            ("100.64.0.1", "an address behind a carrier's NAT"),
            ("169.254.169.254", "a link-local address"),
            ("100.100.100.200", "a cloud's metadata service"),
            ("ff02::1", "a multicast address"),
            ("203.0.113.7", "an address with a special purpose"),
        ] {
            assert_eq!(Reach::Public.refusal(text.parse().unwrap()), Some(what), "{text}");
        }
    }
}
