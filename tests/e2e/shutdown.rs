//! Shutdown: graceful after a signal, and without leftover processes after a kill.

use std::path::Path;

use rustix::process::Signal;
use serde_json::json;
use tests::{
    client::Client,
    consumer::Consumer,
    probe::Step,
    simulator::{Launch, none_left},
    wait::eventually,
};

/// Clients that are connected at shutdown.
const CLIENTS: usize = 5;

/// Checks that a signal closes open connections and records every disconnect.
///
/// Another simulator provides the broker, so that the records outlive the shutdown.
async fn check_graceful(signal: Signal) {
    let broker = Launch::default().start(&[]).await;
    let launch = Launch::default().kafka(&broker.kafka);
    let mut simulator = launch.start(&[]).await;
    let mut clients = Vec::new();
    for _ in 0..CLIENTS {
        let mut client = Client::connect(&simulator.websocket).await;
        client.ask("hello").await;
        clients.push(client);
    }
    let processes = simulator.processes();
    assert!(!processes.is_empty());

    simulator.signal(signal);
    let closes = futures_util::future::join_all(clients.iter_mut().map(Client::closed));
    let (codes, status) = tokio::join!(closes, simulator.ended());
    assert!(status.success(), "{status}");
    let code = codes[0];
    assert!(
        codes.iter().all(|other| *other == code) && [1001, 1012].contains(&code),
        "{codes:?}"
    );
    none_left(&processes).await;
    let consumer = Consumer::connect(&broker.kafka).await;
    let records = consumer.records("ws.connections", 2 * CLIENTS).await;
    let disconnects = records
        .iter()
        .filter(|record| record.header("ce_routekey") == "$disconnect");
    let codes: Vec<_> = disconnects
        .map(|record| record.json()["disconnectStatusCode"].clone())
        .collect();
    assert_eq!(codes, [(); CLIENTS].map(|()| code));
    assert_eq!(
        simulator.stdout().lines().count(),
        4,
        "{}",
        simulator.stdout()
    );
    broker.stop().await;
}

#[tokio::test]
async fn sigterm_closes_connections_and_records_their_disconnects() {
    check_graceful(Signal::TERM).await;
}

#[tokio::test]
async fn sigint_closes_connections_and_records_their_disconnects() {
    check_graceful(Signal::INT).await;
}

#[tokio::test]
async fn at_shutdown_a_disconnect_function_can_still_call_connections() {
    let contract = "routeSelectionExpression: $request.body.action\n\
                    routes: { $disconnect: { function: probe } }";
    let launch = Launch::default().contract(contract);
    let launch = launch.executable("probe", Path::new(env!("CARGO_BIN_EXE_probe")));
    let mut simulator = launch.start(&[]).await;
    let post = json!([Step::Post {
        to: None,
        text: "late".to_owned()
    }]);
    let headers = [("user-agent", &*format!("do={post}"))];
    let mut client = Client::open(&simulator.websocket, &headers).await.unwrap();
    simulator.signal(Signal::TERM);
    let (code, status) = tokio::join!(client.closed(), simulator.ended());
    assert!(status.success() && code == 1012, "{status} {code}");
    let stderr = simulator.stderr();
    assert!(stderr.contains("refused with 410: "), "{stderr}");
    assert!(!stderr.contains("shutdown timed out"), "{stderr}");
}

#[tokio::test]
async fn a_killed_simulator_leaves_no_process_not_even_a_stopped_one() {
    let simulator = Launch::default().start(&[]).await;
    let mut client = Client::connect(&simulator.websocket).await;
    client.ask("hello").await;
    let processes = simulator.processes();
    let stopped = &simulator.function("/release/message")[0];
    stopped.signal(Signal::STOP);
    eventually("the function is stopped", async || {
        stopped.is_stopped().then_some(())
    })
    .await;
    simulator.signal(Signal::KILL);
    none_left(&processes).await;
}

#[tokio::test]
async fn standard_output_lists_the_addresses_and_nothing_else() {
    let simulator = Launch::default().start(&[]).await;
    let mut client = Client::connect(&simulator.websocket).await;
    client.ask("hello").await;
    let host = simulator
        .websocket
        .strip_prefix("ws://")
        .and_then(|rest| rest.strip_suffix("/dev"));
    let expected = format!(
        "websocket    ws://{host}/dev\nconnections  http://{host}/dev/@connections\nkafka        {kafka}\n\
         console      {console}\n",
        host = host.unwrap(),
        kafka = simulator.kafka,
        console = simulator.console,
    );
    assert_eq!(simulator.stdout(), expected);
    simulator.stop().await;
}
