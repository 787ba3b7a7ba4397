//! Every failure to start is one line on standard error.

use std::{fs, net::TcpListener, time::Duration};

use tests::{binaries, path::Topics, simulator::Launch};
use tokio::time::timeout;

/// The longest that the simulator may take to report an unreachable cluster.
const UNREACHABLE_MAX: Duration = Duration::from_secs(5);

/// Checks that a launch fails with one line that contains `expected`, and prints no address.
async fn check_fails(launch: Launch, expected: &[&str]) {
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

/// Checks that an unreachable cluster is reported in time.
async fn check_unreachable(address: &str) {
    let words = [address];
    let refused = check_fails(Launch::default().kafka(address), &words);
    timeout(UNREACHABLE_MAX, refused).await.unwrap();
}

/// Returns a listener that occupies a port, and its address.
fn taken() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    (listener, address)
}

#[tokio::test]
async fn the_gateways_port_is_in_use() {
    let (_taken, address) = taken();
    check_fails(
        Launch::default().option("--listen", &address),
        &[&address, "--listen"],
    )
    .await;
}

#[tokio::test]
async fn the_brokers_port_is_in_use() {
    let (_taken, address) = taken();
    let launch = Launch::default().option("--kafka-listen", &address);
    check_fails(launch, &[&address, "--kafka-listen"]).await;
}

#[tokio::test]
async fn the_consoles_port_is_in_use() {
    let (_taken, address) = taken();
    let launch = Launch::default().option("--console", &address);
    check_fails(launch, &[&address, "--console"]).await;
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
async fn the_clusters_settings_contradict_each_other() {
    let launch = Launch::default().kafka("127.0.0.1:1");
    let launch = launch.inherits("KAFKA_SASL_PASSWORD", "s3cret");
    check_fails(launch, &["--kafka", "KAFKA_SASL_PASSWORD", "PLAINTEXT"]).await;

    let launch = Launch::default().kafka("127.0.0.1:1");
    let launch = launch
        .inherits("KAFKA_SECURITY_PROTOCOL", "SASL_SSL")
        .env("KAFKA_SECURITY_PROTOCOL", "SASL");
    check_fails(launch, &["--kafka", "KAFKA_SECURITY_PROTOCOL", "\"SASL\""]).await;
}

#[tokio::test]
async fn the_embedded_broker_ignores_cluster_settings_from_the_environment() {
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
    check_fails(launch, &[connections, messages, chat, "--create-topics"]).await;
    broker.stop().await;
}

#[tokio::test]
async fn missing_topics_are_created_with_create_topics() {
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
    check_fails(launch, &["/nowhere/gateway.yaml"]).await;
}

#[tokio::test]
async fn the_contract_is_invalid() {
    let contract = "routeSelectionExpression: $request.body.action\nrouts: {}\n";
    check_fails(
        Launch::default().contract(contract),
        &["gateway.yaml:2:", "routs"],
    )
    .await;
}

#[tokio::test]
async fn the_contract_names_an_unknown_function() {
    let contract = "
routeSelectionExpression: $request.body.action
routes: { $default: { function: nobody } }
";
    check_fails(
        Launch::default().contract(contract),
        &["nobody", "--function"],
    )
    .await;
}

#[tokio::test]
async fn a_given_function_is_missing() {
    let launch = Launch::default().option("--function", "message=/nowhere/message");
    check_fails(launch, &["/nowhere/message"]).await;
}

#[tokio::test]
async fn a_given_function_is_not_executable() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let path = file.path().to_str().unwrap();
    check_fails(
        Launch::default().option("--function", &format!("message={path}")),
        &[path],
    )
    .await;
}

#[tokio::test]
async fn no_build_needs_existing_binaries() {
    let empty = tempfile::TempDir::new().unwrap();
    let program = empty.path().join("local-sim");
    binaries::copy(binaries::local_sim(), &program);
    check_fails(Launch::default().program(&program), &["--no-build"]).await;
}

#[tokio::test]
async fn a_given_function_has_no_route() {
    let launch = Launch::default().option("--function", "mesage=/bin/true");
    check_fails(launch, &["--function mesage", "message"]).await;
}

#[tokio::test]
async fn if_kafkas_usual_port_is_in_use_the_error_suggests_using_that_kafka() {
    // Another process may hold the port already, which serves as well.
    let _taken = TcpListener::bind("127.0.0.1:9092");
    let launch = Launch::default().option("--kafka-listen", "127.0.0.1:9092");
    check_fails(launch, &["--kafka-listen", "--kafka uses it"]).await;
}

#[tokio::test]
async fn the_faults_file_is_invalid() {
    let folder = tempfile::TempDir::new().unwrap();
    let path = folder.path().join("faults.yaml");
    let name = path.display().to_string();
    let launch = || Launch::default().option("--faults", &name);
    check_fails(launch(), &[&name, "file not found"]).await;
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
        check_fails(launch(), &[&name, expected]).await;
    }
    fs::write(&path, "kafka: { silent: {} }").unwrap();
    let elsewhere = launch().kafka("127.0.0.1:1");
    check_fails(elsewhere, &[&name, ":1: kafka: faults", "--kafka"]).await;
}
