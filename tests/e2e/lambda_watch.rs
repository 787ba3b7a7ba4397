//! Hot reload: programs are replaced while messages come in.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::time::Duration;

use tests::binaries;
use tests::load::Load;
use tests::simulator::Launch;
use tests::wait::eventually;

/// How often the program is replaced.
const RELOADS: usize = 50;
/// Who sends meanwhile.
const CLIENTS: u32 = 8;
/// Between two messages of one of them.
const PAUSE: Duration = Duration::from_millis(5);

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
    }
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
        said.contains("the one before stays").then_some(())
    })
    .await;
    tests::path::connect_message_disconnect(&simulator, &tests::path::Topics::prefixed("")).await;
    simulator.stop().await;
}
