//! What the simulator's crates say.

use tracing::Level;

/// A warning, or something worth a line.
#[derive(Debug)]
pub(super) struct Notice {
    pub(super) level: Level,
    pub(super) message: String,
    pub(super) connection: Option<String>,
    pub(super) request: Option<String>,
    pub(super) fields: Vec<(&'static str, String)>,
}

impl Notice {
    pub(super) fn level(&self) -> &'static str {
        match self.level {
            Level::ERROR => "error",
            Level::WARN => "warn",
            _ => "info",
        }
    }

    pub(super) fn is_info(&self) -> bool {
        self.level > Level::WARN
    }
}
