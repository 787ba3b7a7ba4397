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
use local_sim::{Log, LogLayer, Options, Simulator};
use tokio::runtime::{Builder, Runtime};
use tracing_subscriber::{layer::SubscriberExt as _, util::SubscriberInitExt as _};

use crate::signals::Signals;

fn main() -> ExitCode {
    run(Options::parse()).unwrap_or_else(|error| {
        report(error.as_ref());
        ExitCode::FAILURE
    })
}

fn run(options: Options) -> Result<ExitCode, Box<dyn Error>> {
    let log = Log::start(options.log, options.quiet)?;
    tracing_subscriber::registry()
        .with(LogLayer::new(log.clone()))
        .init();
    let runtime = runtime()?;
    let ended = runtime.block_on(serve(options, log.clone()));
    // A blocking task, such as a DNS lookup, must not delay the end.
    runtime.shutdown_background();
    log.flush();
    ended
}

/// Runs the simulator until the first signal, then ends it in order; the second signal ends it at once.
async fn serve(options: Options, log: Log) -> Result<ExitCode, Box<dyn Error>> {
    let mut signals = Signals::new()?;
    let ready_json = options.ready_json;
    let simulator = tokio::select! {
        started = Simulator::start_with(options, log.clone()) => started?,
        () = signals.next() => return Ok(ExitCode::SUCCESS),
    };
    if ready_json {
        simulator.endpoints().print_json();
    } else {
        simulator.endpoints().print();
    }
    signals.next().await;
    let code = tokio::select! {
        () = simulator.end() => ExitCode::SUCCESS,
        () = signals.next() => ExitCode::FAILURE,
    };
    log.summarize();
    Ok(code)
}

/// Half of the cores are for the functions, which need more than this program.
fn runtime() -> io::Result<Runtime> {
    let cores = available_parallelism().map_or(1, NonZero::get);
    Builder::new_multi_thread()
        .worker_threads((cores / 2).max(1))
        .enable_all()
        .build()
}

/// Prints in one line on standard error why the simulator does not start.
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
