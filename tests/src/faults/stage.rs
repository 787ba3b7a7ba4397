//! The path under test during a fault: clients, simulator, functions and cluster.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::time::Duration;

use rustix::process::Signal;
use tokio::sync::MutexGuard;
use tokio::time::sleep;
use uuid::Uuid;

use super::extent::Extent;
use super::fault::Fault;
use super::invocations;
use super::report::Report;
use super::site::Site;
use crate::audit::{self, Audit};
use crate::clock::Clock;
use crate::cluster::Cluster;
use crate::load::Load;
use crate::path::Topics;
use crate::process::Process;
use crate::proxy::Proxy;
use crate::simulator::{Launch, Simulator};

/// The command lines of the functions that clients wait for.
const CONNECT: &str = "release/connect";
pub(super) const MESSAGE: &str = "release/message";

/// Time for the last confirmations to reach their clients after the fault begins.
pub(super) const ON_ITS_WAY: Duration = Duration::from_secs(1);

/// Longer than the invocation timeout, so that each client is refused at least once.
pub(super) const REFUSAL: Duration = Duration::from_secs(12);

/// The longest invocation: the timeout of 10 s less the margin that functions leave to respond.
const ANSWERED: Duration = Duration::from_millis(9_700);

/// Allowance for a busy machine.
const NOISE: Duration = Duration::from_millis(200);

/// Acknowledged messages per client while memory is watched, enough to show a leak per message.
const STRETCH: usize = 50;

/// The most that a new process may grow, for its buffers and connections.
const GROWTH_KIB_MAX: u64 = 8 * 1024;

/// The most that a settled process may grow, for memory that the allocator retains after a peak.
const SETTLED_GROWTH_KIB_MAX: u64 = 2 * 1024;

/// The whole path under load.
#[derive(Debug)]
pub(super) struct Stage {
    pub(super) fault: Fault,
    pub(super) extent: Extent,
    pub(super) simulator: Simulator,
    pub(super) load: Load,
    /// The topics that the functions write to.
    pub(super) topics: Topics,
    site: Site,
    clock: Clock,
    /// Violated expectations so far.
    complaints: Vec<String>,
    /// The function processes seen so far, by pid.
    seen: HashMap<i32, Seen>,
    /// The pids of functions that the test killed.
    killed: Vec<i32>,
    /// The lock on the cluster, released last so that nothing disturbs the next test.
    ///
    /// Also held when the fault does not use the cluster, so that only one fault runs at a time.
    pub(super) cluster: MutexGuard<'static, Cluster>,
}

/// A function process and its memory.
#[derive(Debug)]
struct Seen {
    process: Process,
    first_kib: u64,
    /// Memory in KiB at the next calm moment after a fault.
    settled_kib: Option<u64>,
}

impl Stage {
    /// Starts everything and waits until every client has had time for a response.
    pub(super) async fn set(fault: Fault, extent: &Extent) -> Self {
        let cluster = Cluster::exclusive().await;
        let site = Site::of(fault, &cluster).await;
        let topics = Topics::prefixed(&format!("{}.", Uuid::new_v4()));
        let clock = Clock::default();
        let mut launch = site.given_to(Launch::default().contract(&topics.contract()));
        if fault.moves_clock() {
            launch = clock.given_to(launch);
        }
        let simulator = launch.start(&["--create-topics"]).await;
        let load = Load::start(&simulator.websocket, extent.clients, extent.pause);
        load.progress(u64::from(extent.clients)).await;
        let mut stage = Self {
            fault,
            extent: extent.clone(),
            simulator,
            load,
            topics,
            site,
            clock,
            complaints: Vec::new(),
            seen: HashMap::new(),
            killed: Vec::new(),
            cluster,
        };
        stage.look();
        stage
    }

    /// Adds a complaint to the report if `is_so` is false.
    pub(super) fn expect(&mut self, is_so: bool, otherwise: String) {
        if !is_so {
            self.complaints.push(otherwise);
        }
    }

    /// Runs without a fault for the extent's `calm` time.
    pub(super) async fn calm(&mut self) {
        self.load.progress(u64::from(self.extent.clients)).await;
        sleep(self.extent.calm).await;
        self.look();
    }

    /// Waits for the extent's `away` time.
    pub(super) async fn away(&self) {
        sleep(self.extent.away).await;
    }

