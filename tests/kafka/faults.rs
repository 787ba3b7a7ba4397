//! Every fault for some seconds, one after the other: they share a cluster.

use serde_json::json;
use tests::client::Client;
use tests::cluster::Cluster;
use tests::faults::{Extent, Fault, Report};
use tests::path::Topics;
use tests::simulator::Launch;
use uuid::Uuid;

#[expect(clippy::print_stdout, reason = "cargo shows it where the test fails")]
async fn check(fault: Fault) {
    let report = fault.run(&Extent::SHORT).await;
    println!("{}\n{report}", Report::HEAD);
    assert!(report.complaints.is_empty(), "{:#?}", report.complaints);
    assert_eq!(report.lost, 0);
}

#[tokio::test]
async fn a_leader_may_be_killed() {
    check(Fault::LeaderKilled).await;
}

#[tokio::test]
async fn a_broker_may_stop_and_go_on() {
    check(Fault::BrokerStopped).await;
}

#[tokio::test]
async fn brokers_may_be_upgraded_one_by_one() {
    check(Fault::BrokersRolled).await;
}

#[tokio::test]
async fn nothing_is_acknowledged_with_two_of_three_away() {
    check(Fault::TwoOfThreeAway).await;
}

#[tokio::test]
async fn connections_may_be_cut() {
    check(Fault::ConnectionsCut).await;
}

#[tokio::test]
async fn connections_may_go_stale() {
    check(Fault::ConnectionsForgotten).await;
}

#[tokio::test]
async fn the_network_may_fall_silent() {
    check(Fault::NetworkSilent).await;
}

#[tokio::test]
async fn the_network_may_be_slow() {
    check(Fault::NetworkSlow).await;
}

#[tokio::test]
async fn answers_may_be_cut_short() {
    check(Fault::AnswersCut).await;
}

#[tokio::test]
async fn what_is_throttled_is_stored_once() {
    check(Fault::Throttled).await;
}

#[tokio::test]
async fn functions_may_be_frozen() {
    check(Fault::FunctionsFrozen).await;
}

#[cfg(feature = "faketime")]
#[tokio::test]
async fn functions_frozen_for_minutes_trust_no_old_connection() {
    check(Fault::FunctionsFrozenLong).await;
}

#[tokio::test]
async fn functions_may_be_killed() {
    check(Fault::FunctionsKilled).await;
}

#[tokio::test]
async fn functions_may_time_out() {
    check(Fault::FunctionsTimedOut).await;
}

#[cfg(feature = "faketime")]
#[tokio::test]
async fn topics_may_get_more_partitions() {
    check(Fault::PartitionsAdded).await;
}

#[tokio::test]
async fn records_may_be_too_large() {
    check(Fault::RecordsTooLarge).await;
}

#[tokio::test]
async fn passwords_may_be_wrong_and_right_again() {
    check(Fault::PasswordsChanged).await;
}

#[tokio::test]
async fn certificates_may_be_bad_and_good_again() {
    check(Fault::CertificatesBad).await;
}

#[tokio::test]
async fn a_topic_that_is_deleted_is_no_topic_until_it_is_there_again() {
    let cluster = Cluster::exclusive().await;
    let _proxies = cluster.proxies().await;
    let topics = Topics::prefixed(&format!("{}.", Uuid::new_v4()));
    let launch = || {
        let launch = Launch::default().contract(&topics.contract());
        launch.kafka(&cluster.brokers())
    };
    let simulator = launch().start(&["--create-topics"]).await;
    let mut client = Client::connect(&simulator.websocket).await;
    let ack = json!({"type": "ack", "id": 1});
    let message = r#"{"action":"chat","id":1}"#;
    assert_eq!(client.ask(message).await, ack);

    cluster.admin().delete_topic(&topics.chat).await;
    let mut refusal = client.ask(message).await;
    if refusal["code"] == "unavailable" {
        // It had been sent to a leader that then lost the topic, and may have written it.
        assert_eq!(refusal["retryable"], true, "{refusal}");
        refusal = client.ask(message).await;
    }
    assert_eq!(refusal["code"], "no_topic", "{refusal}");
    assert_eq!(refusal["retryable"], false, "{refusal}");
    // The brokers make a topic for whoever asks for it otherwise than we do.
    assert_eq!(cluster.admin().partitions(&topics.chat).await, []);

    // Whoever starts another one has the topic made again.
    launch().start(&["--create-topics"]).await.stop().await;
    assert_eq!(client.ask(message).await, ack);
    simulator.stop().await;
}

