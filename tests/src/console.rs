//! Client for a simulator's console: state, actions and the event stream.

use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

use crate::http::{self, Response};
use crate::net::Url;
use crate::simulator::Simulator;
use crate::wait::{eventually, within};

impl Simulator {
    /// Returns the JSON that the console serves at this path.
    ///
    /// # Panics
    /// Panics if the response is not successful.
    pub async fn look(&self, path: &str) -> Value {
        let url = format!("{}{path}", self.console);
        ok(&http::request("GET", &url, "").await)
    }

    /// Posts an action to the console and returns the JSON of the response.
    ///
    /// # Panics
    /// Panics if the response is not successful.
    pub async fn act(&self, path: &str, body: Value) -> Value {
        ok(&self.post(path, &body).await)
    }

    /// Posts an action that the console must reject; returns the status and the error message.
    ///
    /// # Panics
    /// Panics if the console accepts it.
    pub async fn refused(&self, path: &str, body: Value) -> (u16, String) {
        let answer = self.post(path, &body).await;
        assert_ne!(answer.status, 200, "{answer:?}");
        let json: Value = serde_json::from_str(&answer.body).unwrap();
        (answer.status, json["message"].as_str().unwrap().to_owned())
    }

    /// The ids of all open connections, oldest first.
    pub async fn connection_ids(&self) -> Vec<String> {
        let shown = self.look("/api/connections").await;
        let connections = shown["connections"].as_array().unwrap().iter();
        connections
            .map(|it| it["connectionId"].as_str().unwrap().to_owned())
            .collect()
    }

    /// Waits until this environment is idle, which may be later than the response to the client.
    pub async fn idle(&self, id: &str) {
        eventually(&format!("{id} to be idle"), async || {
            let shown = self.look("/api/environments").await;
            let mut environments = shown["environments"].as_array().unwrap().iter();
            let environment = environments.find(|it| it["id"] == id)?;
            (environment["state"] == "idle" || environment["state"] == "frozen").then_some(())
        })
        .await;
    }

    async fn post(&self, path: &str, body: &Value) -> Response {
        let headers = [("Content-Type".to_owned(), "application/json".to_owned())];
        let url = format!("{}{path}", self.console);
        http::send("POST", &url, &headers, body.to_string().as_bytes()).await
    }
}

fn ok(answer: &Response) -> Value {
    assert_eq!(answer.status, 200, "{answer:?}");
    serde_json::from_str(&answer.body).unwrap()
}

/// A client of the console's event stream.
#[derive(Debug)]
pub struct Events {
    stream: BufReader<TcpStream>,
}

impl Events {
    /// Opens the stream, which carries the events from now on.
    ///
    /// # Panics
    /// Panics if the response is not an event stream.
    pub async fn open(simulator: &Simulator) -> Self {
        let host = Url::parse(&simulator.console).host;
        let mut stream = TcpStream::connect(&host).await.unwrap();
        // A response to HTTP/1.0 is not chunked.
        let request = format!("GET /api/stream HTTP/1.0\r\nHost: {host}\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut events = Self {
            stream: BufReader::new(stream),
        };
        let status = events.line().await;
        assert!(status.ends_with(" 200 OK"), "{status}");
        let mut line = status;
        while !line.is_empty() {
            line = events.line().await;
        }
        assert_eq!(events.comment().await, "");
        events
    }

    /// The name and data of the next event. Comments are skipped.
    pub async fn next(&mut self) -> (String, Value) {
        let mut name = String::new();
        let mut data = String::new();
        loop {
            let line = self.line().await;
            match line.split_once(": ") {
                Some(("event", value)) => name = value.to_owned(),
                Some(("data", value)) => data.push_str(value),
                _ if line.is_empty() && !name.is_empty() => {
                    return (name, serde_json::from_str(&data).unwrap());
                }
                _ => {}
            }
        }
    }

    /// The next event with this name and for which `expected` holds.
    pub async fn find(&mut self, name: &str, expected: impl Fn(&Value) -> bool) -> Value {
        loop {
            let (found, value) = self.next().await;
            if found == name && expected(&value) {
                return value;
            }
        }
    }

    /// The text of the next comment.
    ///
    /// # Panics
    /// Panics if the next line is not a comment.
    pub async fn comment(&mut self) -> String {
        let line = self.line().await;
        let comment = line.strip_prefix(':');
        let comment = comment.unwrap_or_else(|| panic!("not a comment: {line}"));
        assert_eq!(self.line().await, "");
        comment.trim().to_owned()
    }

    async fn line(&mut self) -> String {
        let mut line = String::new();
        let read = within("a line", self.stream.read_line(&mut line)).await;
        assert_ne!(read.unwrap(), 0, "the stream has ended");
        line.trim_end_matches(['\r', '\n']).to_owned()
    }
}
