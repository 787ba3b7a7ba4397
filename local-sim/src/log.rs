//! The log on standard error: one line for each event, Lambda's lines, or JSON; and a summary at the end.
//!
//! ```text
//! gateway ─ event ──────▶┐       ┌─▶ text ─┐
//! Lambda ─ line ────────▶┤  log ─┤         ├─▶ lines ─▶ standard error
//! tracing ─ notice ─▶layer       └─▶ json ─┘
//!                          └─▶ summary
//! ```

mod answer;
mod format;
mod json;
mod layer;
mod notice;
mod sink;
mod style;
mod summary;
mod text;

pub use self::{format::LogFormat, layer::LogLayer, sink::Log};
