//! Three real Apache Kafka nodes, each of which can be killed, stopped and started.
//!
//! ```text
//!  clients ──▶ proxy 1..3 ──▶ CLIENT  ┐
//!  admin, consumer ────────▶ INTERNAL ┼ node 1..3, broker and controller
//! ```
//! What clients are told of the cluster are the proxies' ports, so that the network to each
//! broker is in the test's hands; who looks after the cluster is not disturbed by that.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use tokio::sync::{Mutex, MutexGuard, OnceCell};

use crate::admin::Admin;
use crate::proxy::Proxy;
use crate::real_kafka::{CLUSTER_ID, STARTS_MAX, free_ports, java};
use crate::wait::{eventually, eventually_in};

/// How many nodes there are: with one away, two are in sync, and that is enough to write.
pub const NODES: usize = 3;

/// A node that comes back has to catch up with the others, who are under load meanwhile.
const HEALING_MAX: Duration = Duration::from_mins(2);

/// Runs `$@` in the place of this shell, and ends it when standard input does: that is a pipe
/// from the test process, so no node outlives it, however it ends.
const NOT_LONGER_THAN_STDIN: &str = r#"exec 3<&0
(read -r _ <&3; kill -s KILL $$) &
exec "$@" 3<&- </dev/null"#;

/// Removes the directory `$0` when standard input ends; the nodes, which end at that moment too,
/// may still be writing to it.
const REMOVE_AT_LAST: &str = r#"read -r _
for _ in 1 2 3 4 5; do rm -rf "$0" && break; sleep 1; done"#;

/// A cluster whose topics have three replicas, two of which must be in sync.
#[derive(Debug)]
pub struct Cluster {
    nodes: BTreeMap<i32, Node>,
    /// Held so that its standard input stays open.
    _janitor: Child,
}

#[derive(Debug)]
struct Node {
    id: i32,
    directory: PathBuf,
    ports: Ports,
    process: Option<Child>,
}

#[derive(Debug, Clone, Copy)]
struct Ports {
    client: u16,
    proxy: u16,
    internal: u16,
    controller: u16,
}

impl Cluster {
    /// The one cluster of this process, whole, and to nobody else's use until it is given back.
    pub async fn exclusive() -> MutexGuard<'static, Self> {
        static SHARED: OnceCell<Mutex<Cluster>> = OnceCell::const_new();
        let shared = SHARED.get_or_init(async || Mutex::new(Self::start_all().await));
        let mut cluster = shared.await.lock().await;
        cluster.heal().await;
        cluster
    }

    async fn start_all() -> Self {
        for _ in 0..STARTS_MAX {
            if let Some(cluster) = Self::try_start_all().await {
                return cluster;
            }
        }
        panic!("no cluster after {STARTS_MAX} starts");
    }

    /// Formats and starts all nodes; none where one ends at once, as it does without its ports.
    async fn try_start_all() -> Option<Self> {
        let directory = TempDir::new().unwrap().keep();
        let janitor = Command::new("sh")
            .args(["-c", REMOVE_AT_LAST])
            .arg(&directory)
            .stdin(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let ports = free_ports::<{ NODES * 4 }>();
        let nodes = ports.as_chunks::<4>().0.iter().zip(1..).map(|(ports, id)| {
            let &[client, proxy, internal, controller] = ports;
            let node = Node {
                id,
                directory: directory.join(id.to_string()),
                ports: Ports {
                    client,
                    proxy,
                    internal,
                    controller,
                },
                process: None,
            };
            (id, node)
        });
        let mut cluster = Self {
            nodes: nodes.collect(),
            _janitor: janitor,
        };
        let voters = cluster.list(|node| (node.id, node.ports.controller));
        let formatting: Vec<Child> = cluster
            .nodes
            .values()
            .map(|node| node.format(&voters))
            .collect();
        for mut formatting in formatting {
            let status = formatting.wait().unwrap();
            assert!(status.success(), "StorageTool: {status}");
        }
        for node in cluster.nodes.values_mut() {
            node.start();
        }
        cluster.is_whole().await.then_some(cluster)
    }

    /// What clients bootstrap from: the proxies' addresses.
    pub fn brokers(&self) -> String {
        addresses(self.nodes.values().map(|node| node.ports.proxy))
    }

    /// The brokers themselves, for who checks what is stored.
    pub fn direct(&self) -> String {
        addresses(self.nodes.values().map(|node| node.ports.internal))
    }

    /// The numbers of the nodes.
    pub fn ids(&self) -> Vec<i32> {
        self.nodes.keys().copied().collect()
    }

    /// Who changes and describes topics.
    pub fn admin(&self) -> Admin {
        Admin::new(self.nodes.values().map(|node| node.ports.internal))
    }

    /// Puts a proxy before each broker; without them clients reach nothing.
    pub async fn proxies(&self) -> Vec<Proxy> {
        let mut proxies = Vec::new();
        for Node { ports, .. } in self.nodes.values() {
            proxies.push(Proxy::start(ports.proxy, ports.client).await);
        }
        proxies
    }

    /// The leader of a partition, as soon as there is one.
    pub async fn leader_of(&self, topic: &str, partition: i32) -> i32 {
        let admin = self.admin();
        eventually("a leader", async || {
            let partitions = admin.partitions(topic).await;
            let found = partitions.into_iter().find(|it| it.index == partition);
            found.and_then(|it| it.leader)
        })
        .await
    }

    /// Ends a node at once, as a power cut would, except that what it wrote is still there.
    pub async fn kill(&mut self, id: i32) {
        // Closing standard input has its guard send SIGKILL.
        self.end(id, |process| drop(process.stdin.take())).await;
    }

    /// Ends a node as an operator would, who lets it hand over what it leads.
    pub async fn shut_down(&mut self, id: i32) {
        self.end(id, |process| signal(process, Signal::TERM)).await;
    }

    async fn end(&mut self, id: i32, end: impl FnOnce(&mut Child)) {
        if let Some(mut process) = self.node(id).process.take() {
            end(&mut process);
            eventually("the end of a node", async || process.try_wait().unwrap()).await;
        }
    }

    /// Starts a node that was ended. It is there some seconds later.
    pub fn start(&mut self, id: i32) {
        self.node(id).start();
    }

    /// Stops a node where it is, with all its sockets open (SIGSTOP).
    pub fn pause(&mut self, id: i32) {
        self.tell(id, Signal::STOP);
    }

    /// Lets a stopped node go on.
    pub fn resume(&mut self, id: i32) {
        self.tell(id, Signal::CONT);
    }

    /// Starts and resumes whatever is not running, and waits until everything is in sync.
    pub async fn heal(&mut self) {
        for node in self.nodes.values_mut() {
            match &node.process {
                Some(process) => signal(process, Signal::CONT),
                None => node.start(),
            }
        }
        assert!(self.is_whole().await, "a node has ended by itself");
    }

    /// Waits until all nodes agree that all are in sync; not so where one has ended.
    async fn is_whole(&mut self) -> bool {
        let admin = self.admin();
        eventually_in(HEALING_MAX, "a whole cluster", async || {
            let mut processes = self.nodes.values_mut().map(|node| &mut node.process);
            if processes.any(|it| {
                it.as_mut()
                    .is_none_or(|it| it.try_wait().unwrap().is_some())
            }) {
                return Some(false);
            }
            admin.in_sync(NODES).await.then_some(true)
        })
        .await
    }

    fn tell(&mut self, id: i32, what: Signal) {
        if let Some(process) = &self.node(id).process {
            signal(process, what);
        }
    }

    fn node(&mut self, id: i32) -> &mut Node {
        self.nodes.get_mut(&id).unwrap()
    }

    fn list(&self, voter: impl Fn(&Node) -> (i32, u16)) -> String {
        let voters = self.nodes.values().map(voter);
        let voters: Vec<String> = voters
            .map(|(id, port)| format!("{id}@127.0.0.1:{port}"))
            .collect();
        voters.join(",")
    }
}

