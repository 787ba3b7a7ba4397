//! The simulator as a library, in the test's own process.

use std::{fs, net::SocketAddr, os::unix::fs::PermissionsExt as _};

use local_sim::{Endpoints, Options, Simulator};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

const CONTRACT: &str =
    "routeSelectionExpression: $request.body.action\nroutes: { chat: { function: mine } }\n";

/// Starts a simulator on free ports, with a route whose function never answers.
async fn start() -> (Simulator, tempfile::TempDir) {
    let folder = tempfile::tempdir().expect("cannot create a folder");
    let contract = folder.path().join("gateway.yaml");
    fs::write(&contract, CONTRACT).expect("cannot write the contract");
    let program = folder.path().join("mine");
    fs::write(&program, "#!/bin/sh\nexec sleep 60\n").expect("cannot write the program");
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755))
        .expect("cannot make the program executable");
    let free = SocketAddr::from(([127, 0, 0, 1], 0));
    let simulator = Simulator::start(Options {
        contract,
        listen: free,
        console: Some(free),
        kafka_listen: free,
        functions: vec![("mine".to_owned(), program)],
        ..Options::default()
    })
    .await
    .expect("the simulator does not start");
    (simulator, folder)
}

fn address(url: &str) -> &str {
    let (_, rest) = url.split_once("://").expect("the URL has a scheme");
    rest.split('/').next().expect("the URL has an address")
}

/// Opens a WebSocket, and reads the head of the handshake's response.
async fn connect(endpoints: &Endpoints) -> TcpStream {
    let address = address(&endpoints.websocket);
    let mut socket = TcpStream::connect(address)
        .await
        .expect("cannot connect to the gateway");
    let request = format!(
        "GET /dev HTTP/1.1\r\nHost: {address}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    );
    socket
        .write_all(request.as_bytes())
        .await
        .expect("cannot send the handshake");
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(
            socket
                .read_u8()
                .await
                .expect("the handshake has no response"),
        );
    }
    assert!(head.starts_with(b"HTTP/1.1 101 "), "{head:?}");
    socket
}

/// Reads until the connection closes.
async fn rest(mut socket: TcpStream) -> Vec<u8> {
    let mut rest = Vec::new();
    let _ = socket.read_to_end(&mut rest).await;
    rest
}

#[tokio::test(flavor = "multi_thread")]
async fn the_simulator_serves_until_it_is_ended() {
    let (simulator, _folder) = start().await;
    let endpoints = simulator.endpoints().clone();
    let socket = connect(&endpoints).await;
    TcpStream::connect(&endpoints.kafka)
        .await
        .expect("cannot connect to the broker");
    TcpStream::connect(address(&endpoints.console))
        .await
        .expect("cannot connect to the console");
    simulator.end().await;
    // A close frame with code 1012.
    assert_eq!(rest(socket).await, b"\x88\x11\x03\xf4Service restart");
    for address in [
        address(&endpoints.websocket),
        &endpoints.kafka,
        address(&endpoints.console),
    ] {
        TcpStream::connect(address).await.expect_err(address);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_simulator_ends_when_it_is_dropped() {
    let (simulator, _folder) = start().await;
    let socket = connect(simulator.endpoints()).await;
    drop(simulator);
    assert!(rest(socket).await.starts_with(b"\x88"));
}

#[tokio::test(flavor = "multi_thread")]
async fn two_simulators_run_side_by_side() {
    let ((one, _folder), (other, _other)) = tokio::join!(start(), start());
    connect(one.endpoints()).await;
    one.end().await;
    connect(other.endpoints()).await;
    other.end().await;
}
