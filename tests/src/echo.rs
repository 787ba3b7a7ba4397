//! An example service that replies to browsers: one member of a consumer group.

use std::process::Stdio;

use rskafka::client::partition::PartitionClient;
use rskafka::record::Record;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::task::JoinSet;

use crate::consumer::Consumer;
use crate::producer::{self, Producer};

/// The prefix of each reply, followed by its number and the message.
pub const ECHO: &str = "echo ";

/// Replies to each message. They are produced together, so a faulty `push` could reorder them.
pub const ANSWERS_EACH: usize = 3;

/// The only header that a reply needs.
const CONNECTION_ID: &str = "ce_connectionid";

/// Queue capacity of a partition, and the largest batch written at once.
const ANSWERS_MAX: usize = 100;

/// The running service. Dropping it kills its kcat process and its tasks.
#[derive(Debug)]
pub struct Echo {
    _kcat: Child,
    _tasks: JoinSet<()>,
}

impl Echo {
    /// Reads topic `from` with kcat, as the only member of a group, and replies in topic `to`.
    ///
    /// A reply goes to the partition with the number of the message's partition, which preserves
    /// the order of the messages.
    pub async fn start(brokers: &str, from: &str, to: &str) -> Self {
        let mut kcat = kcat(brokers, from);
        let lines = BufReader::new(kcat.stdout.take().unwrap()).lines();
        let producer = Producer::connect(brokers).await;
        let mut tasks = JoinSet::new();
        let mut partitions = Vec::new();
        for index in 0..partition_count(brokers, to).await {
            let (answers, waiting) = channel(ANSWERS_MAX);
            let partition = producer.partition(to, index).await;
            tasks.spawn(write(partition, waiting));
            partitions.push(answers);
        }
        tasks.spawn(read(lines, partitions));
        Self {
            _kcat: kcat,
            _tasks: tasks,
        }
    }
}

/// Starts a kcat that prints each record of the topic as one line of JSON, from the beginning.
fn kcat(brokers: &str, topic: &str) -> Child {
    Command::new("kcat")
        .args(["-b", brokers, "-q", "-u", "-J"])
        .args(["-X", "auto.offset.reset=earliest"])
        .args(["-G", &format!("echo-{topic}"), topic])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .expect("kcat cannot be started (install kcat)")
}

async fn partition_count(brokers: &str, topic: &str) -> i32 {
    let topics = Consumer::connect(brokers).await.topics().await;
    topics[topic].try_into().unwrap()
}

async fn read(mut lines: Lines<BufReader<ChildStdout>>, partitions: Vec<Sender<Record>>) {
    while let Some(line) = lines.next_line().await.unwrap() {
        let message: Value = serde_json::from_str(&line).unwrap();
        let index = usize::try_from(message["partition"].as_u64().unwrap()).unwrap();
        for number in 0..ANSWERS_EACH {
            let answer = answer(&message, number);
            partitions[index].send(answer).await.unwrap();
        }
    }
}

/// Builds a reply: the message again, addressed to the connection it came from.
fn answer(message: &Value, number: usize) -> Record {
    let headers = message["headers"].as_array().unwrap();
    let mut pairs = headers.chunks(2);
    let address = pairs.find(|pair| pair[0] == CONNECTION_ID).unwrap();
    let text = message["payload"].as_str().unwrap();
    let text = format!("{ECHO}{number} {text}");
    let header = (CONNECTION_ID, address[1].as_str().unwrap());
    producer::record(message["key"].as_str(), Some(&text), &[header])
}

async fn write(partition: PartitionClient, mut waiting: Receiver<Record>) {
    let mut answers = Vec::new();
    while waiting.recv_many(&mut answers, ANSWERS_MAX).await > 0 {
        producer::store(&partition, std::mem::take(&mut answers)).await;
    }
}
