//! The section `push`: an event source mapping that sends records from Kafka to clients.

use std::time::Duration;

use crate::{
    error::{DocumentError, quote},
    name,
    node::Node,
};

/// An event source mapping and its function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Push {
    /// The function that receives batches of records.
    pub function: String,
    /// The topics to read: at least one, without duplicates.
    pub topics: Vec<String>,
    /// Records per batch, at most.
    pub batch_size: u32,
    /// How long to wait for a batch to fill up.
    pub maximum_batching_window: Duration,
    /// Where to start reading a topic without committed offsets.
    pub starting_position: StartingPosition,
    /// Retries of a failed batch; `None` retries until it succeeds or its records expire.
    pub maximum_retry_attempts: Option<u32>,
    /// Records older than this are discarded; `None` keeps them forever.
    pub maximum_record_age: Option<Duration>,
    /// Whether to split a failed batch in two, to isolate the failing record.
    pub bisect_batch_on_function_error: bool,
    /// The topic for discarded records: the mapping's on-failure destination.
    pub dead_letter: Option<String>,
}

/// Where to start reading a topic.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum StartingPosition {
    /// At the next new record.
    #[default]
    Latest,
    /// At the oldest stored record.
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

/// Reads `deadLetter`. A failed record must not be read again from one of `topics`.
fn dead_letter(node: &Node, topics: &[String]) -> Result<String, DocumentError> {
    let topic = name::topic(node)?;
    if topics.contains(&topic) {
        let problem = format!("{} is also in `push.topics`", quote(&topic));
        return Err(node.reject(&problem, "use a topic that push does not read"));
    }
    Ok(topic)
}

const TOPICS: &str = "a list of at least one topic";

/// Lambda's limits and default for a Kafka event source mapping.
/// <https://docs.aws.amazon.com/lambda/latest/api/API_CreateEventSourceMapping.html>
const BATCH_SIZE_DEFAULT: u32 = 100;
const BATCH_SIZE_MAX: u32 = 10_000;
const BATCHING_WINDOW_SECONDS_MAX: u32 = 300;
const RETRIES_MAX: u32 = 10_000;
const RECORD_AGE_SECONDS_MIN: u32 = 60;
const RECORD_AGE_SECONDS_MAX: u32 = 604_800;
