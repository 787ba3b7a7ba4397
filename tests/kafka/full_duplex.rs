//! From browsers through a real Apache Kafka to a service, and back to the very same.

use tests::duplex::{self, Topics};
use tests::real_kafka::RealKafka;
use uuid::Uuid;

/// Each of them answered as if it were the only one.
const CLIENTS: usize = 1000;

#[tokio::test]
async fn a_thousand_clients_get_their_own_answers_and_only_them_in_order() {
    let kafka = RealKafka::shared().await;
    let topics = Topics::prefixed(&format!("{}.", Uuid::new_v4()));
    let launch = topics.launch("").kafka(&kafka.brokers);
    let stage = Uuid::new_v4().to_string();
    let launch = launch.option("--stage", &stage);
    let simulator = launch.start(&["--create-topics"]).await;
    duplex::crowd(&simulator, &topics, CLIENTS).await;
    simulator.stop().await;
}
