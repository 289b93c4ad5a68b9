//! The label of a call: floors of team, key and feature, and what the headers say.

use std::collections::HashMap;

use tollgate_policy::labels::Label;

use super::*;

fn read(text: &str) -> Label {
    Label::parse(text).unwrap()
}

/// What is sent for `mail` is internal at least.
pub(super) fn features() -> HashMap<String, Label> {
    HashMap::from([("mail".to_owned(), read("internal; compartments=mail"))])
}

/// A key whose data is confidential, and whose holder may say that it is less.
pub(super) fn trusted() -> PlainKey {
    let mut made = key("trusted", "trusted-secret", None);
    made.key.team = Arc::new(Team {
        label: read("internal"),
        ..(*made.key.team).clone()
    });
    made.key.label = read("confidential");
    made.key.allowed.scopes = Some(Scopes::DEFAULT.with(Scope::LabelDeclassify));
    made
}

/// A key whose holder may say nothing, and send nothing above internal.
pub(super) fn bound() -> PlainKey {
    let mut made = key("bound", "bound-secret", None);
    made.key.max_label = Some(read("internal"));
    made.key.allowed.scopes = Some(Scopes::NONE.with(Scope::Chat));
    made
}

const SERVICE: (&str, &str) = ("x-api-key", "service-secret");
const TRUSTED: (&str, &str) = ("x-api-key", "trusted-secret");
const BOUND: (&str, &str) = ("x-api-key", "bound-secret");

/// Key, headers, the label (and what it was lowered from) or the refusal.
type Row<'a> = (
    (&'static str, &'a str),
    &'a [(&'static str, &'a str)],
    Result<&'a str, (FaultKind, &'a str)>,
);

const LABEL: &str = "x-tollgate-label";
const REASON: &str = "x-tollgate-label-reason";

#[tokio::test]
async fn a_call_carries_what_team_key_feature_and_header_say_together() {
    let malformed = Err((FaultKind::Malformed, "invalid_label"));
    let no_scope = Err((FaultKind::Forbidden, "scope_not_allowed"));
    let too_high = Err((FaultKind::Forbidden, "label_not_allowed"));
    let rows: &[Row<'_>] = &[
        (SERVICE, &[], Ok("public")),
        (SERVICE, &[("x-tollgate-feature", "mail")], Ok("internal; compartments=mail")),
        (SERVICE, &[(LABEL, "confidential; regions=eu")], Ok("confidential; regions=eu")),
        (
            SERVICE,
            &[("x-tollgate-feature", "mail"), (LABEL, "restricted")],
            Ok("restricted; compartments=mail"),
        ),
        (TRUSTED, &[], Ok("confidential")),
        (TRUSTED, &[(LABEL, "public")], Ok("confidential")),
        (TRUSTED, &[(LABEL, "public"), (REASON, "published")], Ok("public < confidential")),
        (TRUSTED, &[(REASON, "published")], Ok("confidential")),
        (TRUSTED, &[(LABEL, "public"), (REASON, "")], malformed),
        (TRUSTED, &[(LABEL, "public"), (REASON, &"x".repeat(201))], malformed),
        (
            SERVICE,
            &[("x-tollgate-feature", "mail"), (LABEL, "public"), (REASON, "published")],
            no_scope,
        ),
        (SERVICE, &[(LABEL, "secret")], malformed),
        (SERVICE, &[(LABEL, "")], malformed),
        (SERVICE, &[(LABEL, "public; regions=EU")], malformed),
        (
            SERVICE,
            &[(LABEL, "public"), (LABEL, "internal")],
            Err((FaultKind::Malformed, "invalid_attribution")),
        ),
        (BOUND, &[(LABEL, "public")], Ok("public")),
        (BOUND, &[(LABEL, "internal")], no_scope),
        (BOUND, &[("x-tollgate-feature", "mail")], too_high),
    ];
    for (key, said, expected) in rows {
        let said = [&[*key], *said].concat();
        let got = identified(&Issuers::default(), &said, clock::now()).await;
        let got = got.map(|caller| {
            let lowered = caller.lowered().map_or_else(String::new, |lowered| format!(" < {}", lowered.from));
            format!("{}{lowered}", caller.label())
        });
        match (got, expected) {
            (Ok(label), Ok(expected)) => assert_eq!(label, *expected, "{said:?}"),
            (Err(fault), Err((kind, code))) => {
                assert_eq!(
                    (fault.kind, fault.code.as_deref().unwrap()),
                    (*kind, *code),
                    "{said:?}: {}",
                    fault.message
                );
                // A bad header is named.
                assert!(
                    fault.kind != FaultKind::Malformed || fault.message.contains(LABEL),
                    "{}",
                    fault.message
                );
            }
            (got, _) => unreachable!("{said:?}: {got:?}"),
        }
    }
}
