//! Full-duplex tests: browsers send messages to Kafka and receive replies from Kafka.

use futures_util::StreamExt;
use futures_util::future::join_all;
use futures_util::stream;

use crate::client::Client;
use crate::consumer::{Consumer, Record};
use crate::echo::{ANSWERS_EACH, ECHO, Echo};
use crate::process;
use crate::simulator::{Launch, Simulator};

/// Number of messages that each client of [`crowd`] sends.
const MESSAGES_EACH: usize = 3;

/// Limit of concurrent handshakes, low enough that a few environments can serve them.
const HANDSHAKES_MAX: usize = 20;

/// Milliseconds that an invocation waits before it starts another environment. The clients of a
/// crowd then share a few environments instead of starting one process each.
const SCALE_AFTER: &str = "1000";

/// High enough for one invocation per client of a crowd, plus the invocations of `push`.
const ACCOUNT_CONCURRENCY: &str = "2000";

/// The topics that one test uses.
#[derive(Clone, Debug)]
pub struct Topics {
    /// The topic of `$connect` and `$disconnect`.
    pub connections: String,
    /// The topic of `$default`.
    pub messages: String,
    /// The topic that `push` delivers from.
    pub outbound: String,
    /// The dead-letter topic of `push`.
    pub dead: String,
}

impl Topics {
    /// Prefixes the topic names, so that tests can share a broker.
    pub fn prefixed(prefix: &str) -> Self {
        Self {
            connections: format!("{prefix}ws.connections"),
            messages: format!("{prefix}ws.messages"),
            outbound: format!("{prefix}ws.outbound"),
            dead: format!("{prefix}ws.outbound.dead"),
        }
    }

    /// Configures a full-duplex simulator. `settings` extends `push`, in YAML flow style.
    pub fn launch(&self, settings: &str) -> Launch {
        let Self {
            connections,
            messages,
            outbound,
            ..
        } = self;
        let contract = format!(
            "
routeSelectionExpression: $request.body.action
routes:
  $connect: {{ function: connect, topic: {connections} }}
  $disconnect: {{ function: disconnect, topic: {connections} }}
  $default: {{ function: message, topic: {messages}, routeResponse: true }}
push: {{ function: push, topics: [{outbound}]{settings} }}
"
        );
        Launch::default()
            .contract(&contract)
            .option("--scale-after", SCALE_AFTER)
            .option("--account-concurrency", ACCOUNT_CONCURRENCY)
    }
}

/// Checks that each of many concurrent clients receives only its own replies, in order.
pub async fn crowd(simulator: &Simulator, topics: &Topics, clients: usize) {
    process::raise_descriptor_limit();
    let _echo = Echo::start(&simulator.kafka, &topics.messages, &topics.outbound).await;
    let handshakes = stream::iter(0..clients).map(|_| Client::connect(&simulator.websocket));
    let clients: Vec<Client> = handshakes.buffer_unordered(HANDSHAKES_MAX).collect().await;
    let talks = clients.into_iter().enumerate();
    join_all(talks.map(|(index, client)| talk(client, index))).await;
}

/// Sends each message after the previous acknowledgement, then checks all replies.
async fn talk(mut client: Client, index: usize) {
    let messages: Vec<String> = (0..MESSAGES_EACH)
        .map(|message| format!(r#"{{"id":"{index}/{message}"}}"#))
        .collect();
    let mut received = Received::default();
    for (sent, message) in messages.iter().enumerate() {
        client.send(message).await;
        while received.acknowledgements <= sent {
            received.next(&mut client).await;
        }
    }
    let answers = messages
        .iter()
        .flat_map(|message| (0..ANSWERS_EACH).map(move |number| format!("{number} {message}")));
    let answers: Vec<String> = answers.collect();
    while received.answers.len() < answers.len() {
        received.next(&mut client).await;
    }
    assert_eq!(received.answers, answers, "client {index}");
    client.leave().await;
}

/// Acknowledgements and replies that one client has received.
#[derive(Debug, Default)]
struct Received {
    acknowledgements: usize,
    /// Not deduplicated: delivery is at least once, but without failures there are no duplicates.
    answers: Vec<String>,
}

impl Received {
    async fn next(&mut self, client: &mut Client) {
        let text = client.next().await;
        match text.strip_prefix(ECHO).map(str::to_owned) {
            Some(answer) => self.answers.push(answer),
            None => {
                assert!(text.contains(r#""ack""#), "{text}");
                self.acknowledgements += 1;
            }
        }
    }
}

/// Opens a connection and reads its id from the `$connect` records, as a service would.
///
/// `name` must be unique among the connections of these topics.
pub async fn connected(simulator: &Simulator, topics: &Topics, name: &str) -> (Client, String) {
    let client = Client::connect(&format!("{}?name={name}", simulator.websocket)).await;
    let mut id = None;
    let consumer = Consumer::connect(&simulator.kafka).await;
    let is_its = |record: &Record| record.json()["query"]["name"][0] == name;
    consumer
        .each(&topics.connections, |record| {
            if is_its(&record) {
                id = Some(record.key);
            }
        })
        .await;
    (client, id.unwrap())
}
