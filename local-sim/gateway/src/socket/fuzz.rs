//! Sends random frames, valid and corrupted, and checks how the connection ends.
//!
//! `model` computes the expected end from RFC 6455 and API Gateway's limits. Each case is generated
//! from a seed. Every run uses new seeds, and a failing case reports its seed.

mod cases;
mod model;

use std::{
    future::pending,
    sync::Arc,
    time::{Duration, Instant},
};

use fastrand::Rng;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, ReadHalf, duplex, split},
    time::timeout,
};

use crate::{
    api::Api,
    close::Closed,
    connection::Connection,
    sample::{api, caller},
    socket::fuzz::model::Expected,
};

/// The number of cases, if they fit into [`TIME_MAX`].
const CASES: u64 = 1_000;
/// The number of cases that always run.
const CASES_MIN: u64 = 50;
/// The time after which no further case starts.
const TIME_MAX: Duration = Duration::from_secs(5);
/// The timeout of a case, long enough for a busy machine.
const CASE_WAIT: Duration = Duration::from_secs(60);
/// The capacity of the pipe in bytes: so small that client and gateway must take turns.
const PIPE_BYTES: usize = 16 * 1024;

#[tokio::test]
async fn random_frames_end_a_connection_as_the_model_expects() {
    let api = Arc::new(api());
    let start = Instant::now();
    // To repeat a failed case, set this to its number.
    let first = fastrand::u64(..=u64::MAX - CASES);
    for case in first..first + CASES {
        if case - first >= CASES_MIN && start.elapsed() > TIME_MAX {
            break;
        }
        let mut rng = Rng::with_seed(case);
        let bytes = cases::bytes(&mut rng);
        let expected = model::expected(&bytes);
        let run = run(&api, &bytes, &expected, &mut rng);
        let outcome = timeout(CASE_WAIT, run).await;
        let outcome =
            outcome.unwrap_or_else(|_| panic!("case {case} timed out, expected {expected:?}"));
        outcome.check(&expected, case);
    }
}

/// The outcome of a case.
struct Outcome {
    /// The code and reason for `$disconnect`.
    closed: Closed,
    received: Received,
}

/// What the client received.
#[derive(Default)]
struct Received {
    texts: usize,
    close: Option<u16>,
}

impl Outcome {
    fn check(&self, expected: &Expected, case: u64) {
        let Received { texts, close } = self.received;
        let code = self.closed.code;
        match expected.end {
            // Only the client's disconnect has ended the connection.
            None => assert_eq!(
                (code, texts, close),
                (LOST, expected.texts, None),
                "case {case}"
            ),
            Some(end) => {
                assert_eq!(code, end, "case {case}: {expected:?}");
                assert_eq!(close, Some(end), "case {case}: the close frame");
                // Replies that are not ready before the close are not sent.
                assert!(
                    texts <= expected.texts,
                    "case {case}: {texts} of {expected:?}"
                );
            }
        }
    }
}

const LOST: u16 = 1006;
const NO_CODE: u16 = 1005;

/// Sends bytes in pieces, and disconnects once no more replies are expected.
async fn run(api: &Arc<Api>, bytes: &[u8], expected: &Expected, rng: &mut Rng) -> Outcome {
    let (client, server) = duplex(PIPE_BYTES);
    let connection = Arc::new(Connection::new(caller(api)));
    // Some bytes may have arrived together with the handshake.
    let early = if rng.bool() {
        rng.usize(..=bytes.len())
    } else {
        0
    };
    let (early, bytes) = bytes.split_at(early);
    let serving = super::frames::serve(api, &connection, server, early.into());
    let (ended, received) = tokio::join!(serving, run_client(client, bytes, expected, rng));
    Outcome {
        closed: ended.closed,
        received,
    }
}

async fn run_client(
    client: DuplexStream,
    bytes: &[u8],
    expected: &Expected,
    rng: &mut Rng,
) -> Received {
    let (mut read, mut write) = split(client);
    let sending = async {
        let mut rest = bytes;
        while !rest.is_empty() {
            let (piece, after) = rest.split_at(rng.usize(1..=rest.len()));
            // The gateway may have closed already.
            if write.write_all(piece).await.is_err() {
                break;
            }
            rest = after;
        }
    };
    let reading = async {
        let mut received = Received::default();
        let is_done = |received: &Received| {
            received.close.is_some() || expected.end.is_none() && received.texts == expected.texts
        };
        while !is_done(&received) && read_frame(&mut read, &mut received).await.is_some() {}
        received
    };
    if expected.end.is_none() {
        return tokio::join!(sending, reading).1;
    }
    // A client that has received the close frame need not send the rest.
    let sent = async {
        sending.await;
        pending().await
    };
    tokio::select! {
        received = reading => received,
        received = sent => received,
    }
}

/// Reads one frame from the gateway; `None` if it has closed the socket.
async fn read_frame(read: &mut ReadHalf<DuplexStream>, received: &mut Received) -> Option<()> {
    let [first, length] = [read.read_u8().await.ok()?, read.read_u8().await.ok()?];
    let length = match length {
        126 => read.read_u16().await.ok()?.into(),
        short => usize::from(short),
    };
    let mut payload = vec![0; length];
    read.read_exact(&mut payload).await.ok()?;
    match first {
        0x81 => {
            let text = String::from_utf8(payload).expect("text");
            assert!(text.starts_with(r#"{"message": "#), "{text}");
            received.texts += 1;
        }
        0x88 => {
            let code = payload.first_chunk().map(|code| u16::from_be_bytes(*code));
            received.close = Some(code.unwrap_or(NO_CODE));
        }
        0x8a => {}
        other => panic!("unexpected first byte of a frame from the gateway: {other:#x}"),
    }
    Some(())
}
