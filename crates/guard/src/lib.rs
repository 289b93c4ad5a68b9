//! What is safe. For now: nothing secret leaves in the text of an error.

pub mod mask;
