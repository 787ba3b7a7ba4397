//! Hot reload: programs are replaced under load.

use std::{
    collections::BTreeSet,
    fs::{self, OpenOptions},
    io::Write,
    time::Duration,
};

use tests::{
    binaries,
    client::Client,
    load::Load,
    simulator::{Launch, Simulator},
    wait::eventually,
};

/// How many times the program is replaced.
const RELOADS: usize = 50;
/// Clients that send messages meanwhile.
const CLIENTS: u32 = 8;
/// The pause between two messages of one client.
const PAUSE: Duration = Duration::from_millis(5);

/// Returns the programs that the function's processes run: each reload makes a new copy.
fn copies(simulator: &Simulator) -> BTreeSet<String> {
    let processes = simulator.function("/programs/message-");
    processes.into_iter().map(|it| it.command).collect()
}

#[tokio::test]
async fn fifty_reloads_under_load_lose_no_message() {
    let folder = tempfile::TempDir::new().unwrap();
    let program = folder.path().join("bootstrap");
    binaries::local_sim();
    let original = binaries::target().join("release/message");
    fs::copy(&original, &program).unwrap();
    let launch = Launch::default().option("--function", &format!("message={}", program.display()));
    let simulator = launch.start(&["--watch"]).await;
    let load = Load::start(&simulator.websocket, CLIENTS, PAUSE);
    load.progress(100).await;
    let mut seen = copies(&simulator);
    let mut last = String::new();
    for reload in 1..=RELOADS {
        // Append unused bytes to a copy, and rename it over the program as a linker does.
        let next = folder.path().join("next");
        fs::copy(&original, &next).unwrap();
        let mut file = OpenOptions::new().append(true).open(&next).unwrap();
        file.write_all(&vec![0; reload]).unwrap();
        drop(file);
        fs::rename(&next, &program).unwrap();
        eventually("the program is reloaded", async || {
            let stderr = simulator.stderr();
            (stderr.matches("message: reloaded").count() == reload).then_some(())
        })
        .await;
        load.progress(10).await;
        last = eventually("a process runs the new program", async || {
            copies(&simulator).difference(&seen).next().cloned()
        })
        .await;
        seen.insert(last.clone());
    }
    eventually("all processes run the last program", async || {
        (copies(&simulator) == BTreeSet::from([last.clone()])).then_some(())
    })
    .await;
    let account = load.end().await;
    assert!(account.refused.is_empty(), "{:?}", account.refused);
    assert_eq!((account.unanswered, account.connections_lost), (0, 0));
    assert!(account.messages.values().all(|fate| fate.acknowledged));
    simulator.stop().await;
}

#[tokio::test]
async fn a_removed_program_leaves_the_old_one_in_use() {
    let folder = tempfile::TempDir::new().unwrap();
    let program = folder.path().join("bootstrap");
    binaries::local_sim();
    fs::copy(binaries::target().join("release/message"), &program).unwrap();
    let launch = Launch::default().option("--function", &format!("message={}", program.display()));
    let simulator = launch.start(&["--watch"]).await;
    fs::remove_file(&program).unwrap();
    eventually("a warning names the program", async || {
        let stderr = simulator.stderr();
        let path = program.display().to_string();
        let warning = stderr
            .lines()
            .find(|line| line.contains("the old version stays"))?;
        warning.contains(&path).then_some(())
    })
    .await;
    tests::path::connect_message_disconnect(&simulator, &tests::path::Topics::prefixed("")).await;
    simulator.stop().await;
}

/// A fake `cargo` that installs the next program, except that its second build fails.
const CARGO: &str = r#"#!/bin/sh
builds=$(dirname "$0")/builds
echo >>"$builds"
count=$(($(wc -l <"$builds")))
case $count in
2) echo 'error: expected one of' >&2 && exit 101 ;;
esac
sed "s/BUILD/$count/" program >next && chmod +x next && mv next ../release/message
"#;

/// Returns a script that answers with its build number, which `CARGO` fills in.
fn numbered_program() -> String {
    let small = fs::read_to_string(binaries::function("small.sh")).unwrap();
    small.replace("\\\"$$\\\"", "\\\"BUILD\\\"")
}

#[tokio::test]
async fn source_changes_are_built_and_a_failed_build_keeps_the_old_programs() {
    let folder = tempfile::TempDir::new().unwrap();
    let [release, source] = ["release", "source"].map(|name| folder.path().join(name));
    let programs = source.join("functions/src/bin");
    fs::create_dir(&release).unwrap();
    fs::create_dir_all(&programs).unwrap();
    let program = release.join("local-sim");
    binaries::copy(binaries::local_sim(), &program);
    let cargo = folder.path().join("cargo");
    binaries::script(CARGO, &cargo);
    fs::write(source.join("program"), numbered_program()).unwrap();
    fs::write(programs.join("message.rs"), "1").unwrap();
    let path = format!("{}:/usr/bin:/bin", folder.path().display());
    let contract = "
routeSelectionExpression: $request.body.action
routes:
  $default: { function: message, topic: messages, routeResponse: true }
";
    let launch = Launch::default()
        .contract(contract)
        .program(&program)
        .building();
    let launch = launch.option("--source", &source.display().to_string());
    let simulator = launch.inherits("PATH", &path).start(&["--watch"]).await;
    let mut client = Client::connect(&simulator.websocket).await;
    client.send("which").await;
    assert_eq!(client.next().await, "1");

    fs::write(programs.join("message.rs"), "12").unwrap();
    simulator.says("error: expected one of").await;
    simulator.says("the build failed (exit status: 101)").await;
    client.send("which").await;
    assert_eq!(client.next().await, "1");

    fs::write(programs.join("message.rs"), "123").unwrap();
    simulator.says("message: reloaded").await;
    client.send("which").await;
    assert_eq!(client.next().await, "3");
    simulator.stop().await;
}
