//! Connections through the relay, and what is told of those that fail.

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
    time::{Duration, Instant},
};

use rustls::{
    ServerConfig,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpSocket, TcpStream},
    task::JoinSet,
    time::{sleep, timeout},
};
use tokio_rustls::TlsAcceptor;

use crate::relay::{
    Relay,
    dial::{DIAL_MAX, connect as dial},
    host::Broker,
    link,
    state::State,
};

const CA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/tls/ca.pem");

/// A produce request and its answer, which throttles.
const REQUEST: &[u8] = b"\0\0\0\x0c\0\0\0\x07\0\0\0\x01body";
const ANSWER: &[u8] = b"\0\0\0\x0f\0\0\0\x01results\0\0\0\x05";
/// Another request and its answer, in which nothing is of interest.
const OTHER_REQUEST: &[u8] = b"\0\0\0\x08\0\x01\0\x04\0\0\0\x02";
const OTHER_ANSWER: &[u8] = b"\0\0\0\x04\0\0\0\x02";
const UNTHROTTLED: &[u8] = b"\0\0\0\x0f\0\0\0\x01results\0\0\0\0";

/// A broker that answers that one request, in TLS where it has a certificate.
async fn broker(certificate: Option<&'static str>) -> (SocketAddr, JoinSet<()>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let mut serving = JoinSet::new();
    serving.spawn(async move {
        loop {
            let (socket, _) = listener.accept().await.unwrap();
            match certificate {
                None => answer(socket).await,
                Some(pem) => match acceptor(pem).accept(socket).await {
                    Ok(stream) => answer(stream).await,
                    // The client does not like the certificate.
                    Err(_) => continue,
                },
            }
        }
    });
    (address, serving)
}

async fn answer(mut client: impl tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin) {
    let mut request = vec![0; REQUEST.len()];
    if client.read_exact(&mut request).await.is_ok() && request == REQUEST {
        client.write_all(ANSWER).await.unwrap();
        // Until the client goes.
        let _ = client.read_u8().await;
    }
}

fn acceptor(pem: &str) -> TlsAcceptor {
    let certificate = CertificateDer::from_pem_slice(pem.as_bytes()).unwrap();
    let key = PrivateKeyDer::from_pem_slice(pem.as_bytes()).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .unwrap();
    TlsAcceptor::from(Arc::new(config))
}

/// A port on which nobody listens, and nobody else will.
fn reserved() -> (u16, TcpSocket) {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
    (socket.local_addr().unwrap().port(), socket)
}

async fn relay(tls: bool) -> Relay {
    let tls = tls.then(|| crate::tls::client_config(Some(CA)).unwrap());
    Relay::start(tls).await.unwrap()
}

/// Asks the relay for a connection as rskafka does; whether it is there.
async fn connect(relay: &Relay, host: &str, port: u16) -> (TcpStream, bool) {
    let mut client = TcpStream::connect(relay.address).await.unwrap();
    client.write_all(b"\x05\x01\0").await.unwrap();
    let mut method = [0; 2];
    client.read_exact(&mut method).await.unwrap();
    assert_eq!(&method, b"\x05\0");
    let mut ask = b"\x05\x01\0\x03".to_vec();
    ask.push(u8::try_from(host.len()).unwrap());
    ask.extend(host.as_bytes());
    ask.extend(port.to_be_bytes());
    client.write_all(&ask).await.unwrap();
    let mut reply = [0; 10];
    client.read_exact(&mut reply).await.unwrap();
    assert_eq!(&reply[2..], b"\0\x01\0\0\0\0\0\0");
    (client, reply[1] == 0)
}

/// What comes back for the request through the relay; else the error that is told.
async fn check(relay: &Relay, host: &str, port: u16) -> Result<Vec<u8>, String> {
    let told = |relay: &Relay| {
        let errors = relay.state.broker_errors().to_string();
        errors.replace(&port.to_string(), "PORT")
    };
    let (mut client, connected) = connect(relay, host, port).await;
    if !connected {
        return Err(told(relay));
    }
    client.write_all(REQUEST).await.unwrap();
    let mut answer = vec![0; ANSWER.len()];
    match client.read_exact(&mut answer).await {
        Ok(_) => Ok(answer),
        Err(_) => Err(told(relay)),
    }
}

#[tokio::test]
async fn a_broker_is_reached_by_address_and_by_name() {
    let (address, _serving) = broker(None).await;
    let relay = relay(false).await;
    for host in ["127.0.0.1", "localhost"] {
        let answer = check(&relay, host, address.port()).await;
        assert_eq!(answer, Ok(UNTHROTTLED.to_vec()));
    }
    assert!(relay.state.throttled_until().is_some());
}

