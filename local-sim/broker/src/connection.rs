//! One connection: frames in, frames out, in order.
//!
//! A request is answered before the next is read, as Kafka does it, so a long fetch holds up what follows it.

use std::{io, time::Duration};

use bytes::{Buf, Bytes, BytesMut};
use thiserror::Error;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

use super::{
    cluster::{Cluster, Ends},
    limits::{
        IDLE_MAX, READ_BYTES_MAX, READ_BYTES_MIN, REQUEST_BYTES_MAX, REQUEST_WAIT, RESPONSE_WAIT,
    },
    request::{self, RequestError},
};

/// Why the broker closed a connection.
#[derive(Debug, Error)]
pub(crate) enum ConnectionError {
    /// The client went away in the middle of something.
    #[error("the connection broke")]
    Io(#[from] io::Error),
    /// The bytes are no request, or one that is answered by closing.
    #[error(transparent)]
    Request(#[from] RequestError),
    /// The length in front of a request is none; most likely it is not Kafka that the client speaks.
    #[error("the length of a request is {0}, expected 1 to {REQUEST_BYTES_MAX}")]
    RequestLength(i32),
    /// The client stopped in the middle of a request, or does not take its response.
    #[error("{what} took longer than {limit:?}")]
    Stalled { what: &'static str, limit: Duration },
}

/// Serves a client until it leaves, is silent for too long, or makes a mistake that Kafka answers by closing.
pub(crate) async fn serve(mut socket: TcpStream, cluster: &Cluster) -> Result<(), ConnectionError> {
    socket.set_nodelay(true)?;
    let ends = Ends {
        advertised: socket.local_addr()?,
        client: socket.peer_addr()?,
    };
    let mut unread = BytesMut::new();
    while let Some(request) = read_request(&mut socket, &mut unread).await? {
        let answer = request::answer(cluster, ends, request).await?;
        if let Some(response) = answer.response {
            let written = timeout(RESPONSE_WAIT, socket.write_all(&response)).await;
            written.map_err(|_| ConnectionError::Stalled {
                what: "taking a response",
                limit: RESPONSE_WAIT,
            })??;
        }
        if let Some(muted) = answer.muted {
            muted.pass().await;
        }
    }
    Ok(())
}

/// The next request without its length; `None` where the client left, or was silent for too long.
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
    let stalled = ConnectionError::Stalled {
        what: "sending a request",
        limit: REQUEST_WAIT,
    };
    let completed = timeout(REQUEST_WAIT, complete_request(socket, unread));
    completed.await.map_err(|_| stalled)?.map(Some)
}

/// Reads the first bytes of a request, 0 at the end. An idle connection holds no buffer: there is none before there is
/// something to read.
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
        let missing = match announced(unread)? {
            Some(length) if unread.len() >= LENGTH_BYTES + length => {
                unread.advance(LENGTH_BYTES);
                return Ok(take(unread, length));
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

/// The length of the request that begins here, once its four bytes are there.
fn announced(unread: &[u8]) -> Result<Option<usize>, ConnectionError> {
    let Some(length) = unread.first_chunk().map(|bytes| i32::from_be_bytes(*bytes)) else {
        return Ok(None);
    };
    match usize::try_from(length) {
        Ok(bytes @ 1..=REQUEST_BYTES_MAX) => Ok(Some(bytes)),
        _ => Err(ConnectionError::RequestLength(length)),
    }
}

/// Takes a request out of the buffer, and the buffer with it where nothing else is in there: a large request should
/// leave no large buffer behind.
fn take(unread: &mut BytesMut, length: usize) -> Bytes {
    if unread.len() == length {
        std::mem::take(unread).freeze()
    } else {
        unread.split_to(length).freeze()
    }
}

const LENGTH_BYTES: usize = size_of::<i32>();
