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

/// A shell that runs the one command of the README that begins like this, about this connection.
///
/// # Panics
/// Panics where there is none, or more than one.
pub fn shell(beginning: &str, simulator: &Simulator, id: &str) -> Command {
    let readme = fs::read_to_string(binaries::root().join("README.md")).unwrap();
    let readme = readme.replace("\\\n", "");
    let mut commands = readme.lines().filter(|line| line.starts_with(beginning));
    let command = commands.next();
    let command = command.unwrap_or_else(|| panic!("the README has no {beginning}"));
    assert_eq!(commands.next(), None, "the README has several {beginning}");
    let command = command
        .replace(ID, id.trim_end_matches('='))
        .replace(GATEWAY, &Url::parse(&simulator.websocket).host)
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
