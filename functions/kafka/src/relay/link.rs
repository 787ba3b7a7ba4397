//! Frames between rskafka and a broker, both ways at once.

use std::{
    collections::VecDeque,
    pin::pin,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use parking_lot::Mutex;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, split},
    net::{
        TcpStream,
        tcp::{ReadHalf, WriteHalf},
    },
    time::timeout,
};

use super::{
    answer,
    dial::DIAL_MAX,
    error::LinkError,
    frame::{FrameError, Frames},
    quickack::acknowledge_at_once,
    request::{self, PRODUCE, Request},
    state::State,
};

/// Where nothing more can be sent to a broker, it has this long to answer what
/// was sent before: as a rule its answers have arrived already.
const LAST_ANSWERS_MAX: Duration = Duration::from_secs(1);

/// Relays until rskafka ends the connection; if the broker does, that is an
/// error.
pub(super) async fn relay(
    client: &mut TcpStream,
    broker: impl AsyncRead + AsyncWrite,
    state: &State,
) -> Result<(), LinkError> {
    let link = LinkState::default();
    let (from_client, to_client) = client.split();
    let (from_broker, to_broker) = split(broker);
    let mut down = pin!(down(from_broker, to_client, &link, state));
    let ended = tokio::select! {
        ended = up(from_client, to_broker, &link) => {
            if ended.is_err() {
                let _ = timeout(LAST_ANSWERS_MAX, down).await;
            }
            ended
        }
        ended = &mut down => ended,
    };
    if ended.is_err() && link.is_in_use.load(Ordering::Relaxed) {
        state.cut();
    }
    ended
}

async fn up(
    mut client: ReadHalf<'_>,
    mut broker: impl AsyncWrite + Unpin,
    link: &LinkState,
) -> Result<(), LinkError> {
    let mut frames = Frames::new();
    loop {
        let Some(mut frame) = frames.next()? else {
            // rskafka writes the length of a large request by itself.
            if frames.is_in_frame() {
                acknowledge_at_once(client.as_ref());
            }
            // rskafka is in this process: however it ends, it knows why.
            let Ok(1..) = client.read_buf(frames.buffer()).await else {
                return Ok(());
            };
            continue;
        };
        let request = request::edit(&mut frame)?;
        // rskafka sends the next record without waiting for an answer.
        if request.api == PRODUCE {
            acknowledge_at_once(client.as_ref());
        }
        link.asked(request)?;
        broker.write_all(&frame).await.map_err(LinkError::Lost)?;
        broker.flush().await.map_err(LinkError::Lost)?;
    }
}

async fn down(
    mut broker: impl AsyncRead + Unpin,
    mut client: WriteHalf<'_>,
    link: &LinkState,
    state: &State,
) -> Result<(), LinkError> {
    let mut frames = Frames::new();
    // rskafka begins with a request that each broker answers at once. Where
    // that takes long, another broker may be better.
    let mut read = timeout(DIAL_MAX, broker.read_buf(frames.buffer()))
        .await
        .map_err(|_| LinkError::Silent(DIAL_MAX))?;
    loop {
        if read.map_err(LinkError::Lost)? == 0 {
            return Err(LinkError::Closed(link.unanswered.lock().len()));
        }
        while let Some(mut frame) = frames.next()? {
            let request = link.answered(answer::correlation_id(&frame)?)?;
            answer::edit(&mut frame, request, state)?;
            if client.write_all(&frame).await.is_err() {
                return Ok(());
            }
        }
        read = broker.read_buf(frames.buffer()).await;
    }
}

/// The state of one link. A broker answers its requests in their order.
#[derive(Debug, Default)]
pub(super) struct LinkState {
    /// The requests that have no answer yet, oldest first.
    unanswered: Mutex<VecDeque<Request>>,
    /// Whether rskafka was answered more than the handshakes. Where a link ends
    /// before that, rskafka notices it itself, and may have connected with
    /// another broker instead.
    is_in_use: AtomicBool,
}

impl LinkState {
    /// A request was sent.
    pub(super) fn asked(&self, request: Request) -> Result<(), FrameError> {
        let mut unanswered = self.unanswered.lock();
        if unanswered.len() == UNANSWERED_MAX {
            return Err(FrameError::TooManyRequests(UNANSWERED_MAX));
        }
        unanswered.push_back(request);
        Ok(())
    }

    /// The request that is answered with this correlation id: the oldest one.
    pub(super) fn answered(&self, found: i32) -> Result<Request, FrameError> {
        let oldest = self.unanswered.lock().pop_front();
        let expected = oldest.map(|request| request.correlation_id);
        let request = oldest.filter(|request| request.correlation_id == found);
        let request = request.ok_or(FrameError::Answer { found, expected })?;
        self.is_in_use
            .fetch_or(!request.is_handshake(), Ordering::Relaxed);
        Ok(request)
    }
}

/// Above the records that the producer has in flight, and the few requests
/// about topics beside them.
const UNANSWERED_MAX: usize = 256;
