//! API Gateway's WebSocket APIs, Lambda and a Kafka broker in one process, for the functions of a contract.
//!
//! ```text
//! cli ─▶ simulator ─▶ gateway ─invoke▶ lambda ─Runtime API▶ functions ─▶ kafka
//!                     mapping ─invoke▶   ┘                                │
//!                        ▲───────────── records of push's topics ─────────┘
//! console: looks at all of them, and interferes; faults: what is to go wrong with them
//! ```

mod account;
mod cli;
mod console;
mod executables;
mod faults;
mod gateway;
mod kafka;
mod lambda;
mod mapping;
mod patience;
mod simulator;
mod stderr;
mod topics;
mod variables;
mod watch;

use std::{error::Error, io, num::NonZero, process::ExitCode, thread::available_parallelism};

use clap::Parser as _;
use tokio::runtime::{Builder, Runtime};
use tracing::level_filters::LevelFilter;
use tracing_subscriber::{
    Layer as _, filter::Targets, fmt, layer::SubscriberExt as _, util::SubscriberInitExt as _,
};

use crate::{cli::Options, stderr::Lines};

fn main() -> ExitCode {
    run(Options::parse()).unwrap_or_else(|error| {
        simulator::report(error.as_ref());
        ExitCode::FAILURE
    })
}

fn run(options: Options) -> Result<ExitCode, Box<dyn Error>> {
    let lines = Lines::start()?;
    log(lines.clone());
    let runtime = runtime()?;
    let ended = runtime.block_on(simulator::run(options, lines.clone()));
    // Not when what blocks is done, too: a name may be looked up for long.
    runtime.shutdown_background();
    lines.end();
    Ok(ended?)
}

/// Half of the cores are for the functions, which take more than this program does.
fn runtime() -> io::Result<Runtime> {
    let cores = available_parallelism().map_or(1, NonZero::get);
    Builder::new_multi_thread()
        .worker_threads((cores / 2).max(1))
        .enable_all()
        .build()
}

/// Logs on standard error what this program itself has to say; what libraries say is for their authors.
fn log(lines: Lines) {
    let own = Targets::new().with_target(module_path!(), LevelFilter::INFO);
    let layer = fmt::layer()
        .with_writer(move || lines.clone())
        .with_target(false);
    tracing_subscriber::registry()
        .with(layer.with_filter(own))
        .init();
}
