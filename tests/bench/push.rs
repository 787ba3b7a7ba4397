//! From Kafka to the browser over the embedded broker: how soon a record is a frame, and how many posts a second
//! `push` makes beside nothing but hyper posting to the same endpoint.
//!
//! `cargo test --release -p tests --features bench --test push`

#![expect(clippy::print_stdout, reason = "the table is the purpose")]
#![expect(clippy::unwrap_used, reason = "what cannot be measured is not")]

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::future::join_all;
use futures_util::{StreamExt, stream};
use http_body_util::{BodyExt, Full};
use hyper::Request;
use hyper::body::Bytes;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use rskafka::client::partition::PartitionClient;
use tests::client::Client;
use tests::consumer::Consumer;
use tests::http::connection_url;
use tests::net::Url;
use tests::process;
use tests::producer::{Producer, record, store};
use tests::sigv4::Signer;
use tests::simulator::{Launch, Simulator};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

/// The median that is aimed at, from before a record is produced until its frame is there.
const LATENCY_GOAL: Duration = Duration::from_millis(3);

/// Records to one connection, one after the other, and how many before them do not count.
const RECORDS: usize = 2000;
const WARM_UP: usize = 200;

/// Connections that get one message each, and how often all of them do.
const CONNECTIONS: usize = 1000;
const ROUNDS: usize = 9;
/// Before that, in vain.
const WARM_UP_ROUNDS: usize = 2;

/// Posts that are under way at once: as many as those of one invocation of `push`.
const POSTS: usize = 64;

/// Handshakes that are under way at once.
const HANDSHAKES: usize = 20;

/// What topics have where nobody says otherwise.
const PARTITIONS: i32 = 3;

const MESSAGE: &str = r#"{"text":"hello"}"#;

#[tokio::main]
async fn main() {
    process::raise_descriptor_limit();
    let simulator = Launch::default().start(&[]).await;
    println!("from a record to its frame     p50       p99    goal   times better");
    latency(&simulator).await;
    println!("{CONNECTIONS} posts            in a second   bare hyper   part");
    fan_out(&simulator).await;
    simulator.stop().await;
}

/// One connection, one record at a time.
async fn latency(simulator: &Simulator) {
    let mut client = Client::connect(&simulator.websocket).await;
    let id = ids(simulator, 1).await.remove("").unwrap();
    let producer = Producer::connect(&simulator.kafka).await;
    let partition = producer.partition("ws.outbound", 0).await;
    let mut times = Vec::new();
    for index in 0..WARM_UP + RECORDS {
        let record = record(Some(&id), Some(MESSAGE), &[]);
        let start = Instant::now();
        // The frame may be there before the producer is told that the record is stored.
        let (_, text) = tokio::join!(store(&partition, vec![record]), client.next());
        assert_eq!(text, MESSAGE);
        if index >= WARM_UP {
            times.push(start.elapsed());
        }
    }
    times.sort_unstable();
    let (median, most) = (times[RECORDS / 2], times[RECORDS * 99 / 100]);
    let ratio = LATENCY_GOAL.as_secs_f64() / median.as_secs_f64();
    println!("{median:>32.2?} {most:>9.2?} {LATENCY_GOAL:>7.0?} {ratio:>14.1}");
    client.leave().await;
}

/// One message for each of many connections, by `push` and without it.
async fn fan_out(simulator: &Simulator) {
    let names: Vec<String> = (0..CONNECTIONS).map(|name| name.to_string()).collect();
    let opening = stream::iter(&names).map(async |name| {
        let url = format!("{}?name={name}", simulator.websocket);
        Client::connect(&url).await
    });
    let opened: Vec<Client> = opening.buffer_unordered(HANDSHAKES).collect().await;
    // The connection of before may be among them, without a name.
    let ids = ids(simulator, CONNECTIONS + 1).await;
    let ids: Vec<&str> = names.iter().map(|name| ids[name].as_str()).collect();
    let (frames, mut arrived) = mpsc::channel(CONNECTIONS);
    let mut clients = JoinSet::new();
    for mut client in opened {
        let frames = frames.clone();
        clients.spawn(async move {
            loop {
                assert_eq!(client.next().await, MESSAGE);
                frames.send(Instant::now()).await.unwrap();
            }
        });
    }
    let partitions = partitions(simulator).await;
    let mut senders = senders(simulator).await;
    let (mut ours, mut bare) = (Vec::new(), Vec::new());
    for round in 0..WARM_UP_ROUNDS + ROUNDS {
        let start = Instant::now();
        produce(&partitions, &ids).await;
        let by_push = rate(start, &mut arrived).await;
        let requests = requests(simulator, &ids);
        let start = Instant::now();
        senders = post(senders, requests).await;
        let by_hyper = rate(start, &mut arrived).await;
        if round >= WARM_UP_ROUNDS {
            ours.push(by_push);
            bare.push(by_hyper);
        }
    }
    let [ours, bare] = [ours, bare].map(median);
    let part = ours / bare;
    println!("{ours:>30.0}/s {bare:>10.0}/s {part:>6.2}");
}

