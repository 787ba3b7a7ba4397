//! What the gateway logs: the access log, and warnings that are given once.

pub(crate) mod access_log;
pub(crate) mod entry;
mod format;
pub(crate) mod variables;
pub(crate) mod warn_once;
mod writer;
