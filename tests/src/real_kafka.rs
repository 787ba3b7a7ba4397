//! A real Apache Kafka broker: one KRaft node from Maven's jars, or a cluster that is there.

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

/// How often a node is started anew, since its ports may be taken between their choice and
/// their use.
pub(crate) const STARTS_MAX: usize = 3;

/// Where nodes listen: below the ports that Linux gives to whoever connects, one of which could
/// be taken between its choice and its use.
const PORTS: Range<u16> = 16_384..32_768;

/// How many ports are tried, of which only a few can be taken.
const PORT_TRIES_MAX: usize = 1000;

/// For a small node that soon accepts: a bounded heap, no compiler for long runs, and of its
/// log, which goes to standard error, only what is wrong.
const JVM: &[&str] = &[
    "-Xmx384m",
    "-Xms128m",
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    "-Dorg.slf4j.simpleLogger.defaultLogLevel=error",
];

/// Any 16 bytes in base64url will do.
pub(crate) const CLUSTER_ID: &str = "c2x1aWNlLXRlc3RzLTAwMQ";

/// Runs `$@` in the place of this shell, ends it when standard input does, and then removes the
/// directory `$0`. Standard input is a pipe from the test process, so nothing outlives that,
/// however it ends.
const NOT_LONGER_THAN_STDIN: &str = r#"exec 3<&0
(read -r _ <&3; kill -s KILL $$; rm -rf "$0") &
exec "$@" 3<&- </dev/null"#;

/// A cluster that tests may write to.
#[derive(Debug)]
pub struct RealKafka {
    /// Its bootstrap addresses.
    pub brokers: String,
    /// Held so that its standard input stays open.
    _node: Option<Child>,
}

impl RealKafka {
    /// The cluster that `KAFKA_BROKERS` names, else one node that all tests of this process
    /// share and that ends with it.
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

/// Formats a directory, with these further arguments, runs a node in it and waits until it
/// listens on all addresses, and answers on the first, which has no security; none where it ends.
///
/// It ends with its standard input, and its directory goes with it.
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

/// Whether the node accepts; where it does not, it has ended.
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
    // It listens a moment before it can answer; the client asks until it can.
    Consumer::connect(&addresses[0]).await.topics().await;
    true
}

/// The arguments that make Java run one of Kafka's programs.
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

/// The settings of one node that is broker and controller. It makes a topic for whoever asks for one
/// that is not there, so that nobody may ask who should not.
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

/// Different ports that were free a moment ago, none of those that Linux gives to who connects.
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
/// Panics with what it said where it fails, or does not end.
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
