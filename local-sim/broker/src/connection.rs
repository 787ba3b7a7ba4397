//! Serves one connection: reads requests and writes responses, in order.
//!
//! As in Kafka, the broker answers a request before it reads the next one, so a long fetch delays
//! the requests behind it.

use std::{io, time::Duration};

use bytes::{Buf, Bytes, BytesMut};
use thiserror::Error;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

use super::{
    cluster::{Cluster, Endpoints},
    limits::{
        IDLE_MAX, READ_BYTES_MAX, READ_BYTES_MIN, REQUEST_BYTES_MAX, REQUEST_TIMEOUT,
        RESPONSE_TIMEOUT,
    },
    request::{self, RequestError},
};

/// Why the broker closed a connection.
#[derive(Debug, Error)]
pub(crate) enum ConnectionError {
    /// The connection failed, or the client closed it in the middle of a request.
    #[error("connection lost")]
    Io(#[from] io::Error),
    /// The request is invalid, or is answered by closing the connection.
    #[error(transparent)]
    Request(#[from] RequestError),
    /// The length prefix of a request is out of range. The client may not speak Kafka.
    #[error(
        "invalid request length {0}, must be 1 to {REQUEST_BYTES_MAX} bytes (does the client use TLS?)"
    )]
    RequestLength(i32),
    /// The client stopped in the middle of a request, or does not read its response.
    #[error("{operation} timed out after {limit:?}")]
    TimedOut {
        operation: &'static str,
        limit: Duration,
    },
}

/// Serves a client until it disconnects or is idle for too long.
///
/// # Errors
/// Fails if the connection is lost, times out, or is closed because of an invalid request.
pub(crate) async fn serve(mut socket: TcpStream, cluster: &Cluster) -> Result<(), ConnectionError> {
    socket.set_nodelay(true)?;
    let endpoints = Endpoints {
        advertised: socket.local_addr()?,
        client: socket.peer_addr()?,
    };
    let mut unread = BytesMut::new();
    while let Some(request) = read_request(&mut socket, &mut unread).await? {
        let handled = request::handle(cluster, endpoints, request).await?;
        if let Some(response) = handled.response {
            let written = timeout(RESPONSE_TIMEOUT, socket.write_all(&response)).await;
            written.map_err(|_| ConnectionError::TimedOut {
                operation: "writing a response",
                limit: RESPONSE_TIMEOUT,
            })??;
        }
        if let Some(throttle) = handled.throttle {
            throttle.pass().await;
        }
    }
    Ok(())
}

/// Reads the next request, without its length.
///
/// Returns `None` if the client disconnected or was idle for too long.
async fn read_request(
    socket: &mut TcpStream,
    unread: &mut BytesMut,
) -> Result<Option<Bytes>, ConnectionError> {
    if unread.is_empty() {
        match timeout(IDLE_MAX, begin_request(socket, unread)).await {
            Ok(Ok(1..)) => {}
            Ok(Ok(0)) | Err(_) => return Ok(None),
            Ok(Err(err)) => return Err(err.into()),
        }
    }
    let timed_out = ConnectionError::TimedOut {
        operation: "reading a request",
        limit: REQUEST_TIMEOUT,
    };
    let completed = timeout(REQUEST_TIMEOUT, complete_request(socket, unread));
    completed.await.map_err(|_| timed_out)?.map(Some)
}

/// Reads the first bytes of a request and returns their number, 0 at the end of the stream.
///
/// The buffer is allocated only once the socket is readable, so idle connections hold none.
async fn begin_request(socket: &TcpStream, unread: &mut BytesMut) -> io::Result<usize> {
    loop {
        socket.readable().await?;
        unread.reserve(READ_BYTES_MIN);
        match socket.try_read_buf(unread) {
            Err(err) if err.kind() == io::ErrorKind::WouldBlock => *unread = BytesMut::new(),
            read => return read,
        }
    }
}

async fn complete_request(
    socket: &mut TcpStream,
    unread: &mut BytesMut,
) -> Result<Bytes, ConnectionError> {
    loop {
        let missing = match request_length(unread)? {
            Some(length) if unread.len() >= LENGTH_BYTES + length => {
                unread.advance(LENGTH_BYTES);
                return Ok(take_request(unread, length));
            }
            Some(length) => LENGTH_BYTES + length - unread.len(),
            None => 0,
        };
        unread.reserve(missing.clamp(READ_BYTES_MIN, READ_BYTES_MAX));
        if socket.read_buf(unread).await? == 0 {
            return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
        }
    }
}

/// Parses the length prefix of a request. `None` if it is not complete yet.
fn request_length(unread: &[u8]) -> Result<Option<usize>, ConnectionError> {
    let Some(length) = unread.first_chunk().map(|bytes| i32::from_be_bytes(*bytes)) else {
        return Ok(None);
    };
    match usize::try_from(length) {
        Ok(bytes @ 1..=REQUEST_BYTES_MAX) => Ok(Some(bytes)),
        _ => Err(ConnectionError::RequestLength(length)),
    }
}

/// Takes a request out of the buffer.
///
/// If the buffer holds nothing else it is taken as well, so a large request leaves no large buffer.
fn take_request(unread: &mut BytesMut, length: usize) -> Bytes {
    if unread.len() == length {
        std::mem::take(unread).freeze()
    } else {
        unread.split_to(length).freeze()
    }
}

const LENGTH_BYTES: usize = size_of::<i32>();