#[tokio::test]
async fn a_broker_is_reached_through_tls() {
    let (address, _serving) = broker(Some(include_str!("../../../tests/data/tls/valid.pem"))).await;
    let relay = relay(true).await;
    for host in ["127.0.0.1", "localhost"] {
        let answer = check(&relay, host, address.port()).await;
        assert_eq!(answer, Ok(UNTHROTTLED.to_vec()));
    }
}

/// With Nagle's algorithm on, the second of two small pieces would wait until the broker
/// acknowledges the first.
#[tokio::test]
async fn what_goes_to_a_broker_waits_for_no_acknowledgement() {
    let (address, _serving) = broker(None).await;
    let broker = Broker {
        host: "localhost".to_owned(),
        port: address.port(),
    };
    // In TLS or not, all is written to such a socket.
    assert!(dial(&broker).await.unwrap().nodelay().unwrap());
}

/// rskafka has that algorithm on, writes what is over 8 KiB in two pieces, and sends the next
/// record without waiting for an answer: each piece waits until the one before it is
/// acknowledged. Linux delays that by 40 ms at least, as soon as there was an answer.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn each_piece_of_a_request_is_acknowledged_at_once() {
    let (length, rest) = REQUEST.split_at(4);
    for pieces in [[length, rest].repeat(2), [REQUEST].repeat(2)] {
        let median = two_requests(&pieces).await;
        assert!(median < Duration::from_millis(20), "{median:?}: {pieces:?}");
    }
}

/// How long two requests in these pieces take to a broker.
#[cfg(target_os = "linux")]
async fn two_requests(pieces: &[&[u8]]) -> Duration {
    const ROUNDS: usize = 15;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let connecting = TcpStream::connect(listener.local_addr().unwrap());
    let (client, accepted) = tokio::join!(connecting, listener.accept());
    let (mut client, mut accepted) = (client.unwrap(), accepted.unwrap().0);
    let (upstream, mut broker) = tokio::io::duplex(2 * REQUEST.len());
    let state = State::default();
    let exchanging = async {
        let mut times = Vec::new();
        for _ in 0..ROUNDS {
            // What came before says nothing of what comes.
            client.write_all(OTHER_REQUEST).await.unwrap();
            let mut request = [0; OTHER_REQUEST.len()];
            broker.read_exact(&mut request).await.unwrap();
            broker.write_all(OTHER_ANSWER).await.unwrap();
            let mut answer = [0; OTHER_ANSWER.len()];
            client.read_exact(&mut answer).await.unwrap();

            let started = Instant::now();
            for piece in pieces {
                client.write_all(piece).await.unwrap();
            }
            let mut requests = [0; 2 * REQUEST.len()];
            broker.read_exact(&mut requests).await.unwrap();
            times.push(started.elapsed());
            broker.write_all(&ANSWER.repeat(2)).await.unwrap();
            let mut answers = [0; 2 * ANSWER.len()];
            client.read_exact(&mut answers).await.unwrap();
        }
        times.sort_unstable();
        times[ROUNDS / 2]
    };
    tokio::select! {
        ended = link::relay(&mut accepted, upstream, &state) => panic!("{ended:?}"),
        median = exchanging => median,
    }
}

/// What is told of a broker with a certificate that cannot be trusted.
async fn distrusted(certificate: &'static str) -> String {
    let (address, _serving) = broker(Some(certificate)).await;
    let relay = relay(true).await;
    let refused = check(&relay, "localhost", address.port()).await;
    refused.expect_err("not trusted")
}

#[tokio::test]
async fn a_certificate_that_cannot_be_trusted_is_said_to_be() {
    let told = distrusted(include_str!("../../../tests/data/tls/expired.pem")).await;
    let start = ": localhost:PORT TLS failed: invalid peer certificate: ";
    assert!(
        told.starts_with(&format!("{start}certificate expired")),
        "{told}"
    );

    let told = distrusted(include_str!("../../../tests/data/tls/stranger.pem")).await;
    assert_eq!(told, format!("{start}UnknownIssuer"));

    let told = distrusted(include_str!("../../../tests/data/tls/elsewhere.pem")).await;
    assert!(told.starts_with(start), "{told}");
    assert!(told.contains("not valid for name \"localhost\""), "{told}");
    assert!(told.contains("kafka.example"), "{told}");
}

#[tokio::test]
async fn a_broker_without_tls_is_said_to_break_it() {
    // Which sends what is no TLS as soon as it has seen enough.
    let (address, _serving) = broker(None).await;
    let relay = relay(true).await;
    let refused = timeout(DIAL_MAX * 3, check(&relay, "localhost", address.port())).await;
    let told = refused.expect("in time").expect_err("no TLS");
    assert!(told.starts_with(": localhost:PORT "), "{told}");
}

