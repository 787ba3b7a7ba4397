//! Starts and controls a `local-sim` process.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::time::{Instant, timeout};

use crate::binaries;
use crate::net::Url;
use crate::process::{self, Process};
use crate::wait::eventually;

/// The documented maximum time from a signal to the exit of `local-sim`.
const SHUTDOWN_MAX: Duration = Duration::from_secs(3);

/// Lines of standard error shown when a test fails.
const LAST_LINES: usize = 50;

/// Number of lines with addresses on standard output.
const LINES: usize = 4;

/// Fields of a socket in `/proc/net/tcp`.
const LOCAL: usize = 1;
const REMOTE: usize = 2;
const STATE: usize = 3;
const QUEUES: usize = 4;
const INODE: usize = 9;
/// The state of a listening socket.
const LISTENS: &str = "0A";

/// Launch options of a simulator. The default is free ports and the shipped contract.
#[derive(Debug)]
pub struct Launch {
    options: Vec<(String, String)>,
    inherited: Vec<(String, String)>,
    contract: Option<String>,
    program: Option<PathBuf>,
    stderr: Option<Stdio>,
    builds: bool,
}

impl Default for Launch {
    fn default() -> Self {
        Self {
            options: Vec::new(),
            inherited: Vec::new(),
            contract: None,
            program: None,
            stderr: None,
            builds: false,
        }
        .option("--listen", "127.0.0.1:0")
        .option("--kafka-listen", "127.0.0.1:0")
        .option("--console", "127.0.0.1:0")
        .option("--log", "lambda")
    }
}

