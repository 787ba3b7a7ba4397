//! The formats of the log.

/// What the log looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// A line for each event.
    Events,
    /// The lines of Lambda and of functions, as CloudWatch shows them.
    Lambda,
    /// A JSON object for each event and each line of a function.
    Json,
}
