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
        let found = timeout(CASE_WAIT, run).await;
        let found =
            found.unwrap_or_else(|_| panic!("case {case} never ends, expected {expected:?}"));
        found.check(&expected, case);
    }
}

/// What came of a case.
struct Found {
    /// What `$disconnect` would be told.
    closed: Closed,
    seen: Seen,
}

/// What the client got.
#[derive(Default)]
struct Seen {
    texts: usize,
    close: Option<u16>,
}

impl Found {
    fn check(&self, expected: &Expected, case: u64) {
        let Seen { texts, close } = self.seen;
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
async fn run(api: &Arc<Api>, bytes: &[u8], expected: &Expected, rng: &mut Rng) -> Found {
    let (client, server) = duplex(PIPE_BYTES);
    let connection = Arc::new(Connection::new(caller(api)));
    // Some of it may have come behind the handshake, in the same piece.
    let early = if rng.bool() {
        rng.usize(..=bytes.len())
    } else {
        0
    };
    let (early, bytes) = bytes.split_at(early);
    let talk = super::frames::talk(api, &connection, server, early.into());
    let (ended, seen) = tokio::join!(talk, speak(client, bytes, expected, rng));
    Found {
        closed: ended.closed,
        seen,
    }
}

async fn speak(client: DuplexStream, bytes: &[u8], expected: &Expected, rng: &mut Rng) -> Seen {
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
        let mut seen = Seen::default();
        let is_done = |seen: &Seen| {
            seen.close.is_some() || expected.end.is_none() && seen.texts == expected.texts
        };
        while !is_done(&seen) && read_frame(&mut read, &mut seen).await.is_some() {}
        seen
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
        seen = reading => seen,
        seen = sent => seen,
    }
}

/// Reads one frame of the gateway; `None` where it has closed.
async fn read_frame(read: &mut ReadHalf<DuplexStream>, seen: &mut Seen) -> Option<()> {
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
            seen.texts += 1;
        }
        0x88 => {
            let code = payload.first_chunk().map(|code| u16::from_be_bytes(*code));
            seen.close = Some(code.unwrap_or(NO_CODE));
        }
        0x8a => {}
        other => panic!("a frame of the api begins with {other:#x}"),
    }
    Some(())
}
