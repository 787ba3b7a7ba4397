//! Both directions at once: from browsers to Kafka, and from Kafka back to the very same.

use futures_util::StreamExt;
use futures_util::future::join_all;
use futures_util::stream;

use crate::client::Client;
use crate::consumer::{Consumer, Record};
use crate::echo::{ANSWERS_EACH, ECHO, Echo};
use crate::process;
use crate::simulator::{Launch, Simulator};

/// How many messages each of the [`crowd`] sends.
const MESSAGES_EACH: usize = 3;

/// So many handshakes at once need few environments.
const HANDSHAKES_MAX: usize = 20;

/// An invocation waits so long for an environment in milliseconds: a crowd is to share a few of
/// them, rather than to have a process for each.
const SCALE_AFTER: &str = "1000";

/// Each of a crowd may have a message under way, and `push` its batches beside them.
const ACCOUNT_CONCURRENCY: &str = "2000";

/// The topics of one test.
#[derive(Clone, Debug)]
pub struct Topics {
    /// Of `$connect` and `$disconnect`.
    pub connections: String,
    /// Of `$default`.
    pub messages: String,
    /// What `push` delivers.
    pub outbound: String,
    /// Where it leaves what it could not.
    pub dead: String,
}

impl Topics {
    /// Names after a prefix that keeps tests on one broker apart.
    pub fn prefixed(prefix: &str) -> Self {
        Self {
            connections: format!("{prefix}ws.connections"),
            messages: format!("{prefix}ws.messages"),
            outbound: format!("{prefix}ws.outbound"),
            dead: format!("{prefix}ws.outbound.dead"),
        }
    }

    /// A simulator of both directions, with further settings of `push` in YAML's flow style.
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

/// Many browsers at once talk to a service: each gets its own answers and only them, in order.
pub async fn crowd(simulator: &Simulator, topics: &Topics, clients: usize) {
    process::raise_descriptor_limit();
    let _echo = Echo::start(&simulator.kafka, &topics.messages, &topics.outbound).await;
    let handshakes = stream::iter(0..clients).map(|_| Client::connect(&simulator.websocket));
    let clients: Vec<Client> = handshakes.buffer_unordered(HANDSHAKES_MAX).collect().await;
    let talks = clients.into_iter().enumerate();
    join_all(talks.map(|(index, client)| talk(client, index))).await;
}

/// Says its messages, each once the one before is acknowledged, and hears all answers.
async fn talk(mut client: Client, index: usize) {
    let messages: Vec<String> = (0..MESSAGES_EACH)
        .map(|message| format!(r#"{{"id":"{index}/{message}"}}"#))
        .collect();
    let mut heard = Heard::default();
    for (sent, message) in messages.iter().enumerate() {
        client.send(message).await;
        while heard.acknowledgements <= sent {
            heard.next(&mut client).await;
        }
    }
    let answers = messages
        .iter()
        .flat_map(|message| (0..ANSWERS_EACH).map(move |number| format!("{number} {message}")));
    let answers: Vec<String> = answers.collect();
    while heard.answers.len() < answers.len() {
        heard.next(&mut client).await;
    }
    assert_eq!(heard.answers, answers, "client {index}");
    client.leave().await;
}

/// What a browser was told.
#[derive(Debug, Default)]
struct Heard {
    acknowledgements: usize,
    /// With nothing left out: at-least-once allows duplicates, but nothing fails here that would make any.
    answers: Vec<String>,
}

impl Heard {
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

/// Opens a connection, and finds its id where any service would: in the connect records, by a
/// `name` that no other connection of these topics has.
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
