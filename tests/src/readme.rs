//! What the README has a new user type, with a simulator's own addresses in it.

use std::fs;
use std::process::Stdio;

use tokio::process::Command;

use crate::binaries;
use crate::net::Url;
use crate::simulator::Simulator;

/// The connection that the README speaks of, and its id as URLs have it.
const ID: &str = "R1kmxc2VNjMCFIA";

/// The places that local-sim has where nobody says otherwise.
const GATEWAY: &str = "127.0.0.1:3001";
const KAFKA: &str = "127.0.0.1:9092";
const CONSOLE: &str = "127.0.0.1:3002";

/// A shell that runs the one command of the README that begins like this, about this connection.
///
/// # Panics
/// Panics where there is none, or more than one.
pub fn shell(beginning: &str, simulator: &Simulator, id: &str) -> Command {
    let mut lines = lines(|line| line.starts_with(beginning)).into_iter();
    let line = lines.next();
    let line = line.unwrap_or_else(|| panic!("the README has no {beginning}"));
    assert_eq!(lines.next(), None, "the README has several {beginning}");
    paste(&line, simulator, id)
}

/// The lines of the README that talk to the console, in their order.
pub fn console() -> Vec<String> {
    lines(|line| line.starts_with("curl ") && line.contains(CONSOLE))
}

fn lines(is_meant: impl Fn(&str) -> bool) -> Vec<String> {
    let readme = fs::read_to_string(binaries::root().join("README.md")).unwrap();
    let readme = readme.replace("\\\n", "");
    let meant = readme.lines().filter(|line| is_meant(line));
    meant.map(str::to_owned).collect()
}

/// A shell that runs this line of the README, about this connection.
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
