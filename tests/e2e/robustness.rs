//! Broken and hostile clients, which must not affect the others.

use futures_util::future::join_all;
use tests::{
    client::Client,
    consumer::Consumer,
    raw::{Raw, TEXT, close_code, frame, handshake},
    simulator::{Launch, Simulator},
    wait::eventually,
};

/// Clients that misbehave concurrently.
const CROWD: usize = 200;
/// Clients that send garbage concurrently.
const GARBAGE: usize = 1000;
/// The first byte of a ping.
const PING: u8 = 0x89;
/// The largest payload of a ping.
const PING_BYTES: usize = 125;
/// Pings per round.
const PINGS: usize = 1000;
/// Rounds of pings: together their pongs are far larger than any socket's buffers.
const PING_ROUNDS: usize = 200;
/// The most that the gateway may grow in a test, in KiB.
///
/// This is less than a tenth of all pongs, and less than 1 KiB per client of the measured crowds.
const GROWTH_KIB_MAX: u64 = 2048;
/// Crowds of garbage, one after the other: growth after the first ones is a leak.
const ROUNDS: usize = FIRST_ROUNDS + 3;
/// Crowds after which the allocator has reserved enough memory for the next ones.
const FIRST_ROUNDS: usize = 2;
/// Messages of a client that reads no answer: more than the gateway handles concurrently.
const UNREAD: usize = 1000;

/// WebSocket close codes (RFC 6455, section 7.4.1).
const PROTOCOL: u16 = 1002;
const LOST: u16 = 1006;
const INVALID: u16 = 1007;

/// A contract without `$connect`, so that opening a connection needs no Kafka.
const CONTRACT: &str = "
routeSelectionExpression: $request.body.action
routes:
  $disconnect: { function: disconnect, topic: ws.connections }
  $default: { function: message, topic: ws.messages, routeResponse: true }
";

/// A contract in which opening and closing a connection invokes no function.
const WITHOUT_LIFECYCLE: &str = "
routeSelectionExpression: $request.body.action
routes: { chat: { function: message, topic: chat } }
";

async fn start() -> (Simulator, Client) {
    tests::process::raise_descriptor_limit();
    let simulator = Launch::default().contract(CONTRACT).start(&[]).await;
    let mut neighbour = Client::connect(&simulator.websocket).await;
    check_neighbour(&mut neighbour).await;
    (simulator, neighbour)
}

