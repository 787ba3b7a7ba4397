//! An HTTP server for tests: it says what it was told to say.

use std::{
    io::{Read, Write},
    net::{Ipv4Addr, TcpListener, TcpStream},
    sync::Arc,
    thread,
};

use parking_lot::Mutex;

/// A server on loopback that answers one request per connection.
pub(crate) struct Fake {
    pub(crate) port: u16,
    requests: Arc<Mutex<Vec<String>>>,
}

/// What a request is answered.
#[derive(Clone)]
pub(crate) enum Answer {
    /// These bytes, and the end of the connection.
    Raw(String),
    /// Nothing, until the client goes.
    Silence,
}

impl Answer {
    /// Status 200 and a body.
    pub(crate) fn ok(body: &str) -> Self {
        let length = body.len();
        Self::Raw(format!(
            "HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n{body}"
        ))
    }

    /// A status without a body.
    pub(crate) fn status(status: u16) -> Self {
        Self::Raw(format!("HTTP/1.1 {status} x\r\ncontent-length: 0\r\n\r\n"))
    }
}

impl Fake {
    /// Gives each connection one of the answers, in their order, and then is gone.
    pub(crate) fn answering<const N: usize>(answers: [Answer; N]) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&requests);
        thread::spawn(move || {
            for answer in answers {
                respond(listener.accept().unwrap().0, &answer, &seen);
            }
        });
        Self { port, requests }
    }

    /// The heads of the requests so far.
    pub(crate) fn requests(&self) -> Vec<String> {
        self.requests.lock().clone()
    }
}

fn respond(mut stream: TcpStream, answer: &Answer, seen: &Mutex<Vec<String>>) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        head.extend(byte);
    }
    seen.lock().push(String::from_utf8(head).unwrap());
    match answer {
        // The client may have gone when the answer is one that it cannot use.
        Answer::Raw(bytes) => drop(stream.write_all(bytes.as_bytes())),
        Answer::Silence => drop(stream.read_to_end(&mut Vec::new())),
    }
}
