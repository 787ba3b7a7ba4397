//! `local-sim`, the command: see the crate's documentation.

mod signals;

use std::{
    error::Error,
    io::{self, Write as _},
    num::NonZero,
    process::ExitCode,
    thread::available_parallelism,
};

use clap::Parser as _;
use local_sim::{Lines, Options, Simulator};
use tokio::runtime::{Builder, Runtime};
use tracing::level_filters::LevelFilter;
use tracing_subscriber::{
    Layer as _, filter::Targets, fmt, layer::SubscriberExt as _, util::SubscriberInitExt as _,
};

use crate::signals::Signals;

fn main() -> ExitCode {
    run(Options::parse()).unwrap_or_else(|error| {
        report(error.as_ref());
        ExitCode::FAILURE
    })
}

fn run(options: Options) -> Result<ExitCode, Box<dyn Error>> {
    let lines = Lines::start()?;
    log(lines.clone());
    let runtime = runtime()?;
    let ended = runtime.block_on(serve(options, lines.clone()));
    // A blocking task, such as a look-up of a name, must not hold up the end.
    runtime.shutdown_background();
    lines.end();
    ended
}

/// Runs the simulator until the first signal, then ends it in order; the second signal ends it at once.
async fn serve(options: Options, lines: Lines) -> Result<ExitCode, Box<dyn Error>> {
    let mut signals = Signals::new()?;
    let simulator = tokio::select! {
        started = Simulator::start_logging_to(options, lines) => started?,
        () = signals.next() => return Ok(ExitCode::SUCCESS),
    };
    simulator.endpoints().print();
    signals.next().await;
    Ok(tokio::select! {
        () = simulator.end() => ExitCode::SUCCESS,
        () = signals.next() => ExitCode::FAILURE,
    })
}

/// Half of the cores are for the functions, which take more than this program does.
fn runtime() -> io::Result<Runtime> {
    let cores = available_parallelism().map_or(1, NonZero::get);
    Builder::new_multi_thread()
        .worker_threads((cores / 2).max(1))
        .enable_all()
        .build()
}

/// Logs on standard error what this program's own crates say; libraries' logs are for their authors.
fn log(lines: Lines) {
    let own = Targets::new().with_target(module_path!(), LevelFilter::INFO);
    let layer = fmt::layer()
        .with_writer(move || lines.clone())
        .with_target(false);
    tracing_subscriber::registry()
        .with(layer.with_filter(own))
        .init();
}

/// Says on standard error, in one line, why the simulator does not start.
fn report(error: &dyn Error) {
    let mut line = format!("local-sim: {error}");
    let mut cause = error.source();
    while let Some(error) = cause {
        let text = error.to_string();
        // Libraries often repeat their own cause.
        if !line.contains(&text) {
            line = format!("{line}: {text}");
        }
        cause = error.source();
    }
    let _ = writeln!(io::stderr(), "{line}");
}
