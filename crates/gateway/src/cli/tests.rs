//! The commands against an admin plane that runs, and against a data folder without one.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::sync::Arc;

use serde_json::{Value, json};

use super::*;
use crate::admin::Admin;
use crate::admin::tests::Stage;

fn parsed(line: &str) -> Command {
    Cli::try_parse_from(line.split(' ')).unwrap().command.unwrap()
}

async fn keys(line: &str) -> Result<String, String> {
    let Command::Keys(command) = parsed(line) else { unreachable!() };
    keys::text(command).await
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_are_made_listed_rotated_and_revoked_with_the_token_file_alone() {
    let stage = Stage::new("cli-keys").await;
    let listener = crate::server::listen(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
    let admin = Admin::start(listener, Arc::clone(&stage.telemetry), Some(Arc::clone(&stage.control))).unwrap();
    let at = format!("--admin http://{} --data {}", admin.address, stage.folder.display());
    let refused = keys(&format!("tollgate keys create --team support {at}")).await.unwrap_err();
    assert!(
        refused.contains("there is no team") && refused.contains("make it first"),
        "{refused}"
    );
    stage.done(&stage.local(), "POST /admin/v1/teams", json!({"name": "support"})).await;
    let made = keys(&format!("tollgate keys create --team support --feature chat --expires 90d {at}"))
        .await
        .unwrap();
    let secret = made.lines().last().unwrap();
    let id = secret.split('_').nth(1).unwrap();
    assert!(made.starts_with(id), "{made}");
    let listed = keys(&format!("tollgate keys list {at}")).await.unwrap();
    assert!(
        listed.contains(id) && listed.contains("support chat") && !listed.contains(secret),
        "{listed}"
    );
    let rotated: Value = serde_json::from_str(&keys(&format!("tollgate keys rotate {id} --grace 1h --json {at}")).await.unwrap()).unwrap();
    assert_eq!((&rotated["id"], rotated["live_secrets"].as_array().unwrap().len()), (&json!(id), 2));
    assert_eq!(
        keys(&format!("tollgate keys revoke {id} {at}")).await.unwrap(),
        format!("{id} is revoked\n")
    );
    assert!(
        keys(&format!("tollgate keys revoke {id} {at}"))
            .await
            .unwrap_err()
            .contains("there is no key")
    );
    assert!(
        keys(&format!("tollgate keys list --token x {at}"))
            .await
            .unwrap_err()
            .contains("no valid credential")
    );
    let Command::Spend(arguments) = parsed(&format!("tollgate spend --by team,model --interval day --format csv {at}")) else {
        unreachable!()
    };
    assert_eq!(
        spend::text(&arguments).await.unwrap(),
        "at,team,model,requests,input,output,cost_usd\n"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_ledger_and_the_audit_log_are_checked_with_and_without_a_gateway() {
    let stage = Stage::new("cli-verify").await;
    stage.done(&stage.local(), "POST /admin/v1/teams", json!({"name": "support"})).await;
    let listener = crate::server::listen(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
    let admin = Admin::start(listener, Arc::clone(&stage.telemetry), Some(Arc::clone(&stage.control))).unwrap();
    let at = format!("--admin http://{} --data {}", admin.address, stage.folder.display());
    let verify = async || {
        let Command::Ledger(ledger::LedgerCommand::Verify { api }) = parsed(&format!("tollgate ledger verify {at}")) else {
            unreachable!()
        };
        let Command::Audit(audit::AuditCommand::Verify { api: same }) = parsed(&format!("tollgate audit verify {at}")) else {
            unreachable!()
        };
        (ledger::verified(&api).await.unwrap(), audit::verified(&same).await.unwrap())
    };
    let online = verify().await;
    drop(admin);
    stage.control.database.close().await;
    let offline = verify().await;
    // A copy of the folder is checked too, without the token file.
    std::fs::remove_file(stage.folder.join("admin-token")).unwrap();
    assert_eq!(verify().await, offline);
    assert_eq!((&online, online.1["valid"].as_bool()), (&offline, Some(true)));
    assert!(0 < online.1["checked"].as_u64().unwrap());
    // What is not there is not made.
    std::fs::remove_file(stage.folder.join("tollgate.db")).unwrap();
    let Command::Ledger(command) = parsed(&format!("tollgate ledger verify {at}")) else {
        unreachable!()
    };
    let ledger::LedgerCommand::Verify { api } = &command;
    assert!(ledger::verified(api).await.unwrap_err().contains("cannot be read"));
    assert!(!stage.folder.join("tollgate.db").exists());
}

#[test]
fn damage_is_a_failure_and_names_the_first_flaw() {
    let Command::Ledger(ledger::LedgerCommand::Verify { api }) = parsed("tollgate ledger verify") else {
        unreachable!()
    };
    let damaged = json!({"valid": false, "checked": 3, "flaw": "row 2 is missing"});
    assert_eq!(ledger::told(&damaged, &api, "row"), Err("row 2 is missing".into()));
    assert!(ledger::told(&Value::Null, &api, "row").is_err());
}

#[test]
fn the_command_line_holds_together() {
    use clap::CommandFactory;
    Cli::command().debug_assert();
}

#[test]
fn wrong_arguments_are_usage_errors() {
    let cases: [&[&str]; 8] = [
        &["keys"],
        &["keys", "create"],
        &["keys", "create", "--team", "t", "--expires", "soon"],
        &["keys", "rotate"],
        &["keys", "rotate", "x", "--grace", "1y"],
        &["spend", "--format", "xml"],
        &["ledger"],
        &["audit", "repair"],
    ];
    for arguments in cases {
        let parsed = Cli::try_parse_from(std::iter::once("tollgate").chain(arguments.iter().copied()));
        assert_eq!(parsed.err().unwrap().exit_code(), 2, "{arguments:?}");
    }
}
