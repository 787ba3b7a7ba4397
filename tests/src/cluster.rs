//! A cluster of three real Apache Kafka nodes that tests can kill, pause and restart.
//!
//! ```text
//!  clients ──▶ proxy 1..3 ──▶ CLIENT  ┐
//!  admin, consumer ────────▶ INTERNAL ┼ node 1..3, broker and controller
//! ```
//! The brokers advertise the proxies' ports to clients, so a test controls the network to each
//! broker. `admin` and `consumer` connect directly and are not affected.

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

/// Number of nodes. With one down, the two in-sync replicas still suffice to write.
pub const NODES: usize = 3;

/// Timeout for a restarted node to catch up with the others, which are under load.
const HEALING_MAX: Duration = Duration::from_mins(2);

/// Runs `$@` in place of this shell and kills it when standard input ends. Standard input is a pipe
/// from the test process, so no node outlives that process.
const NOT_LONGER_THAN_STDIN: &str = r#"exec 3<&0
(read -r _ <&3; kill -s KILL $$) &
exec "$@" 3<&- </dev/null"#;

/// Removes the directory `$0` when standard input ends. Retries, because the nodes end at the same
/// moment and may still be writing.
const REMOVE_AT_LAST: &str = r#"read -r _
for _ in 1 2 3 4 5; do rm -rf "$0" && break; sleep 1; done"#;

/// A cluster whose topics have three replicas, two of which must be in sync.
#[derive(Debug)]
pub struct Cluster {
    nodes: BTreeMap<i32, Node>,
    /// Held to keep its standard input open.
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
    /// Locks the one cluster of this process for exclusive use. All replicas are in sync.
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
        panic!("the Kafka cluster did not start in {STARTS_MAX} attempts");
    }

    /// Formats and starts all nodes. `None` if a node exits, for example because a port is taken.
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

    /// The bootstrap addresses for clients: those of the proxies.
    pub fn brokers(&self) -> String {
        addresses(self.nodes.values().map(|node| node.ports.proxy))
    }

    /// The brokers' own addresses, to check what is stored.
    pub fn direct(&self) -> String {
        addresses(self.nodes.values().map(|node| node.ports.internal))
    }

    /// The node ids.
    pub fn ids(&self) -> Vec<i32> {
        self.nodes.keys().copied().collect()
    }

    /// An admin client.
    pub fn admin(&self) -> Admin {
        Admin::new(self.nodes.values().map(|node| node.ports.internal))
    }

    /// Starts a proxy in front of each broker. Clients cannot connect without them.
    pub async fn proxies(&self) -> Vec<Proxy> {
        let mut proxies = Vec::new();
        for Node { ports, .. } in self.nodes.values() {
            proxies.push(Proxy::start(ports.proxy, ports.client).await);
        }
        proxies
    }

    /// Waits until the partition has a leader and returns its node id.
    pub async fn leader_of(&self, topic: &str, partition: i32) -> i32 {
        let admin = self.admin();
        eventually("a leader", async || {
            let partitions = admin.partitions(topic).await;
            let found = partitions.into_iter().find(|it| it.index == partition);
            found.and_then(|it| it.leader)
        })
        .await
    }

    /// Kills a node with SIGKILL. What it wrote is kept.
    pub async fn kill(&mut self, id: i32) {
        // The guard shell sends SIGKILL when standard input closes.
        self.end(id, |process| drop(process.stdin.take())).await;
    }

    /// Shuts a node down cleanly, so that it first hands over its leaderships.
    pub async fn shut_down(&mut self, id: i32) {
        self.end(id, |process| signal(process, Signal::TERM)).await;
    }

    async fn end(&mut self, id: i32, end: impl FnOnce(&mut Child)) {
        if let Some(mut process) = self.node(id).process.take() {
            end(&mut process);
            eventually("the end of a node", async || process.try_wait().unwrap()).await;
        }
    }

    /// Starts a node that has ended, without waiting until it is ready.
    pub fn start(&mut self, id: i32) {
        self.node(id).start();
    }

    /// Pauses a node with SIGSTOP. Its sockets stay open.
    pub fn pause(&mut self, id: i32) {
        self.tell(id, Signal::STOP);
    }

    /// Resumes a paused node.
    pub fn resume(&mut self, id: i32) {
        self.tell(id, Signal::CONT);
    }

    /// Starts or resumes all nodes and waits until all replicas are in sync.
    pub async fn heal(&mut self) {
        for node in self.nodes.values_mut() {
            match &node.process {
                Some(process) => signal(process, Signal::CONT),
                None => node.start(),
            }
        }
        assert!(self.is_whole().await, "a node has exited unexpectedly");
    }

    /// Waits until all nodes report all replicas in sync. Returns false if a node has exited.
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
    /// Writes the settings and starts formatting the data directory.
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

    /// Starts the node. It logs to a file, since it logs a lot while other nodes are down.
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
    // It may have exited; the wait for the cluster reports that.
    let _ = kill_process(Pid::from_child(process), signal);
}

/// The settings of one node. The controller fences an unresponsive broker after 6 s, which leaves
/// clients part of their 10 s.
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