#[tokio::test]
async fn nobody_listening_is_told() {
    let (port, _reserved) = reserved();
    let relay = relay(false).await;
    let told = check(&relay, "127.0.0.1", port).await.expect_err("nobody");
    let expected = ": 127.0.0.1:PORT cannot be connected with: Connection refused";
    assert!(told.starts_with(expected), "{told}");
}

#[tokio::test]
async fn a_name_that_nobody_has_is_told() {
    let relay = relay(false).await;
    let told = check(&relay, "kafka.invalid", 9092).await;
    let told = told.expect_err("nobody has it");
    assert!(
        told.starts_with(": kafka.invalid:PORT cannot be connected with"),
        "{told}"
    );
}

#[tokio::test]
async fn a_broker_that_closes_instead_of_answering_is_told() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let relay = relay(false).await;
    let closing = async {
        let (mut client, _) = listener.accept().await.unwrap();
        client.read_exact(&mut [0; REQUEST.len()]).await.unwrap();
    };
    let (told, ()) = tokio::join!(check(&relay, "127.0.0.1", port), closing);
    assert_eq!(
        told,
        Err(": 127.0.0.1:PORT closed the connection, requests unanswered: 1".to_owned())
    );
}

#[tokio::test]
async fn a_broker_that_answers_with_more_than_is_taken_is_told() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let relay = relay(false).await;
    let answering = async {
        let (mut client, _) = listener.accept().await.unwrap();
        client.read_exact(&mut [0; REQUEST.len()]).await.unwrap();
        client.write_i32(FRAME_BYTES_MAX + 1).await.unwrap();
        // Until the relay goes.
        let _ = client.read_u8().await;
    };
    let (told, ()) = tokio::join!(check(&relay, "127.0.0.1", port), answering);
    let expected =
        ": 127.0.0.1:PORT not understood: a frame of 16777217 bytes, at most 16777216 are taken";
    assert_eq!(told, Err(expected.to_owned()));
}

/// The bound, as a length.
const FRAME_BYTES_MAX: i32 = 16 * 1024 * 1024;

#[tokio::test]
async fn a_broker_reached_again_is_no_trouble() {
    let relay = relay(false).await;
    assert!(!connect(&relay, "kafka.invalid", 9092).await.1);
    let (broken, reserved) = reserved();
    assert!(check(&relay, "127.0.0.1", broken).await.is_err());
    assert!(
        relay
            .state
            .broker_errors()
            .to_string()
            .contains("; kafka.invalid")
    );

    let _listener = reserved.listen(1).unwrap();
    assert!(connect(&relay, "127.0.0.1", broken).await.1);

    let errors = relay.state.broker_errors().to_string();
    assert!(!errors.contains("127.0.0.1"), "{errors}");
}

#[tokio::test]
async fn the_relay_closes_all_of_its_sockets_when_it_is_dropped() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let relay = relay(false).await;
    let (connected, accepted) = tokio::join!(
        connect(&relay, "127.0.0.1", listener.local_addr().unwrap().port()),
        listener.accept()
    );
    let (mut client, mut broker) = (connected.0, accepted.unwrap().0);
    let address = relay.address;

    drop(relay);

    let ended = async {
        let client = client.read(&mut [0; 1]).await;
        let broker = broker.read(&mut [0; 1]).await;
        assert!(matches!(client, Ok(0) | Err(_)));
        assert!(matches!(broker, Ok(0) | Err(_)));
        while TcpStream::connect(address).await.is_ok() {
            sleep(Duration::from_millis(1)).await;
        }
    };
    timeout(Duration::from_secs(5), ended)
        .await
        .expect("all is closed");
}

#[tokio::test]
async fn who_speaks_no_socks_is_let_go() {
    let relay = relay(false).await;
    for wrong in [
        b"GET / HTTP/1.1\r\n\r\n".as_slice(),
        b"\x04\x01\0\x50",
        b"\x05\x01\x02",
        b"\x05\x01\0\x05\x02\0\x01\0\0\0\0\0\0",
        b"\x05\x01\0\x05\x01\0\x09",
        b"\x05\x01\0\x05\x01\0\x03\x02\xff\xff\0\x01",
    ] {
        let mut client = TcpStream::connect(relay.address).await.unwrap();
        client.write_all(wrong).await.unwrap();
        let mut answered = Vec::new();
        // A reset is as good an end.
        let _ = timeout(Duration::from_secs(5), client.read_to_end(&mut answered))
            .await
            .expect("an end");
        assert!(
            matches!(answered[..], [] | [5, 0]),
            "{wrong:?}: {answered:?}"
        );
    }
}
