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
mod topics;
mod variables;
mod watch;

use std::{io, num::NonZero, process::ExitCode, thread::available_parallelism};

use clap::Parser as _;
use tokio::runtime::{Builder, Runtime};
use tracing::level_filters::LevelFilter;
use tracing_subscriber::{
    Layer as _, filter::Targets, fmt, layer::SubscriberExt as _, util::SubscriberInitExt as _,
};

fn main() -> ExitCode {
    let options = cli::Options::parse();
    log();
    let runtime = match runtime() {
        Ok(runtime) => runtime,
        Err(error) => {
            simulator::report(&error);
            return ExitCode::FAILURE;
        }
    };
    match runtime.block_on(simulator::run(options)) {
        Ok(code) => code,
        Err(error) => {
            simulator::report(&error);
            ExitCode::FAILURE
        }
    }
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
fn log() {
    let own = Targets::new().with_target(module_path!(), LevelFilter::INFO);
    let lines = fmt::layer().with_writer(io::stderr).with_target(false);
    tracing_subscriber::registry()
        .with(lines.with_filter(own))
        .init();
}
