//! `tollgate mock`: the simulated providers alone.

use std::net::SocketAddr;
use std::path::Path;

use tollgate_mock::{Mock, MockSettings, Script};

/// Serves until the process is told to stop.
///
/// # Errors
/// When the script cannot be read, or the address cannot be bound.
pub(super) fn run(listen: SocketAddr, script: Option<&Path>) -> Result<(), String> {
    let mut settings = MockSettings {
        listen,
        ..MockSettings::default()
    };
    if let Some(path) = script {
        let text = std::fs::read_to_string(path).map_err(|error| format!("cannot read {}: {error}", path.display()))?;
        settings.script = Script::parse(&text).map_err(|error| format!("{}: {error}", path.display()))?;
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| error.to_string())?;
    runtime.block_on(async {
        let mock = Mock::start(settings)
            .await
            .map_err(|error| format!("cannot listen on {listen}: {error}"))?;
        super::print(&format!("simulated providers at http://{}; GET / is the manual\n", mock.addr()))?;
        super::run::until_told(|_| ()).await;
        mock.stop().await;
        Ok(())
    })
}
