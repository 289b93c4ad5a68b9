//! `tollgate openapi`: the admin API's OpenAPI document.

/// Prints it.
///
/// # Errors
/// When it cannot be written.
pub(super) fn run() -> Result<(), String> {
    super::print(&format!("{:#}\n", crate::admin::document()))
}
