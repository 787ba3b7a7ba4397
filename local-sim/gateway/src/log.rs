//! The access log, and warnings that are logged only once.

pub(crate) mod access_log;
pub(crate) mod entry;
mod format;
pub(crate) mod variables;
pub(crate) mod warn_once;
mod writer;
