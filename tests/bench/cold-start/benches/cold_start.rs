//! How long `message` takes from its start until it asks Lambda for its first event, connected with a
//! broker on loopback, and how much processor time; beside it, in turns, the least that a function can
//! be, and the least with Kafka. What is run is built in the profile that is shipped.
//!
//! `cargo bench -p cold-start`

#![expect(clippy::print_stdout, reason = "it prints a table")]
#![expect(
    clippy::unwrap_used,
    reason = "a benchmark that cannot go on should stop"
)]

use std::{
    fs,
    io::{BufRead, BufReader, Read},
    net::{TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

fn main() {
    let target = build();
    let simulator = Simulator::start(&target);
    let programs = PROGRAMS.map(|(name, _)| target.join("lambda").join(name));
    let mut starts = PROGRAMS.map(|_| Vec::new());
    for _ in 0..ROUNDS {
        for (program, starts) in programs.iter().zip(&mut starts) {
            starts.push(start(program, &simulator.kafka));
        }
    }
    println!("medians of {ROUNDS} starts in turns");
    println!("{:12} {:>9} {:>9}", "", "wall", "processor");
    let [bare, client, message] = starts.map(|starts| Start::median(&starts));
    for ((name, _), start) in PROGRAMS.iter().zip([&bare, &client, &message]) {
        let Start { wall, processor } = start;
        println!(
            "{name:12} {:>6} µs {:>6} µs",
            wall.as_micros(),
            processor.as_micros()
        );
    }
    let processor = message.processor.div_duration_f64(bare.processor);
    let wall = message.wall.div_duration_f64(client.wall);
    println!("message: {processor:.2} times the processor time of cold-bare (goal: at most 2)");
    println!("message: {wall:.2} times the wall time of cold-client (goal: at most 1.25)");
}

const ROUNDS: usize = 501;

/// What is started, and the packages.
const PROGRAMS: [(&str, &str); 3] = [
    ("cold-bare", "cold-start"),
    ("cold-client", "cold-start"),
    ("message", "functions"),
];

/// All functions of the contract as it is shipped.
const FUNCTIONS: [&str; 4] = ["connect", "message", "disconnect", "push"];

/// The top of the repository, where the contract is.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../..")
}

/// Builds each program by itself, since one's features would be the other's too, and the simulator
/// for its broker. Returns where they are.
fn build() -> PathBuf {
    for (program, package) in PROGRAMS {
        cargo(&[
            "build",
            "--profile",
            "lambda",
            "-p",
            package,
            "--bin",
            program,
        ]);
    }
    cargo(&["build", "--release", "-p", "local-sim"]);
    // This program is in TARGET/release/deps.
    let this = std::env::current_exe().unwrap();
    this.ancestors().nth(3).unwrap().to_owned()
}

fn cargo(arguments: &[&str]) {
    let cargo = Command::new(env!("CARGO"))
        .args(arguments)
        .current_dir(root())
        .status();
    assert!(cargo.unwrap().success(), "cargo {arguments:?}");
}

/// A running simulator, which is there for its broker; it ends with this.
struct Simulator {
    child: Child,
    kafka: String,
}

impl Simulator {
    fn start(target: &Path) -> Self {
        let mut command = Command::new(target.join("release/local-sim"));
        command.args([
            "--no-build",
            "--listen",
            "127.0.0.1:0",
            "--kafka-listen",
            "127.0.0.1:0",
            "--console",
            "127.0.0.1:0",
        ]);
        for function in FUNCTIONS {
            // None of them is ever started, and most are not built.
            command.args(["--function", &format!("{function}=/bin/true")]);
        }
        let mut child = command
            .current_dir(root())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut places = lines.map_while(Result::ok);
        let kafka = places.find_map(|line| Some(line.strip_prefix("kafka ")?.trim().to_owned()));
        Self {
            child,
            kafka: kafka.expect("the broker's address"),
        }
    }
}

impl Drop for Simulator {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What one start took.
#[derive(Clone, Copy, Default)]
struct Start {
    wall: Duration,
    processor: Duration,
}

impl Start {
    fn median(starts: &[Self]) -> Self {
        let median = |of: fn(&Self) -> Duration| {
            let mut times: Vec<Duration> = starts.iter().map(of).collect();
            times.sort_unstable();
            times[times.len() / 2]
        };
        Self {
            wall: median(|start| start.wall),
            processor: median(|start| start.processor),
        }
    }
}

/// Starts a program, and ends it when it asks for its first event.
fn start(program: &Path, kafka: &str) -> Start {
    let runtime_api = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = runtime_api.local_addr().unwrap().to_string();
    let started = Instant::now();
    let mut child = Command::new(program)
        .env_clear()
        .env("AWS_LAMBDA_RUNTIME_API", address)
        .env("AWS_LAMBDA_FUNCTION_NAME", "message")
        .env("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST")
        .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256")
        .env("LAMBDA_TASK_ROOT", root())
        .env("KAFKA_BROKERS", kafka)
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let (request, _open) = first_line(&runtime_api);
    let wall = started.elapsed();
    let processor = processor_time(child.id());
    child.kill().unwrap();
    child.wait().unwrap();
    let mut log = String::new();
    child
        .stderr
        .take()
        .unwrap()
        .read_to_string(&mut log)
        .unwrap();
    assert!(
        request.starts_with("GET /2018-06-01/runtime/invocation/next"),
        "{request}"
    );
    assert!(log.is_empty(), "{log}");
    Start { wall, processor }
}

/// The first line of the first request, and the connection that it came by.
fn first_line(listener: &TcpListener) -> (String, TcpStream) {
    let (connection, _) = listener.accept().unwrap();
    let mut line = String::new();
    BufReader::new(&connection).read_line(&mut line).unwrap();
    (line, connection)
}

/// What the threads of a process have used of the processors, which Linux counts in nanoseconds.
fn processor_time(process: u32) -> Duration {
    let threads = fs::read_dir(format!("/proc/{process}/task")).unwrap();
    let used = threads.map(|thread| {
        let schedstat = fs::read_to_string(thread.unwrap().path().join("schedstat")).unwrap();
        let nanoseconds = schedstat.split(' ').next().unwrap();
        nanoseconds.parse().map(Duration::from_nanos).unwrap()
    });
    used.sum()
}
