//! Records in a second through `message` on a Managed Instance, beside rskafka alone, into the same Apache Kafka.
//!
//! `cargo test --release -p tests --features bench,kafka --test records`
//!
//! needs the jars that `tests/run` fetches, or a cluster in `KAFKA_BROKERS`. It fails where the goal is missed.

#![expect(clippy::print_stdout, reason = "the table is the purpose")]
#![expect(clippy::unwrap_used, reason = "what cannot be measured is not")]

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use chrono::Utc;
use rskafka::client::ClientBuilder;
use rskafka::client::partition::{Compression, PartitionClient, UnknownTopicHandling};
use rskafka::record::Record;
use tests::exchange::exchange;
use tests::path::Topics;
use tests::real_kafka::RealKafka;
use tests::simulator::Launch;
use tokio::task::JoinSet;
use tokio::time::Instant;

/// Records that are under way at once.
const CONCURRENCY: [usize; 3] = [1, 16, 64];

/// Each figure is the median of so many.
const ROUNDS: usize = 3;

const WARM_UP: Duration = Duration::from_secs(2);
const TIME: Duration = Duration::from_secs(4);

/// The part of rskafka's records that is aimed at.
const GOAL: f64 = 0.7;

const MESSAGE: &str = r#"{"action":"chat","room":"r","text":"hello"}"#;

#[tokio::main]
async fn main() -> ExitCode {
    let kafka = RealKafka::shared().await;
    let topics = Topics::prefixed("records.");
    let contract = format!(
        "{}functions: {{ message: {{ maxConcurrency: 64 }} }}\n",
        topics.contract()
    );
    let launch = Launch::default().contract(&contract).kafka(&kafka.brokers);
    let simulator = launch
        .option("--partitions", "1")
        .start(&["--create-topics"])
        .await;
    let brokers = kafka.brokers.split(',').map(str::to_owned);
    let client = ClientBuilder::new(brokers.collect()).build().await.unwrap();
    let partition = client
        .partition_client(topics.chat, 0, UnknownTopicHandling::Retry)
        .await
        .unwrap();
    let partition = Arc::new(partition);
    let mut is_met = true;
    println!("at once     rskafka     message  part   goal");
    for concurrency in CONCURRENCY {
        let (mut raw, mut ours) = (Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            raw.push(produce(&partition, concurrency).await);
            let url = &simulator.websocket;
            let times = [WARM_UP, TIME];
            let measured = exchange(url, concurrency, MESSAGE, r#""ack""#, times).await;
            assert_eq!(measured.errors, 0);
            ours.push(measured.per_second);
        }
        let [raw, ours] = [raw, ours].map(median);
        let part = ours / raw;
        println!("{concurrency:>7} {raw:>9.0}/s {ours:>9.0}/s {part:>5.2} {GOAL:>6.2}");
        is_met &= part >= GOAL;
    }
    simulator.stop().await;
    if is_met {
        ExitCode::SUCCESS
    } else {
        println!("MISSED");
        ExitCode::FAILURE
    }
}

/// Records in a second with nothing but the client, each waiting for the one before.
async fn produce(partition: &Arc<PartitionClient>, concurrency: usize) -> f64 {
    let begin = Instant::now() + WARM_UP;
    let end = begin + TIME;
    let mut tasks = JoinSet::new();
    for _ in 0..concurrency {
        let partition = Arc::clone(partition);
        tasks.spawn(async move {
            let mut count = 0;
            while Instant::now() < end {
                let record = Record {
                    key: Some(b"r".to_vec()),
                    value: Some(MESSAGE.into()),
                    headers: BTreeMap::new(),
                    timestamp: Utc::now(),
                };
                let stored = partition.produce(vec![record], Compression::NoCompression);
                stored.await.unwrap();
                count += u32::from(Instant::now() >= begin);
            }
            count
        });
    }
    let counts = tasks.join_all().await;
    f64::from(counts.iter().sum::<u32>()) / TIME.as_secs_f64()
}

fn median(mut rounds: Vec<f64>) -> f64 {
    rounds.sort_by(f64::total_cmp);
    rounds[rounds.len() / 2]
}
