//! `tollgate ledger verify`: computes the ledger's chain, sums and balances anew. By a running gateway, or on its data folder without one.

use clap::Subcommand;
use http::Method;
use serde_json::{Value, json};
use tollgate_store::database::Database;
use tollgate_store::database::ledger::Ledger;

use super::api::{ApiArguments, Failed, ask, block_on, has_database};
use crate::admin::Verified;

#[derive(Debug, Subcommand)]
pub(super) enum LedgerCommand {
    /// Compute everything anew; exit 1 and the first bad row on damage
    Verify {
        #[command(flatten)]
        api: ApiArguments,
    },
}

/// Runs it.
///
/// # Errors
/// The first flaw, or why there is no answer.
pub(super) fn run(command: &LedgerCommand) -> Result<(), String> {
    let LedgerCommand::Verify { api } = command;
    let found = block_on(verified(api))?;
    told(&found, api, "row")
}

/// What was found.
pub(super) async fn verified(api: &ApiArguments) -> Result<Value, String> {
    match ask(api, Method::POST, "/admin/v1/ledger/verify", None).await {
        // Who cannot be asked does not run, or has no token here: the folder itself is asked.
        Err(Failed::NoGateway(_)) if has_database(&api.data) => {
            let database = Database::open_to_read(&api.data).await.map_err(|error| error.to_string())?;
            let found = database.verify().await.map_err(|error| error.to_string());
            database.close().await;
            Ok(json!(Verified::of_ledger(found?)))
        }
        answer => Ok(answer?),
    }
}

/// Says what was found.
pub(super) fn told(found: &Value, api: &ApiArguments, what: &str) -> Result<(), String> {
    let checked = found["checked"].as_u64().unwrap_or(0);
    if api.json {
        super::print(&format!("{found:#}\n"))?;
    }
    if found["valid"] != json!(true) {
        return Err(found["flaw"].as_str().unwrap_or("the gateway did not say what it found").to_owned());
    }
    match api.json {
        true => Ok(()),
        false => super::print(&format!("all is well: {checked} {what}{}\n", if checked == 1 { "" } else { "s" })),
    }
}
