//! The endpoints that a user connects to.

use std::{
    io::{self, IsTerminal as _, Write as _},
    net::SocketAddr,
};

use serde_json::json;

use super::cluster::Cluster;

/// The endpoints of a simulator.
#[derive(Debug, Clone)]
pub struct Endpoints {
    /// The URL of the stage, for WebSocket clients.
    pub websocket: String,
    /// The URL of the stage, for `@connections`.
    pub stage: String,
    /// The bootstrap brokers: `host:port,…`.
    pub kafka: String,
    /// The URL of the console.
    pub console: String,
}

impl Endpoints {
    pub(super) fn new(
        address: SocketAddr,
        stage: &str,
        cluster: &Cluster,
        console: SocketAddr,
    ) -> Self {
        Self {
            websocket: format!("ws://{address}/{stage}"),
            stage: format!("http://{address}/{stage}"),
            kafka: cluster.brokers.clone(),
            console: format!("http://{console}"),
        }
    }

    /// Prints the endpoints on standard output, one a line; on a terminal, also a command to paste.
    pub fn print(&self) {
        let Self {
            websocket,
            stage,
            kafka,
            console,
        } = self;
        Self::write(&format!(
            "websocket    {websocket}\nconnections  {stage}/@connections\nkafka        {kafka}\nconsole      {console}\n"
        ));
        if io::stdout().is_terminal() {
            let _ = writeln!(
                io::stderr(),
                "\nSend a first message:\n  npx -y wscat --connect {websocket} --wait 1 --execute '{FIRST_MESSAGE}'\n"
            );
        }
    }

    /// Prints the endpoints on standard output as one JSON object in one line.
    pub fn print_json(&self) {
        let object = json!({
            "websocket": self.websocket,
            "connections": format!("{}/@connections", self.stage),
            "kafka": self.kafka,
            "console": self.console,
        });
        Self::write(&format!("{object}\n"));
    }

    /// A closed standard output is no reason to stop.
    fn write(text: &str) {
        let mut out = io::stdout().lock();
        let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    }
}

const FIRST_MESSAGE: &str = r#"{"action":"chat","room":"r1","text":"hi","id":"1"}"#;
