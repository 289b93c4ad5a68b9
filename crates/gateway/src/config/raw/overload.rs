//! What may be typed about overload.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::super::units::Size;

/// When new calls are turned away, with 503 and `Retry-After`, so that the others are served in time: the least urgent first (a key's
/// `priority_max`), a fifth of the room being kept for critical ones. Health is never turned away. Read when the process starts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(example = serde_json::json!({"shed": true, "calls": 10000}))]
pub struct Overload {
    /// Turns calls away when those before them have waited for a processor too long for a second: a burst is worked off.
    pub shed: bool,
    /// Calls that may be under way at the same time.
    #[schemars(range(min = 10, max = 1_000_000))]
    pub calls: u32,
    /// The memory that the process may take. At 92% connections are closed behind each answer, at 95% no call is begun. The limit of the
    /// process's cgroup when absent, as Kubernetes and Docker set it; without one memory is not looked at.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory: Option<Size>,
}

impl Default for Overload {
    fn default() -> Self {
        Self {
            shed: true,
            calls: 10_000,
            memory: None,
        }
    }
}
