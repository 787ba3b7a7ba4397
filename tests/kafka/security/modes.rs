//! Each protocol with each mechanism: a client's frame arrives.

use tests::path;
use tests::secured_kafka::{Listener, SecuredKafka, USERNAME, password};
use tests::simulator::{Launch, Simulator};

use super::launch;
use crate::own_topics;

/// The protocol of a listener, and the mechanism to use with it.
pub(crate) type Mode = (Listener, &'static str, Option<&'static str>);

pub(crate) const SASL_SSL: Mode = (Listener::SaslSsl, "SASL_SSL", Some("SCRAM-SHA-512"));

/// The variables that connect in a mode.
pub(crate) fn variables(
    (_, protocol, mechanism): Mode,
    kafka: &SecuredKafka,
) -> Vec<(&'static str, String)> {
    let mut variables = vec![("KAFKA_SECURITY_PROTOCOL", protocol.to_owned())];
    match protocol {
        "SSL" => variables.push(("KAFKA_SSL_CA", kafka.authority.clone())),
        "SASL_SSL" => {
            let file = kafka.authority_file.display().to_string();
            variables.push(("KAFKA_SSL_CA", file));
        }
        _ => {}
    }
    if let Some(mechanism) = mechanism {
        variables.extend([
            ("KAFKA_SASL_MECHANISM", mechanism.to_owned()),
            ("KAFKA_SASL_USERNAME", USERNAME.to_owned()),
            ("KAFKA_SASL_PASSWORD", password(mechanism)),
        ]);
    }
    variables
}

async fn check(mode: Mode) {
    check_given(mode, |launch, name, value| launch.env(name, value)).await;
}

/// Starts with the variables of a mode, however they are given, and walks the whole path; the
/// records are read by another listener.
async fn check_given(mode: Mode, give: impl Fn(Launch, &str, &str) -> Launch) {
    let (kafka, topics) = (SecuredKafka::shared().await, own_topics());
    let (listener, _, mechanism) = mode;
    let launch = variables(mode, kafka)
        .iter()
        .fold(launch(kafka, listener, &topics), |launch, (name, value)| {
            give(launch, name, value)
        });
    let mut simulator = launch.start(&["--create-topics"]).await;
    assert_eq!(simulator.kafka, kafka.address(listener));
    simulator.kafka = kafka.address(Listener::Plaintext);
    path::connect_message_disconnect(&simulator, &topics).await;
    check_silence(&simulator, mechanism);
    simulator.stop().await;
}

fn check_silence(simulator: &Simulator, mechanism: Option<&str>) {
    let log = simulator.stderr();
    assert!(!log.contains("ERROR") && !log.contains("WARN"), "{log}");
    assert!(mechanism.is_none_or(|mechanism| !log.contains(&password(mechanism))));
}

#[tokio::test]
async fn plaintext() {
    check((Listener::Plaintext, "PLAINTEXT", None)).await;
}

#[tokio::test]
async fn ssl() {
    check((Listener::Ssl, "SSL", None)).await;
}

#[tokio::test]
async fn sasl_plaintext_with_plain() {
    check((Listener::SaslPlaintext, "SASL_PLAINTEXT", Some("PLAIN"))).await;
}

#[tokio::test]
async fn sasl_plaintext_with_scram_sha_256() {
    let mechanism = Some("SCRAM-SHA-256");
    check((Listener::SaslPlaintext, "SASL_PLAINTEXT", mechanism)).await;
}

#[tokio::test]
async fn sasl_plaintext_with_scram_sha_512() {
    let mechanism = Some("SCRAM-SHA-512");
    check((Listener::SaslPlaintext, "SASL_PLAINTEXT", mechanism)).await;
}

#[tokio::test]
async fn sasl_ssl_with_plain() {
    check((Listener::SaslSsl, "SASL_SSL", Some("PLAIN"))).await;
}

#[tokio::test]
async fn sasl_ssl_with_scram_sha_256() {
    check((Listener::SaslSsl, "SASL_SSL", Some("SCRAM-SHA-256"))).await;
}

#[tokio::test]
async fn sasl_ssl_with_scram_sha_512() {
    check(SASL_SSL).await;
}

#[tokio::test]
async fn settings_may_be_those_of_local_sims_own_environment() {
    check_given(SASL_SSL, |launch, name, value| launch.inherits(name, value)).await;
}

/// With PLAIN: librdkafka before 2.6.1 errs in SCRAM in a way that Kafka takes amiss now
/// (confluentinc/librdkafka#4895).
#[cfg(feature = "kcat")]
#[tokio::test]
async fn kcat_connects_with_the_same_settings() {
    use tests::client::Client;
    use tests::kcat::kcat;

    let (kafka, topics) = (SecuredKafka::shared().await, own_topics());
    let mode = (Listener::SaslSsl, "SASL_SSL", Some("PLAIN"));
    let launch = launch(kafka, Listener::SaslSsl, &topics);
    let given = variables(mode, kafka);
    let launch = given
        .iter()
        .fold(launch, |launch, (name, value)| launch.env(name, value));
    let simulator = launch.start(&["--create-topics"]).await;
    let mut client = Client::connect(&simulator.websocket).await;
    client.ask("over TLS").await;

    let authority = format!("ssl.ca.location={}", kafka.authority_file.display());
    let username = format!("sasl.username={USERNAME}");
    let password = format!("sasl.password={}", password("PLAIN"));
    let mut arguments = vec![
        "-C",
        "-d",
        "security,broker",
        "-e",
        "-q",
        "-t",
        &topics.messages,
        "-f",
        "%s\n",
    ];
    for property in [
        "security.protocol=SASL_SSL",
        "sasl.mechanism=PLAIN",
        &authority,
        &username,
        &password,
    ] {
        arguments.extend(["-X", property]);
    }
    let read = kcat(&simulator.kafka, &arguments, "").await;
    assert_eq!(read, "over TLS\n");
    simulator.stop().await;
}
