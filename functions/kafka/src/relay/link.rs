//! Forwards frames between rskafka and a broker in both directions.

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
    dial::DIAL_TIMEOUT,
    error::LinkError,
    frame::{FrameError, Frames},
    quickack::acknowledge_at_once,
    request::{self, PRODUCE, Request},
    response,
    state::State,
};

/// How long to wait for the last responses once sending to the broker has failed. As a rule they
/// have already arrived.
const LAST_RESPONSES_TIMEOUT: Duration = Duration::from_secs(1);

/// Forwards frames until rskafka closes the connection.
///
/// # Errors
/// The broker closed the connection or sent no response, reading or writing failed, or a frame was
/// invalid.
pub(super) async fn relay(
    client: &mut TcpStream,
    broker: impl AsyncRead + AsyncWrite,
    state: &State,
) -> Result<(), LinkError> {
    let link = LinkState::default();
    let (from_client, to_client) = client.split();
    let (from_broker, to_broker) = split(broker);
    let mut responses = pin!(forward_responses(from_broker, to_client, &link, state));
    let ended = tokio::select! {
        ended = forward_requests(from_client, to_broker, &link) => {
            if ended.is_err() {
                let _ = timeout(LAST_RESPONSES_TIMEOUT, responses).await;
            }
            ended
        }
        ended = &mut responses => ended,
    };
    if ended.is_err() && link.is_in_use.load(Ordering::Relaxed) {
        state.connection_lost();
    }
    ended
}

async fn forward_requests(
    mut client: ReadHalf<'_>,
    mut broker: impl AsyncWrite + Unpin,
    link: &LinkState,
) -> Result<(), LinkError> {
    let mut frames = Frames::new();
    loop {
        let Some(mut frame) = frames.next()? else {
            // rskafka writes the length of a large request in a separate piece.
            if frames.is_in_frame() {
                acknowledge_at_once(client.as_ref());
            }
            // rskafka is in this process. However its side ends, it needs no error from here.
            let Ok(1..) = client.read_buf(frames.buffer()).await else {
                return Ok(());
            };
            continue;
        };
        let request = request::edit(&mut frame)?;
        // rskafka sends the next record without waiting for a response.
        if request.api == PRODUCE {
            acknowledge_at_once(client.as_ref());
        }
        link.request_sent(request)?;
        broker.write_all(&frame).await.map_err(LinkError::Lost)?;
        broker.flush().await.map_err(LinkError::Lost)?;
    }
}

async fn forward_responses(
    mut broker: impl AsyncRead + Unpin,
    mut client: WriteHalf<'_>,
    link: &LinkState,
    state: &State,
) -> Result<(), LinkError> {
    let mut frames = Frames::new();
    // rskafka starts with a request that brokers respond to at once. If this broker does not, the
    // link fails so that rskafka tries another one.
    let mut read = timeout(DIAL_TIMEOUT, broker.read_buf(frames.buffer()))
        .await
        .map_err(|_| LinkError::ResponseTimeout(DIAL_TIMEOUT))?;
    loop {
        if read.map_err(LinkError::Lost)? == 0 {
            return Err(LinkError::Closed(link.in_flight.lock().len()));
        }
        while let Some(mut frame) = frames.next()? {
            let request = link.response_received(response::correlation_id(&frame)?)?;
            response::edit(&mut frame, request, state)?;
            if client.write_all(&frame).await.is_err() {
                return Ok(());
            }
        }
        read = broker.read_buf(frames.buffer()).await;
    }
}

/// The state of one link. A broker responds to requests in order.
#[derive(Debug, Default)]
pub(super) struct LinkState {
    /// The requests without a response, oldest first.
    in_flight: Mutex<VecDeque<Request>>,
    /// Whether rskafka has received a response other than those of the handshakes.
    ///
    /// If a link fails earlier, rskafka notices it itself and may connect to another broker.
    is_in_use: AtomicBool,
}

impl LinkState {
    /// Records that a request was sent.
    pub(super) fn request_sent(&self, request: Request) -> Result<(), FrameError> {
        let mut in_flight = self.in_flight.lock();
        if in_flight.len() == IN_FLIGHT_MAX {
            return Err(FrameError::TooManyRequests(IN_FLIGHT_MAX));
        }
        in_flight.push_back(request);
        Ok(())
    }

    /// Takes the oldest request, which the response with this correlation id must be for.
    pub(super) fn response_received(&self, found: i32) -> Result<Request, FrameError> {
        let oldest = self.in_flight.lock().pop_front();
        let expected = oldest.map(|request| request.correlation_id);
        let request = oldest.filter(|request| request.correlation_id == found);
        let request = request.ok_or(FrameError::CorrelationId { found, expected })?;
        self.is_in_use
            .fetch_or(!request.is_handshake(), Ordering::Relaxed);
        Ok(request)
    }
}

/// More than the producer's records in flight plus the few Metadata requests beside them.
const IN_FLIGHT_MAX: usize = 256;
