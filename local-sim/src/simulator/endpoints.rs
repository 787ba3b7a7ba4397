//! Where everything is, and how that is said.

use std::{
    io::{self, IsTerminal as _, Write as _},
    net::SocketAddr,
};

use super::cluster::Cluster;

/// What a user connects to.
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

    /// Prints the lines that scripts read; on a terminal, one more that a user can paste.
    pub fn print(&self) {
        let Self {
            websocket,
            stage,
            kafka,
            console,
        } = self;
        let mut out = io::stdout().lock();
        let lines = format!(
            "websocket    {websocket}\nconnections  {stage}/@connections\nkafka        {kafka}\nconsole      {console}\n"
        );
        // Nobody reads: then nobody misses it.
        let _ = out.write_all(lines.as_bytes()).and_then(|()| out.flush());
        if out.is_terminal() {
            let _ = writeln!(
                io::stderr(),
                "\nSend a first message:\n  npx wscat --connect {websocket} --wait 1 --execute '{FIRST_MESSAGE}'"
            );
        }
    }
}

const FIRST_MESSAGE: &str = r#"{"action":"chat","room":"r1","text":"hi","id":"1"}"#;
