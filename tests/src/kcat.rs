//! kcat, the command-line client on librdkafka: another implementation of everything.

use std::process::Stdio;

use tokio::io::AsyncWriteExt;
use tokio::process::Command;

use crate::wait::within;

/// Runs `kcat -b <brokers> <arguments>` with this input and returns its standard output.
///
/// # Panics
/// Panics with what it said where it fails, or does not end.
pub async fn kcat(brokers: &str, arguments: &[&str], input: &str) -> String {
    let mut child = Command::new("kcat")
        .args(["-b", brokers])
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("kcat is installed");
    let mut stdin = child.stdin.take().unwrap();
    // It may not want all of its input, which is no fault.
    let _ = stdin.write_all(input.as_bytes()).await;
    drop(stdin);
    let output = within("kcat", child.wait_with_output()).await.unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "kcat {arguments:?}: {stderr}");
    String::from_utf8(output.stdout).unwrap()
}
