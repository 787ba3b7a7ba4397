//! Hot reload: programs are replaced while messages come in.

use std::collections::BTreeSet;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::time::Duration;

use tests::binaries;
use tests::client::Client;
use tests::load::Load;
use tests::simulator::{Launch, Simulator};
use tests::wait::eventually;

/// How often the program is replaced.
const RELOADS: usize = 50;
/// Who sends meanwhile.
const CLIENTS: u32 = 8;
/// Between two messages of one of them.
const PAUSE: Duration = Duration::from_millis(5);

/// The programs that processes of the function run: each is a copy of its own.
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
        // The same program, but for a byte that nobody reads, takes its place as a linker's would.
        let next = folder.path().join("next");
        fs::copy(&original, &next).unwrap();
        let mut file = OpenOptions::new().append(true).open(&next).unwrap();
        file.write_all(&vec![0; reload]).unwrap();
        drop(file);
        fs::rename(&next, &program).unwrap();
        eventually("a reload", async || {
            let said = simulator.stderr();
            (said.matches("message: reloaded").count() == reload).then_some(())
        })
        .await;
        load.progress(10).await;
        last = eventually("a process of the new program", async || {
            copies(&simulator).difference(&seen).next().cloned()
        })
        .await;
        seen.insert(last.clone());
    }
    eventually("the last program only", async || {
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
async fn what_cannot_be_run_leaves_the_old_program_in_use() {
    let folder = tempfile::TempDir::new().unwrap();
    let program = folder.path().join("bootstrap");
    binaries::local_sim();
    fs::copy(binaries::target().join("release/message"), &program).unwrap();
    let launch = Launch::default().option("--function", &format!("message={}", program.display()));
    let simulator = launch.start(&["--watch"]).await;
    fs::remove_file(&program).unwrap();
    eventually("a complaint", async || {
        let said = simulator.stderr();
        let path = program.display().to_string();
        let complaint = said
            .lines()
            .find(|line| line.contains("the old version stays"))?;
        complaint.contains(&path).then_some(())
    })
    .await;
    tests::path::connect_message_disconnect(&simulator, &tests::path::Topics::prefixed("")).await;
    simulator.stop().await;
}

/// Puts the next program in its place, but for the second time, when it complains.
const CARGO: &str = r#"#!/bin/sh
builds=$(dirname "$0")/builds
echo >>"$builds"
count=$(($(wc -l <"$builds")))
case $count in
2) echo 'error: expected one of' >&2 && exit 101 ;;
esac
sed "s/BUILD/$count/" program >next && chmod +x next && mv next ../release/message
"#;

/// Answers with the number of the build that it is of.
fn numbered() -> String {
    let small = fs::read_to_string(binaries::function("small.sh")).unwrap();
    small.replace("\\\"$$\\\"", "\\\"BUILD\\\"")
}

#[tokio::test]
async fn a_change_of_the_source_is_built_and_where_that_fails_the_old_programs_stay() {
    let folder = tempfile::TempDir::new().unwrap();
    let [release, source] = ["release", "source"].map(|name| folder.path().join(name));
    let programs = source.join("functions/src/bin");
    fs::create_dir(&release).unwrap();
    fs::create_dir_all(&programs).unwrap();
    let program = release.join("local-sim");
    binaries::copy(binaries::local_sim(), &program);
    let cargo = folder.path().join("cargo");
    binaries::script(CARGO, &cargo);
    fs::write(source.join("program"), numbered()).unwrap();
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