async fn check_neighbour(neighbour: &mut Client) {
    let answer = neighbour.ask(r#"{"id":"n"}"#).await;
    assert_eq!(answer["type"], "ack", "{answer}");
}

/// Checks that nothing panicked, only the neighbour is connected, and shutdown works.
async fn check_unharmed(simulator: Simulator, mut neighbour: Client) {
    check_neighbour(&mut neighbour).await;
    eventually("all sockets but the neighbour's are closed", async || {
        (simulator.sockets() == 1).then_some(())
    })
    .await;
    let stderr = simulator.stderr();
    assert!(!stderr.contains("panicked"), "{stderr}");
    simulator.stop().await;
}

/// Checks that a client that sends `bytes` is closed with `code`, and the code is recorded.
async fn check_closed_with(bytes: &[u8], code: u16) {
    let (simulator, mut neighbour) = start().await;
    let mut raw = Raw::open(&simulator.websocket).await;
    raw.send(bytes).await;
    assert_eq!(close_code(&raw.rest().await), Some(code));
    let consumer = Consumer::connect(&simulator.kafka).await;
    let record = consumer.records("ws.connections", 1).await[0].json();
    assert_eq!(record["disconnectStatusCode"], code);
    check_neighbour(&mut neighbour).await;
    simulator.stop().await;
}

#[tokio::test]
async fn invalid_utf8_closes_with_1007() {
    check_closed_with(&frame(TEXT, b"\xc3\x28"), INVALID).await;
}

#[tokio::test]
async fn an_invalid_frame_closes_with_1002() {
    let not_masked = b"\x81\x02hi";
    check_closed_with(not_masked, PROTOCOL).await;
}

#[tokio::test]
async fn clients_that_vanish_are_recorded_with_1006() {
    let (simulator, neighbour) = start().await;
    let consumer = Consumer::connect(&simulator.kafka).await;
    drop(Raw::open(&simulator.websocket).await);
    let mut half = Raw::open(&simulator.websocket).await;
    half.half_close().await;
    assert_eq!(half.rest().await, b"");
    for record in consumer.records("ws.connections", 2).await {
        assert_eq!(record.json()["disconnectStatusCode"], LOST);
    }
    drop(neighbour);
    simulator.stop().await;
}

#[tokio::test]
async fn invalid_requests_are_answered_and_closed() {
    let (simulator, neighbour) = start().await;
    let url = &simulator.websocket;
    let head = |headers: String| handshake(url).replace("\r\n\r\n", &format!("\r\n{headers}\r\n"));
    for (request, status) in [
        (head(format!("X: {}\r\n", "x".repeat(20_000))), "431"),
        (head("X: x\r\n".repeat(200)), "431"),
        ("\u{1}\u{2}\u{3}\r\n\r\n".to_owned(), "400"),
        ("GET /dev HTTP/7.0\r\n\r\n".to_owned(), "400"),
        (handshake(url).replace("/dev ", "/elsewhere "), "403"),
        (handshake(url).replace(": 13", ": 8"), "426"),
        (handshake(url).replace("GET", "POST"), "400"),
    ] {
        let mut raw = Raw::connect(url).await;
        raw.send(request.as_bytes()).await;
        let answer = String::from_utf8(raw.rest().await).unwrap();
        let expected = format!("HTTP/1.1 {status} ");
        assert!(answer.starts_with(&expected), "{status}: {answer}");
    }
    check_unharmed(simulator, neighbour).await;
}

#[tokio::test]
async fn a_client_that_pings_and_never_reads_uses_little_memory() {
    let (simulator, mut neighbour) = start().await;
    let mut raw = Raw::open(&simulator.websocket).await;
    let pings = frame(PING, &[b'x'; PING_BYTES]).repeat(PINGS);
    raw.send(&pings).await;
    check_neighbour(&mut neighbour).await;
    let before = simulator.resident_kib();
    for _ in 0..PING_ROUNDS {
        raw.send(&pings).await;
    }
    check_neighbour(&mut neighbour).await;
    let grown = simulator.resident_kib().saturating_sub(before);
    assert!(grown <= GROWTH_KIB_MAX, "{grown} KiB");
    drop(raw);
    check_unharmed(simulator, neighbour).await;
}

#[tokio::test]
async fn a_client_that_never_reads_does_not_affect_others() {
    let (simulator, mut neighbour) = start().await;
    let mut raw = Raw::open(&simulator.websocket).await;
    raw.send(&frame(TEXT, br#"{"id":"s"}"#).repeat(UNREAD))
        .await;
    for _ in 0..10 {
        check_neighbour(&mut neighbour).await;
    }
    drop(raw);
    check_unharmed(simulator, neighbour).await;
}

#[tokio::test]
async fn clients_that_never_complete_their_request_are_cut_off() {
    let (simulator, mut neighbour) = start().await;
    let loris = async || {
        let mut raw = Raw::connect(&simulator.websocket).await;
        raw.send(b"GET /dev HTTP/1.1\r\nHost: slow\r\nX").await;
        raw
    };
    let crowd = join_all((0..CROWD).map(|_| loris())).await;
    check_neighbour(&mut neighbour).await;
    for rest in join_all(crowd.into_iter().map(Raw::rest)).await {
        assert_eq!(rest, b"", "an incomplete request gets no response");
    }
    check_unharmed(simulator, neighbour).await;
}

#[tokio::test]
async fn clients_that_never_complete_their_frame_do_not_affect_others() {
    let (simulator, mut neighbour) = start().await;
    let half = async || {
        let mut raw = Raw::open(&simulator.websocket).await;
        let whole = frame(TEXT, &[b'x'; 30_000]);
        raw.send(&whole[..whole.len() / 2]).await;
        raw
    };
    let crowd = join_all((0..CROWD).map(|_| half())).await;
    check_neighbour(&mut neighbour).await;
    drop(crowd);
    check_unharmed(simulator, neighbour).await;
}

/// Runs concurrent clients that send random bytes instead of a handshake, or after one.
async fn crowd_of_garbage(url: &str) {
    let garbage = async |seed: usize| {
        let mut rng = fastrand::Rng::with_seed(seed as u64);
        let bytes: Vec<u8> = std::iter::repeat_with(|| rng.u8(..)).take(2000).collect();
        let mut raw = match seed % 2 {
            0 => Raw::connect(url).await,
            _ => Raw::open(url).await,
        };
        raw.send(&bytes).await;
        // The bytes may look like the start of a frame, so end the stream.
        raw.half_close().await;
        raw.rest().await;
    };
    join_all((0..GARBAGE).map(garbage)).await;
}

#[tokio::test]
async fn a_thousand_clients_that_send_garbage_do_not_affect_others() {
    let (simulator, mut neighbour) = start().await;
    let neighbour_asks = async {
        loop {
            check_neighbour(&mut neighbour).await;
        }
    };
    tokio::select! {
        () = crowd_of_garbage(&simulator.websocket) => {}
        () = neighbour_asks => {}
    }
    // The neighbour may have been cancelled between a message and its answer, so use a new one.
    drop(neighbour);
    let neighbour = Client::connect(&simulator.websocket).await;
    check_unharmed(simulator, neighbour).await;
}

#[tokio::test]
async fn clients_that_send_garbage_leak_no_memory() {
    tests::process::raise_descriptor_limit();
    // Without functions the broker stores no disconnect records, which would use memory.
    let launch = Launch::default().contract(WITHOUT_LIFECYCLE);
    let simulator = launch.start(&[]).await;
    let mut grown = Vec::new();
    for _ in 0..ROUNDS {
        let before = simulator.resident_kib();
        crowd_of_garbage(&simulator.websocket).await;
        eventually("all sockets are closed", async || {
            (simulator.sockets() == 0).then_some(())
        })
        .await;
        grown.push(simulator.resident_kib().saturating_sub(before));
    }
    // The first crowds make the allocator reserve memory, which the later ones reuse.
    let later: u64 = grown[FIRST_ROUNDS..].iter().sum();
    assert!(later <= GROWTH_KIB_MAX, "{grown:?} KiB");
    simulator.stop().await;
}
