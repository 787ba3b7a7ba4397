//! `push`: from Kafka to the browser, by an event source mapping.

use std::time::Duration;

use crate::{
    error::{DocumentError, shown},
    name,
    node::Node,
};

/// An event source mapping and its function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Push {
    /// The function that is invoked with batches of records.
    pub function: String,
    /// The topics that are read, at least one, each once.
    pub topics: Vec<String>,
    /// Records in a batch, at most.
    pub batch_size: u32,
    /// How long a batch may gather.
    pub maximum_batching_window: Duration,
    /// Where a topic is read from that was never read before.
    pub starting_position: StartingPosition,
    /// Retries of a failed batch; without a number, until it succeeds or is too old.
    pub maximum_retry_attempts: Option<u32>,
    /// Records older than this are given up; without a number, never.
    pub maximum_record_age: Option<Duration>,
    /// Whether a failed batch is halved, to find the record that fails.
    pub bisect_batch_on_function_error: bool,
    /// The topic for records that were given up: the mapping's on-failure destination.
    pub dead_letter: Option<String>,
}

/// Where the reading of a topic begins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum StartingPosition {
    /// With the next record that is stored.
    #[default]
    Latest,
    /// With the oldest record there is.
    TrimHorizon,
}

impl Push {
    pub(crate) fn read(node: &Node) -> Result<Self, DocumentError> {
        let fields = node.fields(&[
            "function",
            "topics",
            "batchSize",
            "maximumBatchingWindowInSeconds",
            "startingPosition",
            "maximumRetryAttempts",
            "maximumRecordAgeInSeconds",
            "bisectBatchOnFunctionError",
            "deadLetter",
        ])?;
        let read_topics = |node: &Node| node.list(name::topic, TOPICS);
        let topics = fields.required("topics", read_topics, TOPICS)?;
        Ok(Self {
            function: fields.required("function", name::function, name::FUNCTION)?,
            batch_size: fields
                .optional("batchSize", |node| {
                    node.whole(1..=BATCH_SIZE_MAX, "a whole number of records")
                })?
                .unwrap_or(BATCH_SIZE_DEFAULT),
            maximum_batching_window: fields
                .optional("maximumBatchingWindowInSeconds", batching_window)?
                .unwrap_or_default(),
            starting_position: fields
                .optional("startingPosition", starting_position)?
                .unwrap_or_default(),
            maximum_retry_attempts: fields
                .optional("maximumRetryAttempts", |node| {
                    node.whole_or_unlimited(0..=RETRIES_MAX, "a whole number")
                })?
                .flatten(),
            maximum_record_age: fields
                .optional("maximumRecordAgeInSeconds", record_age)?
                .flatten(),
            bisect_batch_on_function_error: fields
                .optional("bisectBatchOnFunctionError", Node::boolean)?
                .unwrap_or_default(),
            dead_letter: fields.optional("deadLetter", |node| dead_letter(node, &topics))?,
            topics,
        })
    }
}

fn batching_window(node: &Node) -> Result<Duration, DocumentError> {
    let seconds = node.whole(0..=BATCHING_WINDOW_SECONDS_MAX, "a whole number of seconds")?;
    Ok(Duration::from_secs(seconds.into()))
}

fn starting_position(node: &Node) -> Result<StartingPosition, DocumentError> {
    const EXPECTED: &str = "`LATEST` or `TRIM_HORIZON`";
    match node.text(EXPECTED)? {
        "LATEST" => Ok(StartingPosition::Latest),
        "TRIM_HORIZON" => Ok(StartingPosition::TrimHorizon),
        _ => Err(node.unlike(EXPECTED)),
    }
}

fn record_age(node: &Node) -> Result<Option<Duration>, DocumentError> {
    let range = RECORD_AGE_SECONDS_MIN..=RECORD_AGE_SECONDS_MAX;
    let seconds = node.whole_or_unlimited(range, "a whole number of seconds")?;
    Ok(seconds.map(|seconds| Duration::from_secs(seconds.into())))
}

/// A record that fails must not come back through the topic that it failed in.
fn dead_letter(node: &Node, topics: &[String]) -> Result<String, DocumentError> {
    let topic = name::topic(node)?;
    if topics.contains(&topic) {
        let found = format!("{}, a topic of `push.topics`", shown(&topic));
        return Err(node.refuse(&found, "a topic that push does not read"));
    }
    Ok(topic)
}

const TOPICS: &str = "a list of topics, at least one";

/// The mapping's limits and default, as Lambda has them for Kafka.
/// <https://docs.aws.amazon.com/lambda/latest/api/API_CreateEventSourceMapping.html>
const BATCH_SIZE_DEFAULT: u32 = 100;
const BATCH_SIZE_MAX: u32 = 10_000;
const BATCHING_WINDOW_SECONDS_MAX: u32 = 300;
const RETRIES_MAX: u32 = 10_000;
const RECORD_AGE_SECONDS_MIN: u32 = 60;
const RECORD_AGE_SECONDS_MAX: u32 = 604_800;
