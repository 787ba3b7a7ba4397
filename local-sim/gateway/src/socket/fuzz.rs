//! Frames of all sorts, whole and broken, sent to a connection, which must end as RFC 6455 and API Gateway say.
//!
//! Every case is made from a number, other ones in each run, and one that fails says its own; `model` says what
//! must come of it.

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

/// How many cases are run, unless time is up before.
const CASES: u64 = 1_000;
/// So many are run in any case.
const CASES_MIN: u64 = 50;
/// When time is up.
const TIME_MAX: Duration = Duration::from_secs(5);
/// No case takes longer, however busy the machine is.
const CASE_WAIT: Duration = Duration::from_secs(60);
/// The room between client and gateway, in bytes: so little that both must read and write in turns.
const PIPE_BYTES: usize = 16 * 1024;

#[tokio::test]
async fn whatever_is_sent_a_connection_ends_as_it_must() {
    let api = Arc::new(api());
    let start = Instant::now();
    // To run a case again, begin with its number.
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
            outcome.unwrap_or_else(|_| panic!("case {case} never ends, expected {expected:?}"));
        outcome.check(&expected, case);
    }
}

/// What came of a case.
struct Outcome {
    /// What `$disconnect` would be told.
    closed: Closed,
    received: Received,
}

/// What the client got.
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
            // The client went, as nothing else would have ended it.
            None => assert_eq!(
                (code, texts, close),
                (LOST, expected.texts, None),
                "case {case}"
            ),
            Some(end) => {
                assert_eq!(code, end, "case {case}: {expected:?}");
                assert_eq!(close, Some(end), "case {case}: the close frame");
                // Answers that are late for the close are not sent.
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

/// Sends bytes in pieces, and leaves when there is no more to come.
async fn run(api: &Arc<Api>, bytes: &[u8], expected: &Expected, rng: &mut Rng) -> Outcome {
    let (client, server) = duplex(PIPE_BYTES);
    let connection = Arc::new(Connection::new(caller(api)));
    // Some of it may have come behind the handshake, in the same piece.
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
    // Who has been told to close need not send the rest.
    let sent = async {
        sending.await;
        pending().await
    };
    tokio::select! {
        received = reading => received,
        received = sent => received,
    }
}

/// Reads one frame of the gateway; `None` where it has closed.
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
        other => panic!("a frame of the api begins with {other:#x}"),
    }
    Some(())
}