impl Launch {
    /// Sets a command-line option.
    pub fn option(mut self, name: &str, value: &str) -> Self {
        self.options.retain(|(given, _)| given != name);
        self.options.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Leaves an option to its default.
    pub fn without(mut self, name: &str) -> Self {
        self.options.retain(|(given, _)| given != name);
        self
    }

    /// Uses this Kafka cluster instead of the embedded broker.
    pub fn kafka(mut self, brokers: &str) -> Self {
        self.options.retain(|(given, _)| given != "--kafka-listen");
        self.option("--kafka", brokers)
    }

    /// Sets an environment variable of every function.
    pub fn env(mut self, name: &str, value: &str) -> Self {
        let prefix = format!("{name}=");
        self.options
            .retain(|(option, given)| option != "--env" || !given.starts_with(&prefix));
        self.options
            .push(("--env".to_owned(), format!("{prefix}{value}")));
        self
    }

    /// Sets a variable in the environment of `local-sim` itself.
    pub fn inherits(mut self, name: &str, value: &str) -> Self {
        self.inherited.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Runs an executable of `tests/functions` as a function of that name.
    pub fn function(self, name: &str, executable: &str) -> Self {
        self.executable(name, &binaries::function(executable))
    }

    /// Runs this program as a function of that name.
    pub fn executable(mut self, name: &str, path: &Path) -> Self {
        let value = format!("{name}={}", path.display());
        self.options.push(("--function".to_owned(), value));
        self
    }

    /// Uses this contract.
    pub fn contract(mut self, yaml: &str) -> Self {
        self.contract = Some(yaml.to_owned());
        self
    }

    /// Runs this copy of the program.
    pub fn program(mut self, path: &Path) -> Self {
        self.program = Some(path.to_owned());
        self
    }

    /// Lets `local-sim` build the functions with `cargo` from the `PATH`.
    pub fn building(mut self) -> Self {
        self.builds = true;
        self
    }

    /// Redirects standard error, which [`Simulator::stderr`] then cannot read.
    pub fn stderr(mut self, to: impl Into<Stdio>) -> Self {
        self.stderr = Some(to.into());
        self
    }

    /// Starts the simulator and waits until all endpoints accept connections.
    ///
    /// # Panics
    /// Panics with its standard error if it exits.
    pub async fn start(self, flags: &[&str]) -> Simulator {
        let mut simulator = Simulator::spawn(self, flags);
        let lines = eventually("four lines on standard output", async || {
            let ended = simulator.child.try_wait().unwrap();
            assert!(ended.is_none(), "local-sim ended: {}", ended.unwrap());
            let out = simulator.stdout();
            let is_json = out.starts_with('{') && out.ends_with('\n');
            (is_json || out.matches('\n').count() >= LINES).then_some(out)
        })
        .await;
        let json: Option<Value> = serde_json::from_str(&lines).ok();
        let place = |name: &str| {
            if let Some(json) = &json {
                return json[name.trim()].as_str().unwrap().to_owned();
            }
            let line = lines.lines().find_map(|line| line.strip_prefix(name));
            line.unwrap_or_else(|| panic!("no {name} in {lines}"))
                .trim()
                .to_owned()
        };
        simulator.websocket = place("websocket ");
        simulator.connections = place("connections ");
        simulator.kafka = place("kafka ");
        simulator.console = place("console ");
        simulator
    }

    /// Starts a simulator that must fail to start, and waits for its exit.
    pub async fn refusal(self, flags: &[&str]) -> Refusal {
        let mut simulator = Simulator::spawn(self, flags);
        let status = eventually("local-sim ends", async || {
            simulator.child.try_wait().unwrap()
        })
        .await;
        Refusal {
            status,
            stdout: simulator.stdout(),
            stderr: simulator.stderr(),
        }
    }
}

/// The exit status and output of a simulator that failed to start.
#[derive(Debug)]
pub struct Refusal {
    /// Its exit status.
    pub status: ExitStatus,
    /// All of its standard output.
    pub stdout: String,
    /// All of its standard error.
    pub stderr: String,
}

/// A `local-sim` of one test, killed when dropped.
#[derive(Debug)]
pub struct Simulator {
    child: Child,
    /// The output, in files: a full pipe could block the simulator.
    files: TempDir,
    /// The WebSocket URL.
    pub websocket: String,
    /// The `@connections` URL.
    pub connections: String,
    /// The bootstrap addresses of the embedded broker or the given cluster.
    pub kafka: String,
    /// The console's URL.
    pub console: String,
}

impl Simulator {
    fn spawn(launch: Launch, flags: &[&str]) -> Self {
        let files = TempDir::new().unwrap();
        let program = launch
            .program
            .as_deref()
            .unwrap_or_else(|| binaries::local_sim());
        let mut command = Command::new(program);
        command
            .current_dir(binaries::root())
            .envs(launch.inherited)
            .args((!launch.builds).then_some("--no-build"))
            .args(flags);
        for (name, value) in launch.options {
            command.args([name, value]);
        }
        if let Some(yaml) = launch.contract {
            let path = files.path().join("gateway.yaml");
            fs::write(&path, yaml).unwrap();
            command.arg("--contract").arg(path);
        }
        let stderr = File::create(files.path().join("stderr")).unwrap();
        let child = command
            .stdin(Stdio::null())
            .stdout(File::create(files.path().join("stdout")).unwrap())
            .stderr(launch.stderr.unwrap_or_else(|| stderr.into()))
            .spawn()
            .unwrap();
        Self {
            child,
            files,
            websocket: String::new(),
            connections: String::new(),
            kafka: String::new(),
            console: String::new(),
        }
    }

    /// Its standard output so far.
    pub fn stdout(&self) -> String {
        fs::read_to_string(self.files.path().join("stdout")).unwrap()
    }

    /// Its standard error so far, including that of the functions.
    pub fn stderr(&self) -> String {
        let bytes = fs::read(self.files.path().join("stderr")).unwrap();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Waits until standard error of the simulator or a function contains this text.
    ///
    /// A log line may be written later than the response to the client.
    pub async fn says(&self, what: &str) {
        let said = async || self.stderr().contains(what).then_some(());
        eventually(&format!("{what:?} on standard error"), said).await;
    }

    /// The last lines of standard error.
    pub fn last_words(&self) -> String {
        let said = self.stderr();
        let start = said.rmatch_indices('\n').nth(LAST_LINES);
        said[start.map_or(0, |(end, _)| end + 1)..].to_owned()
    }

    /// Advances the simulator's timers.
    ///
    /// # Panics
    /// Panics if the console rejects the request.
    pub async fn advance(&self, seconds: u64) {
        self.act("/api/time", json!({ "advance": seconds })).await;
    }

    /// Number of the gateway's open sockets. A closed socket has no inode.
    pub fn sockets(&self) -> usize {
        let port = self.port();
        let is_open = |socket: &&[String]| {
            socket[LOCAL].ends_with(&port) && socket[STATE] != LISTENS && socket[INODE] != "0"
        };
        let table = self.table();
        table.iter().map(Vec::as_slice).filter(is_open).count()
    }

    /// Bytes that the gateway has sent and its clients have not read.
    pub fn in_flight(&self) -> usize {
        let port = self.port();
        let bytes = |socket: &Vec<String>| {
            let (sent, received) = socket[QUEUES].split_once(':').unwrap();
            let of = |queue| usize::from_str_radix(queue, 16).unwrap();
            let is_sender = socket[LOCAL].ends_with(&port) && socket[STATE] != LISTENS;
            let is_receiver = socket[REMOTE].ends_with(&port);
            usize::from(is_sender) * of(sent) + usize::from(is_receiver) * of(received)
        };
        self.table().iter().map(bytes).sum()
    }

    /// The gateway's port as it appears in `/proc/net/tcp`.
    fn port(&self) -> String {
        let host = Url::parse(&self.websocket).host;
        let port: u16 = host.rsplit(':').next().unwrap().parse().unwrap();
        format!(":{port:04X}")
    }

    /// The rows of `/proc/net/tcp`, split into fields (`proc(5)`).
    fn table(&self) -> Vec<Vec<String>> {
        let table = fs::read_to_string(format!("/proc/{}/net/tcp", self.child.id())).unwrap();
        let fields = |line: &str| line.split_whitespace().map(str::to_owned).collect();
        table.lines().skip(1).map(fields).collect()
    }

    /// The resident memory of the simulator in KiB, without its functions.
    pub fn resident_kib(&self) -> u64 {
        process::resident_kib(self.child.id()).unwrap()
    }

    /// The live descendant processes.
    pub fn processes(&self) -> Vec<Process> {
        Process::descendants(self.child.id())
    }

    /// The processes that run the function of this executable.
    pub fn function(&self, executable: &str) -> Vec<Process> {
        let mut processes = self.processes();
        processes.retain(|process| process.command.contains(executable));
        processes
    }

    /// The simulator's resident memory in KiB and its number of open files.
    pub fn holds(&self) -> (u64, usize) {
        let pid = self.child.id();
        let descriptors = fs::read_dir(format!("/proc/{pid}/fd")).unwrap().count();
        (self.resident_kib(), descriptors)
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Waits for the simulator to exit.
    ///
    /// # Panics
    /// Panics if that takes longer than the documented maximum.
    pub async fn ended(&mut self) -> ExitStatus {
        let start = Instant::now();
        let ended = eventually("local-sim ends", async || self.child.try_wait().unwrap());
        let status = timeout(SHUTDOWN_MAX, ended).await;
        status.unwrap_or_else(|_| panic!("still running after {:?}", start.elapsed()))
    }

    /// Interrupts the simulator as a user would, and checks that it exits cleanly.
    ///
    /// # Panics
    /// Panics if it takes too long, exits with a failure or leaves a process running.
    pub async fn stop(mut self) {
        let processes = self.processes();
        self.signal(Signal::TERM);
        let status = self.ended().await;
        assert!(status.success(), "local-sim ended with {status}");
        none_left(&processes).await;
    }
}

/// Waits until all of these processes have exited.
///
/// # Panics
/// Panics if one is still running at the timeout.
pub async fn none_left(processes: &[Process]) {
    for process in processes {
        let gone = async || (!process.is_alive()).then_some(());
        eventually(&format!("the end of {process:?}"), gone).await;
    }
}

impl Drop for Simulator {
    #[expect(
        clippy::print_stderr,
        reason = "a failed test shows what the simulator said"
    )]
    fn drop(&mut self) {
        // It may have exited already.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!(
                "--- local-sim {}\n{}---",
                self.child.id(),
                self.last_words()
            );
        }
    }
}