    /// Checks that, after the time `on_its_way`, messages are refused and none is acknowledged.
    pub(super) async fn nothing_is_acknowledged(
        &mut self,
        on_its_way: Duration,
        time: Duration,
        with: &str,
    ) {
        sleep(on_its_way).await;
        let (acknowledged, refused) = (self.load.acknowledged(), self.load.refused());
        sleep(time).await;
        let unfounded = self.load.acknowledged() - acknowledged;
        let told = self.load.refused() - refused;
        self.expect(
            unfounded == 0,
            format!("{unfounded} acknowledgements with {with}"),
        );
        self.expect(told > 0, format!("nobody was refused with {with}"));
    }

    /// Applies a change to the proxy of each broker.
    pub(super) fn proxies(&self, change: impl Fn(&Proxy)) {
        self.site.proxies.iter().for_each(change);
    }

    /// The processes that run functions.
    pub(super) fn functions(&self) -> Vec<Process> {
        let mut functions = self.simulator.function(CONNECT);
        functions.extend(self.simulator.function(MESSAGE));
        functions
    }

    /// Kills functions, and expects their end.
    pub(super) fn kill(&mut self, processes: &[Process]) {
        self.condemn(processes);
        for process in processes {
            process.signal(Signal::KILL);
        }
    }

    /// Expects that Lambda will kill these functions.
    pub(super) fn condemn(&mut self, processes: &[Process]) {
        self.killed.extend(processes.iter().map(|it| it.pid));
    }

    /// How often the simulator or a function has logged this text.
    pub(super) fn said(&self, what: &str) -> usize {
        self.simulator.stderr().matches(what).count()
    }

    /// How often a function has logged that a record may be stored twice.
    pub(super) fn sent_again(&self) -> usize {
        self.said("sent again")
    }

    /// Number of refusals to clients and resent records so far.
    pub(super) fn troubles(&self) -> u64 {
        self.load.refused() + self.sent_again() as u64
    }

    /// Advances the wall clock of the functions and the simulator.
    pub(super) fn move_clock(&mut self, time: Duration) {
        self.clock.move_on(time);
    }

    /// Runs the functions while their memory is watched: twice, so that new ones settle first.
    async fn stretch(&mut self) {
        for _ in 0..2 {
            for _ in 0..STRETCH {
                self.load.progress(u64::from(self.extent.clients)).await;
            }
            self.look();
        }
    }

    /// Records the function processes that run now, and their memory.
    fn look(&mut self) {
        for process in self.functions() {
            let Some(memory) = process.resident_kib() else {
                continue;
            };
            match self.seen.entry(process.pid) {
                Entry::Vacant(entry) => {
                    entry.insert(Seen {
                        process,
                        first_kib: memory,
                        settled_kib: None,
                    });
                }
                Entry::Occupied(mut entry) => {
                    entry.get_mut().settled_kib.get_or_insert(memory);
                }
            }
        }
    }

    /// Complaints about functions that exited unexpectedly or that leak memory.
    fn processes_complained_of(&self) -> Vec<String> {
        let spared = self
            .seen
            .iter()
            .filter(|(pid, _)| !self.killed.contains(pid));
        spared.filter_map(|(_, seen)| seen.complaint()).collect()
    }

    /// Stops everything and returns the report.
    pub(super) async fn clear(mut self) -> Report {
        self.stretch().await;
        let mut complaints = std::mem::take(&mut self.complaints);
        complaints.extend(self.processes_complained_of());
        let account = self.load.end().await;
        let slowest = invocations::slowest(&self.simulator.stderr());
        if slowest > ANSWERED + NOISE && !self.fault.may_expire() {
            complaints.push(format!("an invocation took {slowest:?}"));
        }
        self.cluster.heal().await;
        let brokers = &self.site.direct;
        let audit = Audit::of(brokers, &self.topics.chat, &account).await;
        complaints.extend(audit.complaints());
        complaints.extend(audit::connections(brokers, &self.topics.connections, &account).await);
        for topic in [&self.topics.chat, &self.topics.connections] {
            self.site.admin.delete_topic(topic).await;
        }
        let mut report = Report::new(self.fault, &audit, account, complaints);
        if report.complaints.is_empty() {
            self.simulator.stop().await;
        } else {
            report.complaints.push(self.simulator.last_words());
        }
        report
    }
}

impl Seen {
    fn complaint(&self) -> Option<String> {
        let name = &self.process.command;
        let Some(now) = self.process.resident_kib() else {
            return Some(format!("{name} has died"));
        };
        let has_grown = |before, max| (now > before + max).then_some(before);
        let before = has_grown(self.first_kib, GROWTH_KIB_MAX).or_else(|| {
            let settled = self.settled_kib?;
            has_grown(settled, SETTLED_GROWTH_KIB_MAX)
        })?;
        Some(format!("{name} has grown from {before} to {now} KiB"))
    }
}
