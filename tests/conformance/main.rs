//! Conformance with API Gateway: a test for each row of the table in `README.md`, named after it.
//!
//! They run against `local-sim`, and against any other gateway that `CONFORMANCE_WS` and
//! `CONFORMANCE_HTTP` name. What they say is said to the probe, a function that does what it is told.

#![expect(
    clippy::unwrap_used,
    reason = "what a test relies on ends it where it fails"
)]

mod api;
mod endpoints;
mod handshake;
mod integration;
mod report;
mod routing;
mod socket;
mod suite;

use std::process::ExitCode;
use std::sync::Arc;

use libtest_mimic::Arguments;

use self::suite::{Suite, Test};

/// Tests wait far more than they compute.
const TESTS_AT_ONCE: usize = 8;

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    arguments.test_threads.get_or_insert(TESTS_AT_ONCE);
    let tests = tests();
    let suite = Arc::new(Suite::new(&tests));
    let trials = tests.into_iter().map(|test| test.trial(&suite)).collect();
    let conclusion = libtest_mimic::run(&arguments, trials);
    if conclusion.has_failed() {
        show_logs(&suite);
    }
    conclusion.exit_code()
}

fn tests() -> Vec<Test> {
    [
        endpoints::tests(),
        handshake::tests(),
        routing::tests(),
        integration::tests(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

#[expect(
    clippy::print_stderr,
    reason = "a failed test shows what the simulator said"
)]
fn show_logs(suite: &Suite) {
    for (name, log) in suite.logs() {
        eprintln!("--- local-sim of {name}\n{log}---");
    }
}
