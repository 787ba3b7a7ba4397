//! What a message costs from the gateway to an empty function and back, beside serverless-offline in the same run.
//!
//! `cargo test --release -p tests --features bench --test overhead -- [INVOCATIONS]`
//!
//! needs Node with npm, and fetches serverless-offline into cargo's target directory. With INVOCATIONS, for example
//! 1000000, so many messages are sent to `local-sim` alone, and its memory and descriptors are looked at meanwhile.

#![expect(clippy::print_stdout, reason = "the table is the purpose")]
#![expect(clippy::unwrap_used, reason = "what cannot be measured is not")]

use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tests::binaries;
use tests::exchange::{Measured, exchange};
use tests::simulator::{Launch, Simulator};
use tests::wait::eventually;
use tokio::net::TcpStream;

/// Connections, and how many times the messages of serverless-offline are aimed at.
const GOALS: [(usize, f64); 3] = [(1, 1.0), (100, 2.0), (1000, 1.3)];

/// Each figure is the median of so many.
const ROUNDS: usize = 3;

const WARM_UP: Duration = Duration::from_secs(2);
const TIME: Duration = Duration::from_secs(4);

/// Where serverless-offline listens where nobody says otherwise.
const OFFLINE: &str = "127.0.0.1:3001";

const MESSAGE: &str = r#"{"action":"x","text":"hello"}"#;
const ANSWER: &str = "ok";

const CONTRACT: &str = "
routeSelectionExpression: $request.body.action
routes:
  $default: { function: empty, routeResponse: true }
";

#[tokio::main]
async fn main() {
    let invocations = std::env::args().nth(1).map(|it| it.parse().unwrap());
    let launch = Launch::default().contract(CONTRACT);
    let launch = launch.option("--function", &format!("empty={}", empty().display()));
    let simulator = launch.start(&[]).await;
    match invocations {
        Some(count) => growth(&simulator, count).await,
        None => compare(&simulator).await,
    }
    simulator.stop().await;
}

async fn compare(simulator: &Simulator) {
    let _offline = Offline::start().await;
    println!("connections  serverless-offline (p50)     local-sim (p50)   times   goal  errors");
    for (clients, goal) in GOALS {
        let (mut theirs, mut ours) = (Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            theirs.push(measure(&format!("ws://{OFFLINE}/"), clients).await);
            ours.push(measure(&simulator.websocket, clients).await);
        }
        let errors: usize = ours.iter().map(|it| it.errors).sum();
        let [theirs, ours] = [theirs, ours].map(median);
        println!(
            "{clients:>11} {:>10.0}/s {:>10.2?} {:>10.0}/s {:>10.2?} {:>7.2} {goal:>6.1} {errors:>7}",
            theirs.per_second,
            theirs.median,
            ours.per_second,
            ours.median,
            ours.per_second / theirs.per_second,
        );
    }
}

async fn measure(url: &str, clients: usize) -> Measured {
    exchange(url, clients, MESSAGE, ANSWER, [WARM_UP, TIME]).await
}

fn median(mut rounds: Vec<Measured>) -> Measured {
    rounds.sort_by(|one, other| one.per_second.total_cmp(&other.per_second));
    rounds[rounds.len() / 2]
}

/// Sends messages until there were so many, and says now and then what the simulator holds.
async fn growth(simulator: &Simulator, invocations: u64) {
    println!("invocations   memory KiB  descriptors");
    let (mut sent, mut shown) = (0, 0);
    while sent < invocations {
        let measured = exchange(
            &simulator.websocket,
            8,
            MESSAGE,
            ANSWER,
            [Duration::ZERO, TIME],
        )
        .await;
        assert_eq!(measured.errors, 0);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a count"
        )]
        let count = (measured.per_second * TIME.as_secs_f64()).round() as u64;
        sent += count;
        if sent >= shown {
            let (memory, descriptors) = simulator.holds();
            println!("{sent:>11} {memory:>12} {descriptors:>12}");
            shown += invocations / 10;
        }
    }
}

/// The function, built as it would be shipped.
fn empty() -> PathBuf {
    let status = Command::new(env!("CARGO"))
        .args("build --quiet --release --locked -p tests --features bench --bin empty".split(' '))
        .current_dir(binaries::root())
        .status()
        .unwrap();
    assert!(status.success(), "cargo build: {status}");
    binaries::target().join("release/empty")
}

/// A running serverless-offline.
struct Offline(Child);

impl Offline {
    async fn start() -> Self {
        let folder = binaries::target().join("serverless-offline");
        fs::create_dir_all(&folder).unwrap();
        for file in ["package.json", "serverless.yml", "handler.js"] {
            let source = binaries::root().join("tests/bench/serverless-offline");
            fs::copy(source.join(file), folder.join(file)).unwrap();
        }
        if !folder.join("node_modules/.bin/serverless").exists() {
            let npm = Command::new("npm")
                .args(["install", "--no-audit", "--no-fund"])
                .current_dir(&folder)
                .status()
                .unwrap();
            assert!(npm.success(), "npm: {npm}");
        }
        let child = Command::new("node")
            .args(["node_modules/.bin/serverless", "offline", "start"])
            .env("SLS_TELEMETRY_DISABLED", "1")
            .current_dir(&folder)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        eventually("serverless-offline listens", async || {
            TcpStream::connect(OFFLINE).await.ok()
        })
        .await;
        Self(child)
    }
}

impl Drop for Offline {
    fn drop(&mut self) {
        // It may have ended already, which is no fault.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
