//! A real Apache Kafka broker: a KRaft node from Maven's jars, or an existing cluster.

use std::ffi::OsString;
use std::fs;
use std::net::TcpListener;
use std::ops::Range;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio::sync::OnceCell;

use crate::binaries;
use crate::consumer::Consumer;
use crate::wait::{eventually, within};

/// Where `tests/run` puts the jars, below cargo's target directory.
const JARS: &str = "kafka-4.1.0/lib";

/// Start attempts, since another process may take a port between its choice and its use.
pub(crate) const STARTS_MAX: usize = 3;

/// Ports for nodes: below Linux's ephemeral range, whose ports any client could take.
const PORTS: Range<u16> = 16_384..32_768;

/// How many random ports are tried.
const PORT_TRIES_MAX: usize = 1000;

/// JVM flags for a small node that starts fast: a bounded heap, only the C1 compiler, and only
/// errors in the log on standard error.
const JVM: &[&str] = &[
    "-Xmx384m",
    "-Xms128m",
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    "-Dorg.slf4j.simpleLogger.defaultLogLevel=error",
];

/// An arbitrary cluster id: any 16 bytes in base64url.
pub(crate) const CLUSTER_ID: &str = "c2x1aWNlLXRlc3RzLTAwMQ";

/// Runs `$@` in place of this shell, kills it when standard input ends, then removes directory `$0`.
/// Standard input is a pipe from the test process, so the node never outlives that process.
const NOT_LONGER_THAN_STDIN: &str = r#"exec 3<&0
(read -r _ <&3; kill -s KILL $$; rm -rf "$0") &
exec "$@" 3<&- </dev/null"#;

/// A cluster that tests may write to.
#[derive(Debug)]
pub struct RealKafka {
    /// Its bootstrap addresses.
    pub brokers: String,
    /// Held to keep its standard input open.
    _node: Option<Child>,
}

impl RealKafka {
    /// The cluster in `KAFKA_BROKERS`, or else a node that this process's tests share and that ends
    /// with the process.
    pub async fn shared() -> &'static Self {
        static SHARED: OnceCell<RealKafka> = OnceCell::const_new();
        SHARED.get_or_init(Self::start).await
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "the harness's one setting is read here only"
    )]
    async fn start() -> Self {
        if let Ok(brokers) = std::env::var("KAFKA_BROKERS") {
            return Self {
                brokers,
                _node: None,
            };
        }
        for _ in 0..STARTS_MAX {
            if let Some(kafka) = Self::start_node().await {
                return kafka;
            }
        }
        panic!("no Kafka after {STARTS_MAX} starts, which have said why");
    }

    async fn start_node() -> Option<Self> {
        let directory = TempDir::new().unwrap().keep();
        let [port, controller] = free_ports();
        let settings = settings(&directory, port, controller);
        let brokers = format!("127.0.0.1:{port}");
        let addresses = [brokers.clone()];
        let node = run_node(&directory, &settings, &[], &addresses).await?;
        Some(Self {
            brokers,
            _node: Some(node),
        })
    }
}

/// Formats a directory, runs a node in it and waits until the node is ready.
///
/// The node is ready when it listens on all addresses and responds on the first, which must be
/// plaintext. Returns `None` if it exits. It is killed when its standard input closes, and its
/// directory is then removed.
pub(crate) async fn run_node(
    directory: &Path,
    settings: &str,
    formatting: &[&str],
    addresses: &[String],
) -> Option<Child> {
    let properties = directory.join("server.properties");
    fs::write(&properties, settings).unwrap();
    let properties = properties.to_str().unwrap();
    let format = ["kafka.tools.StorageTool", "format", "-t", CLUSTER_ID, "-c"];
    let formatted = Command::new("java")
        .args(java(
            &[format.as_slice(), &[properties], formatting].concat(),
        ))
        .stdout(Stdio::null())
        .status()
        .unwrap();
    assert!(formatted.success(), "StorageTool: {formatted}");
    let mut node = Command::new("sh")
        .args(["-c", NOT_LONGER_THAN_STDIN])
        .arg(directory)
        .arg("java")
        .args(java(&["kafka.Kafka", properties]))
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    accepts(&mut node, addresses).await.then_some(node)
}

/// Waits until the node is ready. Returns false if it exits.
async fn accepts(node: &mut Child, addresses: &[String]) -> bool {
    for address in addresses {
        let listening = eventually("Kafka listens", async || {
            if node.try_wait().unwrap().is_some() {
                return Some(false);
            }
            TcpStream::connect(address).await.ok().map(|_| true)
        });
        if !listening.await {
            return false;
        }
    }
    // It listens a moment before it can respond; the client retries until then.
    Consumer::connect(&addresses[0]).await.topics().await;
    true
}

/// The `java` arguments that run one of Kafka's programs.
pub(crate) fn java(program: &[&str]) -> Vec<OsString> {
    let jars = binaries::target().join(JARS);
    assert!(
        jars.is_dir(),
        "no Kafka in {}: tests/run fetches it",
        jars.display()
    );
    let classes = ["-cp".into(), jars.join("*").into_os_string()];
    let settings = JVM.iter().map(OsString::from).chain(classes);
    settings.chain(program.iter().map(OsString::from)).collect()
}

/// The settings of one node that is broker and controller. Automatic topic creation is on, which
/// exposes a client that wrongly asks for a missing topic.
fn settings(directory: &Path, port: u16, controller: u16) -> String {
    format!(
        "process.roles=broker,controller\n\
         node.id=1\n\
         controller.quorum.voters=1@127.0.0.1:{controller}\n\
         listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}\n\
         controller.listener.names=CONTROLLER\n\
         log.dirs={}\n\
         log.retention.ms=-1\n\
         auto.create.topics.enable=true\n\
         offsets.topic.replication.factor=1\n\
         group.initial.rebalance.delay.ms=0\n",
        directory.join("data").display(),
    )
}

/// Picks distinct free ports outside Linux's ephemeral range. They are not reserved.
pub fn free_ports<const N: usize>() -> [u16; N] {
    let mut listeners = Vec::new();
    for _ in 0..PORT_TRIES_MAX {
        if listeners.len() == N {
            break;
        }
        listeners.extend(TcpListener::bind(("127.0.0.1", fastrand::u16(PORTS))));
    }
    let ports = listeners.iter().map(|it| it.local_addr().unwrap().port());
    let ports: Vec<u16> = ports.collect();
    ports.try_into().unwrap()
}

/// Runs one of Kafka's command-line tools and returns its standard output.
///
/// # Panics
/// Panics with its output if it fails or times out.
pub async fn run_java(program: &[&str]) -> String {
    let tool = tokio::process::Command::new("java")
        .args(java(program))
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output();
    let output = within("one of Kafka's tools", tool).await.unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program:?}: {stderr}");
    String::from_utf8(output.stdout).unwrap()
}
