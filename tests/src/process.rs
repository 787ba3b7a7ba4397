//! Inspects and signals processes through `/proc`.

use std::collections::BTreeSet;
use std::fs;
use std::net::SocketAddrV4;

use rustix::process::{Pid, Resource, Rlimit, Signal, getrlimit, kill_process, setrlimit};

/// The resident memory of a process in KiB (`VmRSS` of `proc(5)`); `None` if it has exited.
pub fn resident_kib(pid: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.split_whitespace().next()?.parse().ok()
}

/// Raises this process's limit of open files to the hard limit.
pub fn raise_descriptor_limit() {
    let maximum = getrlimit(Resource::Nofile).maximum;
    let limit = Rlimit {
        current: maximum,
        maximum,
    };
    setrlimit(Resource::Nofile, limit).unwrap();
}

/// A process, identified by its pid and start time, since pids are reused.
#[derive(Clone, Debug)]
pub struct Process {
    /// The process id.
    pub pid: i32,
    parent: i32,
    state: char,
    started: u64,
    /// The command line, joined with spaces.
    pub command: String,
}

impl Process {
    /// All descendants of `pid`, at any depth.
    pub fn descendants(pid: u32) -> Vec<Self> {
        let all: Vec<Self> = fs::read_dir("/proc")
            .unwrap()
            .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
            .filter_map(Self::read)
            .collect();
        let mut found = Vec::new();
        let mut parents = vec![i32::try_from(pid).unwrap()];
        while let Some(parent) = parents.pop() {
            for child in all.iter().filter(|process| process.parent == parent) {
                parents.push(child.pid);
                found.push(child.clone());
            }
        }
        found
    }

    /// Whether the process is running, sleeping or stopped. A zombie is not alive.
    pub fn is_alive(&self) -> bool {
        self.now()
            .is_some_and(|now| !matches!(now.state, 'Z' | 'X'))
    }

    /// Whether a signal has stopped it.
    pub fn is_stopped(&self) -> bool {
        self.now().is_some_and(|now| now.state == 'T')
    }

    /// Sends the process a signal, unless it has exited.
    pub fn signal(&self, signal: Signal) {
        if self.is_alive() {
            // The process may have exited since the check.
            let _ = kill_process(Pid::from_raw(self.pid).unwrap(), signal);
        }
    }

    /// The CPU time used so far, in clock ticks (fields 14 and 15 of `stat` in `proc(5)`).
    pub fn ticks(&self) -> u64 {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.pid)).unwrap();
        let fields: Vec<&str> = stat.rsplit_once(") ").unwrap().1.split(' ').collect();
        fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
    }

    /// The resident memory in KiB; `None` if the process has exited.
    pub fn resident_kib(&self) -> Option<u64> {
        self.now()?;
        resident_kib(self.pid.unsigned_abs())
    }

    /// Counts the process's established connections to this address.
    ///
    /// `/proc/<pid>/net/tcp` lists the state (1 is established) and inode of each connection;
    /// `/proc/<pid>/fd` lists the inodes that the process itself holds open.
    pub fn connections(&self, address: &str) -> usize {
        let address: SocketAddrV4 = address.parse().unwrap();
        let ip = u32::from_ne_bytes(address.ip().octets());
        let remote = format!("{ip:08X}:{:04X}", address.port());
        let folder = format!("/proc/{}", self.pid);
        let own: BTreeSet<String> = fs::read_dir(format!("{folder}/fd"))
            .unwrap()
            .filter_map(|entry| {
                Some(
                    fs::read_link(entry.ok()?.path())
                        .ok()?
                        .display()
                        .to_string(),
                )
            })
            .collect();
        let table = fs::read_to_string(format!("{folder}/net/tcp")).unwrap();
        let is_one = |line: &&str| {
            let fields: Vec<&str> = line.split_whitespace().collect();
            let socket = format!("socket:[{}]", fields[9]);
            fields[2] == remote && fields[3] == "01" && own.contains(&socket)
        };
        table.lines().skip(1).filter(is_one).count()
    }

    fn now(&self) -> Option<Self> {
        Self::read(self.pid).filter(|now| now.started == self.started)
    }

    /// Reads `/proc/<pid>/stat`, of which field 4 is the parent and field 22 the start time
    /// (`proc(5)`); the name in parentheses may itself hold spaces and parentheses.
    fn read(pid: i32) -> Option<Self> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        let fields: Vec<&str> = stat.rsplit_once(") ")?.1.split(' ').collect();
        let command = fs::read_to_string(format!("/proc/{pid}/cmdline")).ok()?;
        Some(Self {
            pid,
            state: fields.first()?.chars().next()?,
            parent: fields.get(1)?.parse().ok()?,
            started: fields.get(19)?.parse().ok()?,
            command: command.replace('\0', " ").trim_end().to_owned(),
        })
    }
}
