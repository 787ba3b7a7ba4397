//! Lambda: runs executables that speak the Runtime API, as Lambda runs them.
//!
//! ```text
//! invoke ─▶ lambda ─▶ fleet ─▶ function, pool (who is free? start one?) ─▶ environment ⇄ runtime_api ⇄ process
//!             └─ troubles                                                      │  └─ life (one process after the other)
//!                                                                              └─▶ output, platform ─▶ stderr; history
//! ```

mod account;
mod concurrency;
mod configuration;
mod environment;
mod error;
mod fleet;
mod folder;
mod function;
mod history;
mod host;
mod invocation;
mod lambda;
mod life;
mod limits;
mod machine;
mod memory;
mod output;
mod platform;
mod pool;
mod process;
mod runtime_api;
mod stderr;
#[cfg(test)]
mod tests;
mod throttles;
mod troubles;
mod variables;
mod view;

pub use self::{
    account::{ACCESS_KEY_ID, ACCOUNT_ID, REGION, SECRET_ACCESS_KEY},
    configuration::{Configuration, Settings},
    error::InvokeError,
    folder::PACKAGE,
    history::{Change, Record},
    lambda::Lambda,
    process::raise_descriptor_limit,
    stderr::Lines,
    troubles::{LATENCY_MAX, Troubles},
    view::View,
};
