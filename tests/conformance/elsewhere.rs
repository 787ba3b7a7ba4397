//! The suite itself, aimed at another gateway: here a simulator that it has not started.

use std::collections::BTreeMap;
use std::env;
use std::process::Command;

use libtest_mimic::{Completion, Trial};
use tests::sigv4::Signer;
use tokio::runtime::Runtime;

use crate::api::{Api, STANDARD};
use crate::suite::{Run, Test};

const NAME: &str = "elsewhere_the_suite_runs_against_any_gateway";

/// Runs the suite again, against an API that only variables name. Each test must pass that needs nothing else; all
/// others must be left out by name.
pub(crate) fn trial(tests: &[Test]) -> Trial {
    let expected: BTreeMap<&str, &str> = tests
        .iter()
        .map(|test| match test.run {
            Run::On(deployment, _) if deployment.name == STANDARD.name => (test.name, "ok"),
            Run::On(..) | Run::Simulated(_) => (test.name, "ignored"),
        })
        .collect();
    Trial::ignorable_test(NAME, move || {
        if Api::is_elsewhere() {
            return Ok(Completion::ignored_with("it is aimed at a gateway already"));
        }
        check(&expected);
        Ok(Completion::Completed)
    })
}

fn check(expected: &BTreeMap<&str, &str>) {
    let runtime = Runtime::new().unwrap();
    let api = runtime.block_on(STANDARD.simulate(&[]));
    let Signer {
        access_key_id,
        secret_access_key,
        region,
        ..
    } = &api.signer;
    let output = Command::new(env::current_exe().unwrap())
        .args(["--color", "never", "--skip", "table_"])
        .env("CONFORMANCE_WS", &api.websocket)
        .env("CONFORMANCE_HTTP", format!("{}/@connections", api.endpoint))
        .env("AWS_ACCESS_KEY_ID", access_key_id)
        .env("AWS_SECRET_ACCESS_KEY", secret_access_key)
        .env("AWS_REGION", region)
        .output()
        .unwrap();
    let [out, err] = [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes));
    assert!(output.status.success(), "{out}\n{err}");
    let found: BTreeMap<&str, &str> = out.lines().filter_map(outcome).collect();
    for (name, expected) in expected {
        assert_eq!(found.get(name), Some(expected), "{name}\n{out}");
    }
}

/// The name of a test and what came of it, from a line such as `test NAME ... ignored (why)`.
fn outcome(line: &str) -> Option<(&str, &str)> {
    let (name, outcome) = line.strip_prefix("test ")?.split_once(" ... ")?;
    Some((name.trim(), outcome.split(' ').next()?))
}
