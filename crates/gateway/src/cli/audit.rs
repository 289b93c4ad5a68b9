//! `tollgate audit verify`: computes the audit log's chain anew and checks its signed checkpoints. By a running gateway, or without one.

use clap::Subcommand;
use http::Method;
use serde_json::{Value, json};
use tollgate_store::database::Database;
use tollgate_store::database::audit::Audit;

use super::api::{ApiArguments, Failed, ask, block_on, has_database};
use super::ledger::told;
use crate::admin::Verified;
use crate::control::{AUDIT_KEY_FILE, audit_signer};

#[derive(Debug, Subcommand)]
pub(super) enum AuditCommand {
    /// Compute the chain anew; exit 1 and the first bad record on damage
    Verify {
        #[command(flatten)]
        api: ApiArguments,
    },
}

/// Runs it.
///
/// # Errors
/// The first flaw, or why there is no answer.
pub(super) fn run(command: &AuditCommand) -> Result<(), String> {
    let AuditCommand::Verify { api } = command;
    let found = block_on(verified(api))?;
    told(&found, api, "record")
}

/// What was found.
pub(super) async fn verified(api: &ApiArguments) -> Result<Value, String> {
    match ask(api, Method::POST, "/admin/v1/audit/verify", None).await {
        Err(Failed::NoGateway(_)) if has_database(&api.data) => {
            let key = api.data.join(AUDIT_KEY_FILE);
            if !key.is_file() {
                return Err(format!(
                    "{} is not there, and checkpoints cannot be checked without it",
                    key.display()
                ));
            }
            let key = audit_signer(&api.data)?.public_key();
            let database = Database::open_to_read(&api.data).await.map_err(|error| error.to_string())?;
            let found = database.verify_audit(&key, &[]).await.map_err(|error| error.to_string());
            database.close().await;
            Ok(json!(Verified::of_audit(found?)))
        }
        answer => Ok(answer?),
    }
}
