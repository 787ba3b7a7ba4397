//! Connections through the relay, and the errors of those that fail.

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
    dial::{DIAL_TIMEOUT, connect as dial},
    host::Broker,
    link,
    state::State,
};

const CA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/tls/ca.pem");

/// A Produce request and its response, which throttles.
const REQUEST: &[u8] = b"\0\0\0\x0c\0\0\0\x07\0\0\0\x01body";
const RESPONSE: &[u8] = b"\0\0\0\x0f\0\0\0\x01results\0\0\0\x05";
/// A Fetch request and its response, which the relay forwards unchanged.
const OTHER_REQUEST: &[u8] = b"\0\0\0\x08\0\x01\0\x04\0\0\0\x02";
const OTHER_RESPONSE: &[u8] = b"\0\0\0\x04\0\0\0\x02";
const UNTHROTTLED: &[u8] = b"\0\0\0\x0f\0\0\0\x01results\0\0\0\0";

/// A broker that responds to `REQUEST`, with TLS if it has a certificate.
async fn broker(certificate: Option<&'static str>) -> (SocketAddr, JoinSet<()>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let mut serving = JoinSet::new();
    serving.spawn(async move {
        loop {
            let (socket, _) = listener.accept().await.unwrap();
            match certificate {
                None => respond(socket).await,
                Some(pem) => match acceptor(pem).accept(socket).await {
                    Ok(stream) => respond(stream).await,
                    // The client rejected the certificate.
                    Err(_) => continue,
                },
            }
        }
    });
    (address, serving)
}

async fn respond(mut client: impl tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin) {
    let mut request = vec![0; REQUEST.len()];
    if client.read_exact(&mut request).await.is_ok() && request == REQUEST {
        client.write_all(RESPONSE).await.unwrap();
        // Keeps the connection open until the client closes it.
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

/// A port that is bound but not listening: connects are refused, and no other process can bind it.
fn reserved() -> (u16, TcpSocket) {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
    (socket.local_addr().unwrap().port(), socket)
}

async fn relay(tls: bool) -> Relay {
    let tls = tls.then(|| crate::tls::client_config(Some(CA)).unwrap());
    Relay::start(tls).await.unwrap()
}

/// Requests a connection from the relay as rskafka does. Returns whether it succeeded.
async fn connect(relay: &Relay, host: &str, port: u16) -> (TcpStream, bool) {
    let mut client = TcpStream::connect(relay.address).await.unwrap();
    client.write_all(b"\x05\x01\0").await.unwrap();
    let mut method = [0; 2];
    client.read_exact(&mut method).await.unwrap();
    assert_eq!(&method, b"\x05\0");
    let mut request = b"\x05\x01\0\x03".to_vec();
    request.push(u8::try_from(host.len()).unwrap());
    request.extend(host.as_bytes());
    request.extend(port.to_be_bytes());
    client.write_all(&request).await.unwrap();
    let mut reply = [0; 10];
    client.read_exact(&mut reply).await.unwrap();
    assert_eq!(&reply[2..], b"\0\x01\0\0\0\0\0\0");
    (client, reply[1] == 0)
}

/// Sends `REQUEST` through the relay. Returns the response, or the errors with the port replaced.
async fn check(relay: &Relay, host: &str, port: u16) -> Result<Vec<u8>, String> {
    let errors = |relay: &Relay| {
        let errors = relay.state.broker_errors().to_string();
        errors.replace(&port.to_string(), "PORT")
    };
    let (mut client, connected) = connect(relay, host, port).await;
    if !connected {
        return Err(errors(relay));
    }
    client.write_all(REQUEST).await.unwrap();
    let mut response = vec![0; RESPONSE.len()];
    match client.read_exact(&mut response).await {
        Ok(_) => Ok(response),
        Err(_) => Err(errors(relay)),
    }
}

#[tokio::test]
async fn a_broker_is_reached_by_address_and_by_name() {
    let (address, _serving) = broker(None).await;
    let relay = relay(false).await;
    for host in ["127.0.0.1", "localhost"] {
        let response = check(&relay, host, address.port()).await;
        assert_eq!(response, Ok(UNTHROTTLED.to_vec()));
    }
    assert!(relay.state.throttled_until().is_some());
}

#[tokio::test]
async fn a_broker_is_reached_through_tls() {
    let (address, _serving) = broker(Some(include_str!("../../../tests/data/tls/valid.pem"))).await;
    let relay = relay(true).await;
    for host in ["127.0.0.1", "localhost"] {
        let response = check(&relay, host, address.port()).await;
        assert_eq!(response, Ok(UNTHROTTLED.to_vec()));
    }
}

/// With Nagle's algorithm, the second of two small pieces would wait until the broker acknowledges
/// the first.
#[tokio::test]
async fn nagles_algorithm_is_off_toward_brokers() {
    let (address, _serving) = broker(None).await;
    let broker = Broker {
        host: "localhost".to_owned(),
        port: address.port(),
    };
    // Connections with and without TLS use this socket.
    assert!(dial(&broker).await.unwrap().nodelay().unwrap());
}

/// rskafka leaves Nagle's algorithm on, writes requests over 8 KiB in two pieces, and sends the
/// next record without waiting for a response. Each piece waits until the previous one is
/// acknowledged. After the first response, Linux delays acknowledgements by at least 40 ms.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn each_piece_of_a_request_is_acknowledged_at_once() {
    let (length, rest) = REQUEST.split_at(4);
    for pieces in [[length, rest].repeat(2), [REQUEST].repeat(2)] {
        let median = time_of_two_requests(&pieces).await;
        assert!(median < Duration::from_millis(20), "{median:?}: {pieces:?}");
    }
}

/// The median time until a broker has received two requests sent in these pieces.
#[cfg(target_os = "linux")]
async fn time_of_two_requests(pieces: &[&[u8]]) -> Duration {
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
            // An exchange first, so that the kernel delays acknowledgements again.
            client.write_all(OTHER_REQUEST).await.unwrap();
            let mut request = [0; OTHER_REQUEST.len()];
            broker.read_exact(&mut request).await.unwrap();
            broker.write_all(OTHER_RESPONSE).await.unwrap();
            let mut response = [0; OTHER_RESPONSE.len()];
            client.read_exact(&mut response).await.unwrap();

            let started = Instant::now();
            for piece in pieces {
                client.write_all(piece).await.unwrap();
            }
            let mut requests = [0; 2 * REQUEST.len()];
            broker.read_exact(&mut requests).await.unwrap();
            times.push(started.elapsed());
            broker.write_all(&RESPONSE.repeat(2)).await.unwrap();
            let mut responses = [0; 2 * RESPONSE.len()];
            client.read_exact(&mut responses).await.unwrap();
        }
        times.sort_unstable();
        times[ROUNDS / 2]
    };
    tokio::select! {
        ended = link::relay(&mut accepted, upstream, &state) => panic!("{ended:?}"),
        median = exchanging => median,
    }
}

