//! Conformance with API Gateway: a test for each row of the table in `README.md`, named after it.
//!
//! They run against `local-sim`, and against any other gateway that `CONFORMANCE_WS` and
//! `CONFORMANCE_HTTP` name. What they say is said to the probe, a function that does what it is told.

#![expect(
    clippy::unwrap_used,
    reason = "what a test relies on ends it where it fails"
)]

mod api;
mod authorization;
mod close;
mod elsewhere;
mod endpoints;
mod events;
mod handshake;
mod ids;
mod integration;
mod keep_alive;
mod limits;
mod logging;
mod management;
mod open;
mod recorded;
mod report;
mod routing;
mod socket;
mod suite;
mod table;

use std::process::ExitCode;
use std::sync::Arc;

use libtest_mimic::{Arguments, Trial};
use tests::process::raise_descriptor_limit;

use self::suite::{Suite, Test};
use self::table::Names;

/// Tests wait far more than they compute.
const TESTS_AT_ONCE: usize = 8;

fn main() -> ExitCode {
    raise_descriptor_limit();
    let mut arguments = Arguments::from_args();
    arguments.test_threads.get_or_insert(TESTS_AT_ONCE);
    let tests = tests();
    let suite = Arc::new(Suite::new(&tests));
    let names = names(&tests);
    let elsewhere = elsewhere::trial(&tests);
    let mut trials: Vec<Trial> = tests.into_iter().map(|test| test.trial(&suite)).collect();
    trials.push(elsewhere);
    trials.extend(checks_of_the_table(names));
    let conclusion = libtest_mimic::run(&arguments, trials);
    if conclusion.has_failed() {
        show_logs(&suite);
    }
    conclusion.exit_code()
}

/// The names of the tests of each row.
fn names(tests: &[Test]) -> Names {
    let mut names = Names::new();
    for test in tests {
        names.entry(test.row()).or_default().push(test.name);
    }
    names
}

fn checks_of_the_table(names: Names) -> [Trial; 2] {
    let same = names.clone();
    [
        Trial::test("table_every_row_has_a_test_or_a_reason", move || {
            table::check_rows(&names);
            Ok(())
        }),
        Trial::test("table_the_readme_shows_it_as_it_is", move || {
            table::check_readme(&same);
            Ok(())
        }),
    ]
}

fn tests() -> Vec<Test> {
    [
        endpoints::tests(),
        handshake::tests(),
        authorization::tests(),
        routing::tests(),
        integration::tests(),
        events::tests(),
        recorded::tests(),
        ids::tests(),
        limits::tests(),
        close::tests(),
        keep_alive::tests(),
        management::tests(),
        logging::tests(),
        open::tests(),
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
