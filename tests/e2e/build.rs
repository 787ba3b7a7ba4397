//! Building the functions before they run, with a fake `cargo`.

use std::{
    fs,
    process::{Command, Output},
};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use tests::{
    binaries,
    path::{self, Topics},
    process::Process,
    simulator::{Launch, none_left},
    wait::eventually,
};

/// Runs the simulator with the shipped contract; see [`command`] for `cargo`.
fn run_with(cargo: Option<&str>) -> Output {
    run_contract(
        cargo,
        &fs::read_to_string(binaries::root().join("gateway.yaml")).unwrap(),
    )
}

/// Runs the simulator with this contract; see [`command`] for `cargo`.
fn run_contract(cargo: Option<&str>, contract: &str) -> Output {
    let folder = TempDir::new().unwrap();
    command(&folder, cargo, contract).output().unwrap()
}

/// Returns the command that runs a copy of the simulator from `folder/release`.
///
/// Its `PATH` contains only `folder`, which holds the script `cargo` if there is one.
fn command(folder: &TempDir, cargo: Option<&str>, contract: &str) -> Command {
    let release = folder.path().join("release");
    fs::create_dir(&release).unwrap();
    let program = release.join("local-sim");
    binaries::copy(binaries::local_sim(), &program);
    if let Some(script) = cargo {
        binaries::script(script, &folder.path().join("cargo"));
    }
    let path = folder.path().join("gateway.yaml");
    fs::write(&path, contract).unwrap();
    let mut command = Command::new(program);
    command
        .arg("--contract")
        .arg(&path)
        .args(["--listen", "127.0.0.1:0", "--kafka-listen", "127.0.0.1:0"])
        .args(["--console", "127.0.0.1:0"])
        .current_dir(binaries::root())
        .env("PATH", folder.path());
    command
}

fn stderr(output: &Output) -> String {
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(output.stdout.is_empty(), "{output:?}");
    String::from_utf8(output.stderr.clone()).unwrap()
}

#[test]
fn a_failed_build_shows_cargos_errors() {
    let output = run_with(Some(
        "#!/bin/sh\necho 'error: expected one of' >&2\nexit 101\n",
    ));
    let stderr = stderr(&output);
    let lines: Vec<&str> = stderr.lines().collect();
    assert!(lines[0].contains("building the functions"), "{stderr}");
    assert_eq!(lines[1], "error: expected one of");
    assert_eq!(lines.len(), 3, "{stderr}");
    assert!(lines[2].contains("cannot build the functions"), "{stderr}");
}

#[test]
fn a_build_uses_the_simulators_profile_and_builds_the_contracts_functions() {
    let output = run_with(Some("#!/bin/sh\necho \"$@\" >&2\nexit 101\n"));
    let stderr = stderr(&output);
    for expected in [
        "--profile release",
        "--bin connect",
        "--bin disconnect",
        "--bin message",
        "--package sluice-push",
        "--bin push",
    ] {
        assert!(stderr.contains(expected), "{expected} is missing: {stderr}");
    }
}

#[test]
fn only_the_packages_of_the_contracts_functions_are_built() {
    let cargo_arguments = |function: &str| {
        let contract = format!(
            "routeSelectionExpression: $request.body.action\nroutes:\n  $default: {{ function: {function}, topic: t }}\n"
        );
        let cargo = "#!/bin/sh\necho \"$@\" >&2\nexit 101\n";
        stderr(&run_contract(Some(cargo), &contract))
    };
    let message = cargo_arguments("message");
    assert!(
        message.contains("--package functions") && !message.contains("push"),
        "{message}"
    );
    let push = cargo_arguments("push");
    assert!(
        push.contains("--package sluice-push") && push.contains("--bin push"),
        "{push}"
    );
    assert!(!push.contains("--package functions"), "{push}");
}

#[test]
fn without_cargo_the_error_suggests_no_build() {
    let stderr = stderr(&run_with(None));
    assert_eq!(stderr.lines().count(), 2, "{stderr}");
    assert!(stderr.contains("--no-build"), "{stderr}");
}

#[tokio::test]
async fn a_signal_stops_the_build_and_leaves_no_process_or_file_behind() {
    let (folder, temporary) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let contract = fs::read_to_string(binaries::root().join("gateway.yaml")).unwrap();
    let cargo = "#!/bin/sh\nexec /bin/sleep 60\n";
    let mut command = command(&folder, Some(cargo), &contract);
    let mut child = command.env("TMPDIR", temporary.path()).spawn().unwrap();
    let building = eventually("the build runs", async || {
        let building = Process::descendants(child.id());
        let has_begun = building.iter().any(|it| it.command.contains("sleep"));
        has_begun.then_some(building)
    })
    .await;
    kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
    let status = eventually("the simulator exits", async || child.try_wait().unwrap()).await;
    assert_eq!(status.code(), Some(0));
    none_left(&building).await;
    assert_eq!(fs::read_dir(temporary.path()).unwrap().count(), 0);
}

#[tokio::test]
async fn an_unpacked_release_runs_the_functions_beside_it() {
    let folder = TempDir::new().unwrap();
    let program = folder.path().join("local-sim");
    binaries::release(folder.path());
    // Without cargo, and where nothing else of the workspace is.
    let launch = || Launch::default().program(&program).building();
    let simulator = launch().inherits("PATH", "").start(&[]).await;
    path::connect_message_disconnect(&simulator, &Topics::prefixed("")).await;
    assert!(!simulator.stderr().contains("building"));
    let beside = folder.path().display().to_string();
    let message = simulator.function("message").remove(0);
    assert!(message.command.starts_with(&beside), "{message:?}");
    simulator.stop().await;
}
