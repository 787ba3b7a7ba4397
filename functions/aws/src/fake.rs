//! An HTTP server for tests: it says what it was told to say.

use std::{
    io::{Read, Write},
    net::{Ipv4Addr, TcpListener, TcpStream},
    sync::{Arc, Mutex},
    thread,
};

/// A server on loopback that answers one request per connection.
#[derive(Debug)]
pub struct Fake {
    /// Where it listens.
    pub port: u16,
    requests: Arc<Mutex<Vec<String>>>,
}

/// What a request is answered.
#[derive(Clone, Debug)]
pub enum Answer {
    /// These bytes, and the end of the connection.
    Raw(String),
    /// Nothing, until the client goes.
    Silence,
}

impl Answer {
    /// Status 200 and a body.
    pub fn ok(body: &str) -> Self {
        let length = body.len();
        Self::Raw(format!(
            "HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n{body}"
        ))
    }

    /// A status without a body.
    pub fn status(status: u16) -> Self {
        Self::Raw(format!("HTTP/1.1 {status} x\r\ncontent-length: 0\r\n\r\n"))
    }
}

impl Fake {
    /// Gives each connection one of the answers, in their order, and then is gone.
    ///
    /// # Panics
    /// There is no port to listen on.
    pub fn answering<const N: usize>(answers: [Answer; N]) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let port = listener.local_addr().expect("a port").port();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&requests);
        thread::spawn(move || {
            for answer in answers {
                respond(listener.accept().expect("a client").0, &answer, &seen);
            }
        });
        Self { port, requests }
    }

    /// The heads of the requests so far.
    ///
    /// # Panics
    /// A request was no text.
    pub fn requests(&self) -> Vec<String> {
        self.requests.lock().expect("requests").clone()
    }
}

fn respond(mut stream: TcpStream, answer: &Answer, seen: &Mutex<Vec<String>>) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).expect("a request");
        head.extend(byte);
    }
    let head = String::from_utf8(head).expect("text");
    seen.lock().expect("requests").push(head);
    match answer {
        // The client may have gone when the answer is one that it cannot use.
        Answer::Raw(bytes) => drop(stream.write_all(bytes.as_bytes())),
        Answer::Silence => drop(stream.read_to_end(&mut Vec::new())),
    }
}
