//! Bytes between rskafka and a broker, both ways at once.

use std::{pin::pin, time::Duration};

use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadHalf, WriteHalf, split},
    net::{
        TcpStream,
        tcp::{ReadHalf as TcpReadHalf, WriteHalf as TcpWriteHalf},
    },
    time::timeout,
};

use super::{
    answers::Answers,
    dial::{DIAL_MAX, LinkError},
    frames::Frames,
    requests::{Requests, Unanswered},
    seen::Seen,
};

/// Requests go up in pieces of this size at most: most records in one, the
/// largest frame of a WebSocket client in five.
const UP_BYTES: usize = 32 * 1024;
/// Answers come down in pieces of this size at most. They are short, but for the
/// list of a large cluster's topics.
const DOWN_BYTES: usize = 8 * 1024;
/// What goes by before there are records fits in this as a rule, and many a link
/// sees none.
const FIRST_BYTES: usize = 1024;

/// Where nothing more can be sent to a broker, it has this long to say what it
/// has to say about what was: as a rule that has arrived already.
const LAST_ANSWERS_MAX: Duration = Duration::from_secs(1);

/// Relays until the client ends the connection; if it is the broker, that is an error.
pub(super) async fn relay(
    client: &mut TcpStream,
    broker: impl AsyncRead + AsyncWrite,
    seen: &Seen,
) -> Result<(), LinkError> {
    let unanswered = Unanswered::default();
    let (from_client, to_client) = client.split();
    let (from_broker, to_broker) = split(broker);
    let mut down = pin!(down(from_broker, to_client, &unanswered, seen));
    tokio::select! {
        ended = up(from_client, to_broker, &unanswered) => {
            if ended.is_err() {
                let _ = timeout(LAST_ANSWERS_MAX, down).await;
            }
            ended
        }
        ended = &mut down => ended,
    }
}

async fn up(
    mut client: TcpReadHalf<'_>,
    mut broker: WriteHalf<impl AsyncWrite>,
    unanswered: &Unanswered,
) -> Result<(), LinkError> {
    let mut chunk = Vec::with_capacity(FIRST_BYTES);
    let mut frames = Frames::new();
    let mut requests = Requests::new(unanswered);
    loop {
        empty(&mut chunk, UP_BYTES);
        // rskafka is in this process: however it ends, it knows why.
        let Ok(1..) = client.read_buf(&mut chunk).await else {
            return Ok(());
        };
        frames.follow(&mut chunk, &mut requests)?;
        // rskafka writes the length of a large request by itself.
        if frames.is_in_head() || requests.may_be_followed() {
            acknowledge_at_once(client.as_ref());
        }
        broker.write_all(&chunk).await.map_err(LinkError::Lost)?;
        broker.flush().await.map_err(LinkError::Lost)?;
    }
}

async fn down(
    mut broker: ReadHalf<impl AsyncRead>,
    mut client: TcpWriteHalf<'_>,
    unanswered: &Unanswered,
    seen: &Seen,
) -> Result<(), LinkError> {
    let mut chunk = Vec::with_capacity(FIRST_BYTES);
    let mut frames = Frames::new();
    let mut answers = Answers::new(unanswered, seen);
    // rskafka begins with a request that each broker answers at once. Where
    // that takes long, another broker may be better.
    let mut read = timeout(DIAL_MAX, broker.read_buf(&mut chunk))
        .await
        .map_err(|_| LinkError::Silent(DIAL_MAX))?;
    loop {
        if read.map_err(LinkError::Lost)? == 0 {
            return Err(LinkError::Closed(unanswered.len()));
        }
        frames.follow(&mut chunk, &mut answers)?;
        if client.write_all(&chunk).await.is_err() {
            return Ok(());
        }
        empty(&mut chunk, DOWN_BYTES);
        read = broker.read_buf(&mut chunk).await;
    }
}

/// Makes room for the next piece: as much as may come at once, if the last one
/// took all there was.
fn empty(chunk: &mut Vec<u8>, bytes_max: usize) {
    let is_full = chunk.len() == chunk.capacity();
    chunk.clear();
    if is_full {
        chunk.reserve_exact(bytes_max);
    }
}

/// Has the kernel acknowledge what was received, and what comes next, without
/// the usual delay: with Nagle's algorithm on, as rskafka leaves it, the sender
/// waits for that before it sends the rest of a request.
///
/// The kernel falls back to delays by itself, so this is done after each read
/// that more may follow. Where it cannot be done, requests are merely slower.
pub(super) fn acknowledge_at_once(socket: &TcpStream) {
    #[cfg(target_os = "linux")]
    let _ = socket.set_quickack(true);
    #[cfg(not(target_os = "linux"))]
    let _ = socket;
}
