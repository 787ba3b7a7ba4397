//! Runs kcat, the command-line client based on librdkafka, as an independent implementation.

use std::process::Stdio;

use tokio::io::AsyncWriteExt;
use tokio::process::Command;

use crate::wait::within;

/// Runs `kcat -b <brokers> <arguments>` with this input and returns its standard output.
///
/// # Panics
/// Panics with its standard error if it fails, or on timeout.
pub async fn kcat(brokers: &str, arguments: &[&str], input: &str) -> String {
    let mut child = Command::new("kcat")
        .args(["-b", brokers])
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("kcat cannot be started (install kcat)");
    let mut stdin = child.stdin.take().unwrap();
    // kcat may exit before it has read all of its input.
    let _ = stdin.write_all(input.as_bytes()).await;
    drop(stdin);
    let output = within("kcat", child.wait_with_output()).await.unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "kcat {arguments:?}: {stderr}");
    String::from_utf8(output.stdout).unwrap()
}
