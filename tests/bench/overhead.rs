//! What a message costs from the gateway to an empty function and back, beside serverless-offline in the same run.
//!
//! `cargo test --release -p tests --features bench --test overhead -- [INVOCATIONS]`
//!
//! needs Node with npm, and fetches serverless-offline into cargo's target directory. With INVOCATIONS, for example
//! 1000000, so many messages are sent to `local-sim` alone, and its memory and descriptors are looked at meanwhile.
//! It fails where a goal is missed, or something grows.

#![expect(clippy::print_stdout, reason = "the table is the purpose")]
#![expect(clippy::unwrap_used, reason = "what cannot be measured is not")]

use std::fmt;
use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::Duration;

use tests::binaries;
use tests::exchange::{Measured, exchange};
use tests::simulator::{Launch, Simulator};
use tests::wait::eventually;
use tokio::net::{TcpListener, TcpStream};

/// What is aimed at with so many connections.
const GOALS: [(usize, Goal); 3] = [
    (1, Goal::Median),
    (100, Goal::Messages(2.0)),
    (1000, Goal::Messages(1.3)),
];

#[derive(Clone, Copy)]
enum Goal {
    /// That the median is not above that of serverless-offline.
    Median,
    /// So many times the messages of serverless-offline.
    Messages(f64),
}

/// Allocators keep some of what they had: far less than so many invocations would leave.
const GROWTH_KIB_MAX: u64 = 2 * 1024;
/// Another environment may be started at any time, up to one for each connection, and has a few.
const GROWTH_DESCRIPTORS_MAX: usize = 64;

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
async fn main() -> ExitCode {
    let invocations = std::env::args().nth(1).map(|it| it.parse().unwrap());
    let launch = Launch::default().contract(CONTRACT);
    let launch = launch.option("--function", &format!("empty={}", empty().display()));
    // As for the other one: here it would be hundreds of bytes for each message.
    let launch = launch.stderr(Stdio::null());
    let simulator = launch.start(&[]).await;
    let are_met = match invocations {
        Some(count) => growth(&simulator, count).await,
        None => compare(&simulator).await,
    };
    simulator.stop().await;
    if are_met {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// Says whether all goals are met, without an error.
async fn compare(simulator: &Simulator) -> bool {
    let _offline = Offline::start().await;
    let mut are_met = true;
    println!(
        "connections  serverless-offline (p50) errors     local-sim (p50) errors   times   goal"
    );
    for (clients, goal) in GOALS {
        let (mut theirs, mut ours) = (Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            theirs.push(measure(&format!("ws://{OFFLINE}/"), clients).await);
            ours.push(measure(&simulator.websocket, clients).await);
        }
        let errors = [&theirs, &ours].map(|it| it.iter().map(|round| round.errors).sum::<usize>());
        let [theirs, ours] = [theirs, ours].map(median);
        let times = ours.per_second / theirs.per_second;
        let is_met = errors[1] == 0 && goal.is_met(theirs, ours);
        println!(
            "{clients:>11} {:>10.0}/s {:>10.2?} {:>6} {:>10.0}/s {:>10.2?} {:>6} {times:>7.2} {goal}{}",
            theirs.per_second,
            theirs.median,
            errors[0],
            ours.per_second,
            ours.median,
            errors[1],
            if is_met { "" } else { "  MISSED" },
        );
        are_met &= is_met;
    }
    are_met
}

impl Goal {
    fn is_met(self, theirs: Measured, ours: Measured) -> bool {
        match self {
            Self::Median => ours.median <= theirs.median,
            Self::Messages(times) => ours.per_second >= times * theirs.per_second,
        }
    }
}

impl fmt::Display for Goal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Median => f.write_str("   p50"),
            Self::Messages(times) => write!(f, "{times:>6.1}"),
        }
    }
}

async fn measure(url: &str, clients: usize) -> Measured {
    exchange(url, clients, MESSAGE, ANSWER, [WARM_UP, TIME]).await
}

fn median(mut rounds: Vec<Measured>) -> Measured {
    rounds.sort_by(|one, other| one.per_second.total_cmp(&other.per_second));
    rounds[rounds.len() / 2]
}

/// Sends messages until there were so many, and says now and then what the simulator holds. Returns whether that is
/// about the same at the end as after the first tenth, when the history was full and every buffer used.
async fn growth(simulator: &Simulator, invocations: u64) -> bool {
    println!("invocations   memory KiB  descriptors");
    let (mut sent, mut shown) = (0, invocations / 10);
    let mut held = Vec::new();
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
            // The connections of this round have been closed on our side only, perhaps.
            eventually("the end of connections", async || {
                (simulator.sockets() == 0).then_some(())
            })
            .await;
            let (memory, descriptors) = simulator.holds();
            println!("{sent:>11} {memory:>12} {descriptors:>12}");
            held.push((memory, descriptors));
            shown += invocations / 10;
        }
    }
    let [first, .., last] = held[..] else {
        return true;
    };
    let is_bounded = last.0 < first.0 + GROWTH_KIB_MAX && last.1 < first.1 + GROWTH_DESCRIPTORS_MAX;
    println!("{}", if is_bounded { "no growth" } else { "GROWN" });
    is_bounded
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
        // Else another one would be measured that listens there.
        drop(TcpListener::bind(OFFLINE).await.expect("port 3001 is free"));
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
        let mut child = Command::new("node")
            .args(["node_modules/.bin/serverless", "offline", "start"])
            .env("SLS_TELEMETRY_DISABLED", "1")
            .current_dir(&folder)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        eventually("serverless-offline listens", async || {
            let ended = child.try_wait().unwrap();
            assert!(ended.is_none(), "serverless-offline ended: {ended:?}");
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