/// The error for a broker with an untrusted certificate.
async fn untrusted(certificate: &'static str) -> String {
    let (address, _serving) = broker(Some(certificate)).await;
    let relay = relay(true).await;
    let result = check(&relay, "localhost", address.port()).await;
    result.expect_err("the certificate is not trusted")
}

#[tokio::test]
async fn an_untrusted_certificate_is_reported_with_its_reason() {
    let error = untrusted(include_str!("../../../tests/data/tls/expired.pem")).await;
    let start = ": localhost:PORT: TLS handshake failed: invalid peer certificate: ";
    assert!(
        error.starts_with(&format!("{start}certificate expired")),
        "{error}"
    );

    let error = untrusted(include_str!("../../../tests/data/tls/other-ca.pem")).await;
    assert_eq!(error, format!("{start}UnknownIssuer"));

    let error = untrusted(include_str!("../../../tests/data/tls/other-name.pem")).await;
    assert!(error.starts_with(start), "{error}");
    assert!(
        error.contains("not valid for name \"localhost\""),
        "{error}"
    );
    assert!(error.contains("kafka.example"), "{error}");
}

#[tokio::test]
async fn a_broker_without_tls_is_reported() {
    // The broker sends bytes that are not TLS once it has received as many as a request has.
    let (address, _serving) = broker(None).await;
    let relay = relay(true).await;
    let checking = check(&relay, "localhost", address.port());
    let result = timeout(DIAL_TIMEOUT * 3, checking).await;
    let error = result.expect("in time").expect_err("no TLS");
    assert!(error.starts_with(": localhost:PORT: "), "{error}");
}

#[tokio::test]
async fn a_refused_connection_is_reported() {
    let (port, _reserved) = reserved();
    let relay = relay(false).await;
    let result = check(&relay, "127.0.0.1", port).await;
    let error = result.expect_err("the port is closed");
    let expected = ": 127.0.0.1:PORT: connect failed: Connection refused";
    assert!(error.starts_with(expected), "{error}");
}

#[tokio::test]
async fn an_unknown_host_name_is_reported() {
    let relay = relay(false).await;
    let result = check(&relay, "kafka.invalid", 9092).await;
    let error = result.expect_err("the name does not resolve");
    assert!(
        error.starts_with(": kafka.invalid:PORT: connect failed"),
        "{error}"
    );
}

#[tokio::test]
async fn a_connection_that_is_closed_without_a_response_is_reported() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let relay = relay(false).await;
    let closing = async {
        let (mut client, _) = listener.accept().await.unwrap();
        client.read_exact(&mut [0; REQUEST.len()]).await.unwrap();
    };
    let (result, ()) = tokio::join!(check(&relay, "127.0.0.1", port), closing);
    let expected = ": 127.0.0.1:PORT: the broker closed the connection (unanswered requests: 1)";
    assert_eq!(result, Err(expected.to_owned()));
}

#[tokio::test]
async fn a_response_over_the_maximum_length_is_reported() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let relay = relay(false).await;
    let responding = async {
        let (mut client, _) = listener.accept().await.unwrap();
        client.read_exact(&mut [0; REQUEST.len()]).await.unwrap();
        client.write_i32(FRAME_BYTES_MAX + 1).await.unwrap();
        // Keeps the connection open until the relay closes it.
        let _ = client.read_u8().await;
    };
    let (result, ()) = tokio::join!(check(&relay, "127.0.0.1", port), responding);
    let expected = ": 127.0.0.1:PORT: protocol error: invalid frame length 16777217 (the maximum is 16777216 bytes)";
    assert_eq!(result, Err(expected.to_owned()));
}

/// The maximum as an `i32`.
const FRAME_BYTES_MAX: i32 = 16 * 1024 * 1024;

#[tokio::test]
async fn a_successful_connect_clears_the_brokers_error() {
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
        .expect("all sockets are closed");
}

#[tokio::test]
async fn a_client_without_valid_socks5_is_disconnected() {
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
        let mut reply = Vec::new();
        // The connection may also be reset.
        let _ = timeout(Duration::from_secs(5), client.read_to_end(&mut reply))
            .await
            .expect("the relay closes the connection");
        assert!(matches!(reply[..], [] | [5, 0]), "{wrong:?}: {reply:?}");
    }
}
