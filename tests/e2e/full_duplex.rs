//! From browsers through the embedded broker to a service, and back to the same browsers.

use tests::{
    duplex::{self, Topics, connected},
    kcat::kcat,
};

/// Clients that connect and converse concurrently.
const CLIENTS: usize = 1000;

#[tokio::test]
async fn each_of_a_thousand_clients_gets_only_its_own_answers_in_order() {
    let topics = Topics::prefixed("");
    let simulator = topics.launch("").start(&[]).await;
    duplex::crowd(&simulator, &topics, CLIENTS).await;
    simulator.stop().await;
}

#[tokio::test]
async fn a_line_typed_into_kcat_reaches_the_client() {
    let topics = Topics::prefixed("");
    let simulator = topics.launch("").start(&[]).await;
    let (mut client, id) = connected(&simulator, &topics, "a").await;
    let by_header = format!("ce_connectionid={id}");
    let by_list = format!(r#"to=["{id}"]"#);
    let by_key = format!("{id}\thello\n");
    for (option, value, line) in [
        ("-H", by_header.as_str(), "hello\n"),
        ("-H", &by_list, "hello\n"),
        ("-K", "\t", &by_key),
    ] {
        let arguments = ["-P", "-t", &topics.outbound, option, value];
        kcat(&simulator.kafka, &arguments, line).await;
        assert_eq!(client.next().await, "hello", "{option} {value}");
    }
    simulator.stop().await;
}
