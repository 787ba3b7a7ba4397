//! Runs the READMEs' commands with the addresses of a simulator.

use std::fs;
use std::process::Stdio;

use tokio::process::Command;

use crate::binaries;
use crate::net::Url;
use crate::simulator::Simulator;

/// The connection id in the READMEs, without its `=`, which URLs encode.
const ID: &str = "R1kmxc2VNjMCFIA";

/// The READMEs that contain commands.
const READMES: [&str; 3] = ["README.md", "functions/README.md", "local-sim/README.md"];
/// The default addresses of local-sim.
const GATEWAY: &str = "127.0.0.1:3001";
const KAFKA: &str = "127.0.0.1:9092";
const CONSOLE: &str = "127.0.0.1:3002";

/// A shell command: the only one in the READMEs with this beginning, for this connection.
///
/// # Panics
/// Panics if there is none, or more than one.
pub fn shell(beginning: &str, simulator: &Simulator, id: &str) -> Command {
    let mut lines = lines(|line| line.starts_with(beginning)).into_iter();
    let line = lines.next();
    let line = line.unwrap_or_else(|| panic!("the READMEs have no {beginning}"));
    assert_eq!(lines.next(), None, "the READMEs have several {beginning}");
    paste(&line, simulator, id)
}

/// The console requests in the READMEs, in order.
pub fn console() -> Vec<String> {
    lines(|line| line.starts_with("curl ") && line.contains(CONSOLE))
}

fn text() -> String {
    let read = |path| fs::read_to_string(binaries::root().join(path)).unwrap();
    READMES.map(read).concat()
}

fn lines(is_meant: impl Fn(&str) -> bool) -> Vec<String> {
    let text = text().replace("\\\n", "");
    let meant = text.lines().filter(|line| is_meant(line));
    meant.map(str::to_owned).collect()
}

/// The code block of the READMEs with this beginning.
///
/// # Panics
/// If there is none.
pub fn block(beginning: &str) -> String {
    let text = text();
    let start = text.find(&format!("\n{beginning}"));
    let start = start.unwrap_or_else(|| panic!("the READMEs have no block {beginning}")) + 1;
    let end = text[start..].find("```").expect("an end of the block");
    text[start..start + end].to_owned()
}

/// A shell that runs this line of a README, for this connection.
pub fn paste(line: &str, simulator: &Simulator, id: &str) -> Command {
    let command = line
        .replace(ID, id.trim_end_matches('='))
        .replace(GATEWAY, &Url::parse(&simulator.websocket).host)
        .replace(CONSOLE, &Url::parse(&simulator.console).host)
        .replace(KAFKA, &simulator.kafka);
    let mut shell = Command::new("sh");
    shell
        .args(["-c", &command])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    shell
}
