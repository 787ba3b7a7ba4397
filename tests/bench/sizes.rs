//! How long it takes to store a value of each size, compressible or not, with what `message` stores it with, into the
//! broker of `local-sim` on loopback.
//!
//! `cargo test --release -p tests --features bench --test sizes`

#![expect(clippy::print_stdout, reason = "the table is the purpose")]
#![expect(clippy::unwrap_used, reason = "what cannot be measured is not")]

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use chrono::Utc;
use functions::kafka::Producer;
use functions::record::Record;
use functions::sink::Sink;
use sluice_aws::{Format, Log};
use sluice_kafka::{BROKERS, Settings};
use tests::path::Topics;
use tests::simulator::Launch;

/// The first is what the others are compared with.
const KIB: [usize; 6] = [4, 9, 16, 32, 60, 128];

/// The size with a goal: at most so many times as long as the first.
const AIMED_AT: (usize, f64) = (16, 3.0);

/// Values of all sizes take turns, so that what else the machine does meets them alike.
const ROUNDS: usize = 1_001;

/// Given to each record.
const TIME: Duration = Duration::from_secs(10);

#[tokio::main]
async fn main() {
    let topics = Topics::prefixed("sizes.");
    let launch = Launch::default().contract(&topics.contract());
    let simulator = launch.start(&[]).await;
    let producer = producer(&simulator.kafka);
    println!("value                    p50   times   goal");
    for (kind, value) in [("noise", noise as fn(usize) -> _), ("text", text)] {
        let values = KIB.map(|kib| value(kib * 1024));
        let medians = medians(&producer, &topics.chat, &values).await;
        for (kib, median) in KIB.iter().zip(medians) {
            let times = median.div_duration_f64(medians[0]);
            let (aimed_at, goal) = AIMED_AT;
            let goal = if *kib == aimed_at {
                format!("{goal:.1}")
            } else {
                String::new()
            };
            println!("{kib:>3} KiB of {kind:<6} {median:>11.2?} {times:>7.2} {goal:>6}");
        }
    }
    simulator.stop().await;
}

fn producer(brokers: &str) -> Producer {
    let settings = Settings::from_lookup(|name| (name == BROKERS).then(|| brokers.to_owned()));
    let log = Log::new(Format::Text, |line| println!("{line}"));
    Producer::new(settings.unwrap(), "sizes".to_owned(), log)
}

/// Each value's median time.
async fn medians<const N: usize>(
    producer: &Producer,
    topic: &str,
    values: &[Vec<u8>; N],
) -> [Duration; N] {
    let mut times = [const { Vec::new() }; N];
    for _ in 0..ROUNDS {
        for (value, times) in values.iter().zip(&mut times) {
            let record = Record {
                topic: topic.to_owned(),
                key: "k".to_owned(),
                value: Some(value.clone()),
                headers: BTreeMap::new(),
                timestamp: Utc::now(),
            };
            let started = Instant::now();
            producer.publish(record, started + TIME).await.unwrap();
            times.push(started.elapsed());
        }
    }
    times.map(|mut times| {
        times.sort_unstable();
        times[ROUNDS / 2]
    })
}

/// What cannot be compressed.
fn noise(len: usize) -> Vec<u8> {
    let mut random = fastrand::Rng::with_seed(7);
    std::iter::repeat_with(|| random.u8(..)).take(len).collect()
}

/// What can.
fn text(len: usize) -> Vec<u8> {
    let text = b"the same again; ".iter().copied();
    text.cycle().take(len).collect()
}
