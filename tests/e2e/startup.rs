//! Everything that keeps the simulator from starting is one line on standard error.

use std::fs;
use std::net::TcpListener;
use std::time::Duration;

use tests::binaries;
use tests::path::Topics;
use tests::simulator::Launch;
use tokio::time::timeout;

/// Nobody waits longer to hear that a cluster cannot be reached.
const UNREACHABLE_MAX: Duration = Duration::from_secs(5);

/// Checks that a launch is refused, plainly and before anything is announced.
async fn check(launch: Launch, expected: &[&str]) {
    let refusal = launch.refusal(&[]).await;
    let stderr = &refusal.stderr;
    assert!(
        !refusal.status.success() && refusal.status.code().is_some(),
        "{refusal:?}"
    );
    assert_eq!(refusal.stdout, "");
    assert_eq!(stderr.lines().count(), 1, "{stderr}");
    for word in expected {
        assert!(stderr.contains(word), "{word} is missing: {stderr}");
    }
    for word in ["panicked", "backtrace", "stack", "s3cret"] {
        assert!(!stderr.contains(word), "{stderr}");
    }
}

/// Checks that a cluster that is not there is soon told.
async fn check_unreachable(address: &str) {
    let words = [address];
    let refused = check(Launch::default().kafka(address), &words);
    timeout(UNREACHABLE_MAX, refused).await.unwrap();
}

/// A listener that keeps a port taken, and its address.
fn taken() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    (listener, address)
}

#[tokio::test]
async fn the_gateways_port_is_in_use() {
    let (_taken, address) = taken();
    check(
        Launch::default().option("--listen", &address),
        &[&address, "--listen"],
    )
    .await;
}

#[tokio::test]
async fn the_brokers_port_is_in_use() {
    let (_taken, address) = taken();
    let launch = Launch::default().option("--kafka-listen", &address);
    check(launch, &[&address, "--kafka-listen"]).await;
}

#[tokio::test]
async fn the_port_asked_for_the_console_is_in_use() {
    let (_taken, address) = taken();
    let launch = Launch::default().option("--console", &address);
    check(launch, &[&address, "--console"]).await;
}

#[tokio::test]
async fn the_cluster_cannot_be_reached() {
    let (taken, address) = taken();
    drop(taken);
    check_unreachable(&address).await;
}

#[tokio::test]
async fn the_cluster_listens_but_never_answers() {
    let (_silent, address) = taken();
    check_unreachable(&address).await;
}

#[tokio::test]
async fn the_clusters_settings_do_not_fit_together() {
    let launch = Launch::default().kafka("127.0.0.1:1");
    let launch = launch.inherits("KAFKA_SASL_PASSWORD", "s3cret");
    check(launch, &["--kafka", "KAFKA_SASL_PASSWORD", "PLAINTEXT"]).await;

    let launch = Launch::default().kafka("127.0.0.1:1");
    let launch = launch
        .inherits("KAFKA_SECURITY_PROTOCOL", "SASL_SSL")
        .env("KAFKA_SECURITY_PROTOCOL", "SASL");
    check(launch, &["--kafka", "KAFKA_SECURITY_PROTOCOL", "\"SASL\""]).await;
}

#[tokio::test]
async fn with_the_embedded_broker_the_clusters_settings_of_the_environment_do_not_count() {
    let launch = Launch::default()
        .inherits("KAFKA_BROKERS", "127.0.0.1:1")
        .inherits("KAFKA_SECURITY_PROTOCOL", "SASL_SSL");
    let simulator = launch.start(&[]).await;
    tests::path::connect_message_disconnect(&simulator, &Topics::prefixed("")).await;
    simulator.stop().await;
}

#[tokio::test]
async fn the_cluster_lacks_topics() {
    let broker = Launch::default().start(&[]).await;
    let topics = Topics::prefixed("missing.");
    let launch = Launch::default()
        .contract(&topics.contract())
        .kafka(&broker.kafka);
    let Topics {
        connections,
        messages,
        chat,
    } = &topics;
    check(launch, &[connections, messages, chat, "--create-topics"]).await;
    broker.stop().await;
}

#[tokio::test]
async fn missing_topics_are_created_where_that_is_asked_for() {
    let broker = Launch::default().start(&[]).await;
    let topics = Topics::prefixed("created.");
    let launch = Launch::default()
        .contract(&topics.contract())
        .kafka(&broker.kafka);
    let simulator = launch.start(&["--create-topics"]).await;
    assert_eq!(simulator.kafka, broker.kafka);
    tests::path::connect_message_disconnect(&simulator, &topics).await;
    simulator.stop().await;
    broker.stop().await;
}

#[tokio::test]
async fn the_contract_is_missing() {
    let launch = Launch::default().option("--contract", "/nowhere/gateway.yaml");
    check(launch, &["/nowhere/gateway.yaml"]).await;
}

#[tokio::test]
async fn the_contract_is_wrong() {
    let contract = "routeSelectionExpression: $request.body.action\nrouts: {}\n";
    check(
        Launch::default().contract(contract),
        &["gateway.yaml:2:", "routs"],
    )
    .await;
}

#[tokio::test]
async fn the_contract_names_a_function_that_nobody_has() {
    let contract = "
routeSelectionExpression: $request.body.action
routes: { $default: { function: nobody } }
";
    check(
        Launch::default().contract(contract),
        &["nobody", "--function"],
    )
    .await;
}

#[tokio::test]
async fn a_given_function_is_missing() {
    let launch = Launch::default().option("--function", "message=/nowhere/message");
    check(launch, &["/nowhere/message"]).await;
}

#[tokio::test]
async fn a_given_function_is_not_executable() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let path = file.path().to_str().unwrap();
    check(
        Launch::default().option("--function", &format!("message={path}")),
        &[path],
    )
    .await;
}

#[tokio::test]
async fn there_are_no_binaries_and_none_may_be_built() {
    let empty = tempfile::TempDir::new().unwrap();
    let program = empty.path().join("local-sim");
    binaries::copy(binaries::local_sim(), &program);
    check(Launch::default().program(&program), &["--no-build"]).await;
}

#[tokio::test]
async fn a_function_is_given_that_no_route_names() {
    let launch = Launch::default().option("--function", "mesage=/bin/true");
    check(launch, &["--function mesage", "message"]).await;
}

#[tokio::test]
async fn where_kafka_usually_is_the_other_way_to_use_it_is_named() {
    // Somebody else's listener does as well as this one.
    let _taken = TcpListener::bind("127.0.0.1:9092");
    let launch = Launch::default().option("--kafka-listen", "127.0.0.1:9092");
    check(launch, &["--kafka-listen", "--kafka uses it"]).await;
}

#[tokio::test]
async fn the_faults_are_wrong() {
    let folder = tempfile::TempDir::new().unwrap();
    let path = folder.path().join("faults.yaml");
    let name = path.display().to_string();
    let launch = || Launch::default().option("--faults", &name);
    check(launch(), &[&name, "file not found"]).await;
    for (yaml, expected) in [
        (
            "gateway:\n  reorder: {}\n",
            ":2: gateway.reorder.millis: field is missing",
        ),
        (
            "functions: { nobody: {} }",
            ":1: functions.nobody: a function",
        ),
        ("seed: [", "not YAML"),
    ] {
        fs::write(&path, yaml).unwrap();
        check(launch(), &[&name, expected]).await;
    }
    fs::write(&path, "kafka: { silent: {} }").unwrap();
    let elsewhere = launch().kafka("127.0.0.1:1");
    check(elsewhere, &[&name, ":1: kafka: faults", "--kafka"]).await;
}