impl Node {
    /// Writes the settings and begins to format the directory after them.
    fn format(&self, voters: &str) -> Child {
        fs::create_dir(&self.directory).unwrap();
        let properties = settings(self.id, self.ports, voters, &self.directory);
        fs::write(self.properties(), properties).unwrap();
        let properties = self.properties();
        let program = ["kafka.tools.StorageTool", "format", "-t", CLUSTER_ID, "-c"];
        Command::new("java")
            .args(java(&program))
            .arg(properties)
            .stdout(Stdio::null())
            .spawn()
            .unwrap()
    }

    /// What it has to say goes to a file: with others away, that is a lot.
    fn start(&mut self) {
        let log = File::options()
            .create(true)
            .append(true)
            .open(self.directory.join("log"))
            .unwrap();
        let process = Command::new("sh")
            .args(["-c", NOT_LONGER_THAN_STDIN, "node", "java"])
            .args(java(&["kafka.Kafka"]))
            .arg(self.properties())
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        self.process = Some(process);
    }

    fn properties(&self) -> PathBuf {
        self.directory.join("server.properties")
    }
}

/// Sends a signal to a process that has not been waited for.
fn signal(process: &Child, signal: Signal) {
    // It may have ended, which whoever waits for the cluster finds out.
    let _ = kill_process(Pid::from_child(process), signal);
}

/// The settings of one node. A broker that is silent is given up after 6 s, which leaves its
/// clients some of their 10.
fn settings(id: i32, ports: Ports, voters: &str, directory: &Path) -> String {
    let Ports {
        client,
        proxy,
        internal,
        controller,
    } = ports;
    format!(
        "process.roles=broker,controller\n\
         node.id={id}\n\
         controller.quorum.voters={voters}\n\
         listeners=CLIENT://127.0.0.1:{client},INTERNAL://127.0.0.1:{internal},CONTROLLER://127.0.0.1:{controller}\n\
         advertised.listeners=CLIENT://127.0.0.1:{proxy},INTERNAL://127.0.0.1:{internal}\n\
         listener.security.protocol.map=CLIENT:PLAINTEXT,INTERNAL:PLAINTEXT,CONTROLLER:PLAINTEXT\n\
         inter.broker.listener.name=INTERNAL\n\
         controller.listener.names=CONTROLLER\n\
         broker.session.timeout.ms=6000\n\
         default.replication.factor={NODES}\n\
         offsets.topic.replication.factor={NODES}\n\
         min.insync.replicas=2\n\
         unclean.leader.election.enable=false\n\
         auto.create.topics.enable=true\n\
         log.retention.ms=-1\n\
         log.cleaner.dedupe.buffer.size=4194304\n\
         log.dirs={}\n",
        directory.join("data").display(),
    )
}

fn addresses(ports: impl Iterator<Item = u16>) -> String {
    let addresses: Vec<String> = ports.map(|port| format!("127.0.0.1:{port}")).collect();
    addresses.join(",")
}