/// The way to Kafka and back out of it: the topic that a route writes is the one that is pushed.
#[cfg(feature = "python")]
#[tokio::test]
async fn what_is_acknowledged_is_pushed_though_leaders_are_killed() {
    use tests::consumer::Consumer;
    use tests::pushed::{Pushed, contract};
    use tests::wait::eventually;

    const MESSAGES: usize = 60;
    let mut cluster = Cluster::exclusive().await;
    let _proxies = cluster.proxies().await;
    let topic = format!("out-{}", Uuid::new_v4());
    let route = format!("topic: {topic}, key: $request.body.id, routeResponse: true");
    let contract = contract(&topic, "").replace(&format!("topic: {topic}.unused"), &route);
    let pushed = Pushed::new();
    let launch = pushed.launch(&contract).kafka(&cluster.brokers());
    let simulator = launch.start(&["--create-topics"]).await;
    let mut client = Client::connect(&simulator.websocket).await;
    let message = |id| json!({"id": format!("m{id}")}).to_string();
    for id in 0..MESSAGES {
        if id % 20 == 10 {
            cluster.heal().await;
            let leader = cluster.leader_of(&topic, 0).await;
            cluster.kill(leader).await;
        }
        eventually("an acknowledgement", async || {
            (client.ask(&message(id)).await["type"] == "ack").then_some(())
        })
        .await;
    }
    cluster.heal().await;
    let mut stored = Vec::new();
    let consumer = Consumer::connect(&cluster.direct()).await;
    consumer
        .each(&topic, |record| stored.push(record.value))
        .await;
    let is_stored = |&id: &usize| stored.contains(&message(id).into_bytes());
    let lost: Vec<usize> = (0..MESSAGES).filter(|id| !is_stored(id)).collect();
    assert_eq!(lost, [0; 0], "acknowledged, and not stored");
    eventually("every message that is stored", async || {
        let values = pushed.values(MESSAGES).await;
        let arrived = |id| values.values().flatten().any(|value| *value == message(id));
        (0..MESSAGES).all(arrived).then_some(())
    })
    .await;
    simulator.stop().await;
    cluster.heal().await;
}

/// Two simulators, one after the other in one group, under load, while the brokers are killed that they depend on.
#[cfg(feature = "python")]
#[tokio::test]
async fn a_mapping_misses_nothing_though_its_leader_and_its_coordinator_are_killed() {
    use std::cell::Cell;

    use tests::consumer::Consumer;
    use tests::group::{committed, coordinator};
    use tests::pushed::{Pushed, contract};
    use tests::wait::eventually;
    use tokio::sync::Notify;

    let mut cluster = Cluster::exclusive().await;
    let _proxies = cluster.proxies().await;
    let topic = format!("out-{}", Uuid::new_v4());
    let stage = Uuid::new_v4().to_string();
    let group = format!("local-sim-{stage}-pushed");
    let (brokers, direct) = (cluster.brokers(), cluster.direct());
    let pushed = Pushed::new();
    let start = async || {
        let launch = pushed.launch(&contract(&topic, "")).kafka(&brokers);
        let launch = launch.option("--stage", &stage);
        launch.start(&["--create-topics"]).await
    };
    let simulator = start().await;
    let (has_begun, is_over) = (Notify::new(), Cell::new(false));
    let kill = async {
        has_begun.notified().await;
        let leader = cluster.leader_of(&topic, 0).await;
        cluster.kill(leader).await;
        cluster.heal().await;
        cluster.kill(coordinator(&direct, &group).await).await;
        // The other one has to find out where this one has come to, and who keeps that now.
        simulator.stop().await;
        let other = start().await;
        cluster.heal().await;
        is_over.set(true);
        other
    };
    let (simulator, ()) = tokio::join!(kill, write(&direct, &topic, &has_begun, &is_over));

    let mut stored = [const { Vec::new() }; PARTITIONS];
    let consumer = Consumer::connect(&direct).await;
    consumer
        .each(&topic, |record| {
            let partition = usize::try_from(record.partition).unwrap();
            stored[partition].push(String::from_utf8(record.value).unwrap());
        })
        .await;
    let pushed = pushed.values(stored.iter().map(Vec::len).sum()).await;
    for (partition, stored) in stored.iter().enumerate() {
        assert_eq!(&pushed[&format!("{topic}-{partition}")], stored);
    }
    let ends = stored.map(|stored| i64::try_from(stored.len()).unwrap());
    eventually("committed offsets", async || {
        (committed(&direct, &group, &topic, 3).await == ends).then_some(())
    })
    .await;
    simulator.stop().await;
}

/// What a topic has where nobody says otherwise.
#[cfg(feature = "python")]
const PARTITIONS: usize = 3;

/// Stores numbers in each partition, one after the other, until that is over; tells when each has one.
#[cfg(feature = "python")]
async fn write(
    brokers: &str,
    topic: &str,
    has_begun: &tokio::sync::Notify,
    is_over: &std::cell::Cell<bool>,
) {
    use tests::producer::{Producer, record, store};

    const PAUSE: std::time::Duration = std::time::Duration::from_millis(20);
    let producer = Producer::connect(brokers).await;
    let mut partitions = Vec::new();
    for (partition, _) in (0..).zip([(); PARTITIONS]) {
        partitions.push(producer.partition(topic, partition).await);
    }
    for number in 0.. {
        if is_over.get() {
            break;
        }
        for partition in &partitions {
            let number = i64::to_string(&number);
            store(partition, vec![record(Some("k"), Some(&number), &[])]).await;
        }
        has_begun.notify_one();
        tokio::time::sleep(PAUSE).await;
    }
}
