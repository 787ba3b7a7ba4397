//! Simulates AWS Lambda: runs executables that speak the Runtime API.
//!
//! ```text
//! invoke ─▶ lambda ─▶ fleet ─▶ function, pool (pick or start an environment) ─▶ environment ⇄ runtime_api ⇄ process
//!             └─ faults                                                           │  └─ supervisor (one process after the other)
//!                                                                                 └─▶ output, platform ─▶ stderr; history
//! ```

mod account;
mod concurrency;
mod configuration;
mod cpu;
mod environment;
mod error;
mod faults;
mod fleet;
mod function;
mod history;
mod host;
mod invocation;
mod lambda;
mod limits;
mod log_sink;
mod output;
mod platform;
mod pool;
mod process;
mod rss;
mod runtime_api;
mod sandbox_dir;
mod stderr;
mod supervisor;
#[cfg(test)]
mod tests;
mod throttles;
mod variables;
mod view;

pub use self::{
    account::{ACCESS_KEY_ID, ACCOUNT_ID, REGION, SECRET_ACCESS_KEY},
    configuration::{Configuration, Settings},
    error::InvokeError,
    faults::{Faults, LATENCY_MAX},
    history::{Change, Record},
    invocation::Invoked,
    lambda::Lambda,
    log_sink::{LogSink, Origin},
    process::raise_descriptor_limit,
    sandbox_dir::PACKAGE,
    stderr::Lines,
    view::View,
};
