//! R-B2: nothing is posted to this machine, a private network or a cloud's metadata service, however it is written, unless config says so.

use std::net::IpAddr;

use tollgate_upstream::client::{Found, Names};

use super::*;
use crate::alerts;

/// A name service in an attacker's hand: whatever it is asked for is one of these addresses.
#[derive(Debug)]
struct Hostile(&'static [&'static str]);

impl Names for Hostile {
    fn look_up<'a>(&'a self, _host: &'a str) -> Found<'a> {
        let found: Vec<IpAddr> = self.0.iter().map(|address| address.parse().unwrap()).collect();
        Box::pin(async move { Ok(found) })
    }
}

/// Hosts as an operator or an attacker may write them; none of them is on the public internet.
const SPELLINGS: [&str; 48] = [
    "127.0.0.1",
    "127.0.0.1.",
    "127.1",
    "127.0.1",
    "127.255.255.254",
    "2130706433",
    "0x7f000001",
    "0x7f.1",
    "0x7f.0x0.0x0.0x1",
    "017700000001",
    "0177.0.0.1",
    "127.000.000.001",
    "%31%32%37.0.0.1",
    "１２７.0.0.1",
    "①②⑦.0.0.1",
    "127。0。0。1",
    "0",
    "0.0.0.0",
    "0.1.2.3",
    "[::]",
    "[::1]",
    "[0:0:0:0:0:0:0:1]",
    "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]",
    "[0:0:0:0:0:ffff:7f00:0001]",
    "[::127.0.0.1]",
    "[64:ff9b::127.0.0.1]",
    "[64:ff9b::7f00:1]",
    "[64:ff9b:1::1]",
    "[2002:7f00:1::]",
    "[2001:0:7f00:1::]",
    "10.0.0.1",
    "167772161",
    "172.16.0.1",
    "192.168.1.1",
    "0300.0250.1.1",
    "[::ffff:10.0.0.1]",
    "[fc00::1]",
    "[fd00:ec2::254]",
    "[fe80::1]",
    "100.64.0.1",
    "100.100.100.200",
    "168.63.129.16",
    "169.254.169.254",
    "0xa9fea9fe",
    "2852039166",
    "[::ffff:a9fe:a9fe]",
    "224.0.0.1",
];

#[test]
fn r_b2_no_spelling_of_a_private_address_becomes_a_hook() {
    for host in SPELLINGS {
        let url: url::Url = format!("https://{host}/hook").parse().unwrap();
        let complaint = Hook::new(&url, SECRET, false).unwrap_err();
        assert!(complaint.reason.contains(" is "), "{host}: {complaint}");
    }
}

#[tokio::test]
async fn r_b2_no_name_leads_to_a_private_address() {
    let receiver = Receiver::doing(&[]);
    let rows: [(&str, &'static [&'static str]); 12] = [
        ("hooks.example.com", &["127.0.0.1"]),
        ("hooks.example.com", &["::1", "127.0.0.1"]),
        ("hooks.example.com", &["::ffff:127.0.0.1"]),
        ("hooks.example.com", &["64:ff9b::7f00:1"]),
        ("hooks.example.com", &["0.0.0.0", "::"]),
        ("hooks.example.com", &["10.0.0.1", "192.168.0.1", "172.16.0.1"]),
        ("hooks.example.com", &["100.64.0.1"]),
        ("hooks.example.com", &["fd00::1", "fe80::1"]),
        ("localhost", &["127.0.0.1"]),
        ("localhost.", &["127.0.0.1"]),
        ("127.0.0.1.nip.io", &["127.0.0.1"]),
        ("metadata.google.internal", &["169.254.169.254"]),
    ];
    for (host, addresses) in rows {
        let url = format!("https://{host}:{}/hook", receiver.address.port()).parse().unwrap();
        let hook = Hook::new(&url, SECRET, false).unwrap();
        let client = Client::new(ClientSettings {
            names: Arc::new(Hostile(addresses)),
            ..settings()
        });
        let undelivered = alerts::test(&hook, &client, clock::now()).await.unwrap_err();
        assert!(
            undelivered.reason.contains("no address that a name may stand for"),
            "{host} {addresses:?}: {undelivered}"
        );
    }
    assert_eq!(receiver.connections(), 0);
}

#[tokio::test]
async fn r_b2_a_name_may_be_private_where_config_says_so_and_never_a_metadata_service() {
    let receiver = Receiver::doing(&[]);
    let url = format!("https://hooks.example.com:{}/hook", receiver.address.port())
        .parse()
        .unwrap();
    let hook = Hook::new(&url, SECRET, true).unwrap();
    let rows: [(&'static [&'static str], &str); 2] = [
        (&["169.254.169.254", "fd00:ec2::254"], "name not resolved"),
        // The receiver speaks no TLS: nothing is told to it.
        (&["127.0.0.1"], "tls failed"),
    ];
    for (addresses, expected) in rows {
        let client = Client::new(ClientSettings {
            names: Arc::new(Hostile(addresses)),
            ..settings()
        });
        let undelivered = alerts::test(&hook, &client, clock::now()).await.unwrap_err();
        assert!(undelivered.reason.starts_with(expected), "{addresses:?}: {undelivered}");
    }
    assert_eq!((receiver.connections(), receiver.got().len()), (1, 0));
}

#[test]
fn r_a7_a_hook_has_a_secret_and_an_address_that_it_may_have() {
    let unencrypted = "alerts would cross the network unencrypted";
    let rows = [
        ("https://hooks.example.com/x", SECRET, false, None),
        ("https://8.8.8.8/x", SECRET, false, None),
        ("https://10.0.0.5/x", SECRET, true, None),
        ("https://localhost/x", SECRET, true, None),
        ("http://127.0.0.1:9000/x", SECRET, true, None),
        ("http://[::1]:9000/x", SECRET, true, None),
        ("http://127.0.0.1:9000/x", SECRET, false, Some("127.0.0.1 is a loopback address")),
        ("http://hooks.example.com/x", SECRET, false, Some(unencrypted)),
        ("http://hooks.example.com/x", SECRET, true, Some(unencrypted)),
        ("http://10.0.0.5/x", SECRET, true, Some(unencrypted)),
        ("http://localhost:9000/x", SECRET, true, Some(unencrypted)),
        ("http://8.8.8.8/x", SECRET, false, Some(unencrypted)),
        ("https://10.0.0.5/x", SECRET, false, Some("10.0.0.5 is a private address")),
        (
            "https://169.254.169.254/x",
            SECRET,
            true,
            Some("169.254.169.254 is a link-local address"),
        ),
        (
            "https://hooks.example.com/x",
            &SECRET[..31],
            false,
            Some("the secret is shorter than 32 characters"),
        ),
        ("https://hooks.example.com/x", &SECRET[..32], false, None),
        (
            "https://hooks.example.com/x",
            "",
            false,
            Some("the secret is shorter than 32 characters"),
        ),
    ];
    for (url, secret, allow_private, expected) in rows {
        let outcome = Hook::new(&url.parse().unwrap(), secret, allow_private);
        let reason = outcome.as_ref().err().map(|complaint| complaint.reason.as_str());
        assert_eq!(reason, expected, "{url} {allow_private}");
        if let Ok(hook) = outcome {
            let shown = format!("{hook:?}");
            assert!(!shown.contains(secret) && !shown.contains("/x"), "{shown}");
        }
    }
}