async fn partitions(simulator: &Simulator) -> Vec<PartitionClient> {
    let producer = Producer::connect(&simulator.kafka).await;
    join_all((0..PARTITIONS).map(|index| producer.partition("ws.outbound", index))).await
}

/// Stores a record for each connection, in all partitions at once.
async fn produce(partitions: &[PartitionClient], ids: &[&str]) {
    let parts = ids.chunks(ids.len().div_ceil(partitions.len()));
    let storing = parts.zip(partitions).map(|(ids, partition)| {
        let records = ids.iter().map(|id| record(Some(id), Some(MESSAGE), &[]));
        store(partition, records.collect())
    });
    join_all(storing).await;
}

type Sender = SendRequest<Full<Bytes>>;

/// Connections to the endpoint, which are kept.
async fn senders(simulator: &Simulator) -> Vec<(Sender, JoinSet<()>)> {
    let host = Url::parse(&simulator.connections).host;
    let connecting = (0..POSTS).map(async |_| {
        let socket = TcpStream::connect(&host).await.unwrap();
        socket.set_nodelay(true).unwrap();
        let (sender, connection) = handshake(TokioIo::new(socket)).await.unwrap();
        let mut driving = JoinSet::new();
        // It ends with the simulator.
        driving.spawn(async { drop(connection.await) });
        (sender, driving)
    });
    join_all(connecting).await
}

/// The posts, signed beforehand.
fn requests(simulator: &Simulator, ids: &[&str]) -> Vec<Request<Full<Bytes>>> {
    let signer = Signer::default();
    let request = |id: &&str| {
        let url = connection_url(&simulator.connections, id);
        let headers = signer.headers("POST", &url, MESSAGE.as_bytes());
        let request = Request::post(Url::parse(&url).target);
        let request = headers.iter().fold(request, |request, (name, value)| {
            request.header(name, value)
        });
        request.body(Full::from(MESSAGE)).unwrap()
    };
    ids.iter().map(request).collect()
}

/// Posts as much at once as there are connections, and gives these back.
async fn post(
    senders: Vec<(Sender, JoinSet<()>)>,
    requests: Vec<Request<Full<Bytes>>>,
) -> Vec<(Sender, JoinSet<()>)> {
    let waiting = Arc::new(Mutex::new(requests));
    let mut posting = JoinSet::new();
    for (mut sender, driving) in senders {
        let waiting = Arc::clone(&waiting);
        posting.spawn(async move {
            while let Some(request) = next(&waiting) {
                let answer = sender.send_request(request).await.unwrap();
                assert!(answer.status().is_success(), "{answer:?}");
                answer.into_body().collect().await.unwrap();
            }
            (sender, driving)
        });
    }
    posting.join_all().await
}

fn next<T>(waiting: &Mutex<Vec<T>>) -> Option<T> {
    waiting.lock().unwrap().pop()
}

/// Posts in a second, until the last frame is there.
async fn rate(start: Instant, arrived: &mut mpsc::Receiver<Instant>) -> f64 {
    let mut last = start;
    for _ in 0..CONNECTIONS {
        last = last.max(arrived.recv().await.unwrap());
    }
    let count = u32::try_from(CONNECTIONS).unwrap();
    f64::from(count) / (last - start).as_secs_f64()
}

/// The ids of connections by the name that each was opened with, if any.
async fn ids(simulator: &Simulator, count: usize) -> BTreeMap<String, String> {
    let consumer = Consumer::connect(&simulator.kafka).await;
    let mut ids = BTreeMap::new();
    while ids.len() < count {
        consumer
            .each("ws.connections", |record| {
                let name = record.json()["query"]["name"][0].clone();
                ids.insert(name.as_str().unwrap_or_default().to_owned(), record.key);
            })
            .await;
        sleep(Duration::from_millis(10)).await;
    }
    ids
}

fn median(mut rounds: Vec<f64>) -> f64 {
    rounds.sort_by(f64::total_cmp);
    rounds[rounds.len() / 2]
}
