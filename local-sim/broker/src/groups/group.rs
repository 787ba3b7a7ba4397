//! One group: its members, and the rounds in which they share partitions out.
//!
//! ```text
//!           join                 all have joined, or time is up
//!   Empty ───────▶ Preparing ──────────────────────────────────▶ Completing ─┐ the leader has
//!     ▲                │  ▲                                          │       │ assigned
//!     └─ nobody left ──┘  └── join, leave, a session that ends ──────┴─ Stable ◀┘
//! ```
//! The clock is the caller's: every method is told what time it is.

use std::collections::BTreeMap;

use bytes::Bytes;
use kafka_protocol::ResponseError;
use tokio::time::Instant;
use uuid::Uuid;

use super::{
    member::{Client, Join, JoinError, Joined, Member, Reply},
    offsets::{Committed, Offsets, Place},
};
use crate::limits::{MEMBER_BYTES_MAX, SESSION_TIMEOUT_MAX, SESSION_TIMEOUT_MIN};

/// What the leader assigns, by member.
pub(crate) type Assignments = BTreeMap<String, Bytes>;

/// A group.
#[derive(Debug)]
pub(crate) struct Group {
    phase: Phase,
    generation: i32,
    protocol_type: String,
    protocol: String,
    leader: String,
    members: BTreeMap<String, Member>,
    /// Ids that clients are to come back with, and until when.
    invited: BTreeMap<String, Instant>,
    used: Instant,
    /// How far it has come.
    pub(super) offsets: Offsets,
}

/// Who speaks: a member in a generation.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Identity<'a> {
    pub(crate) member: &'a str,
    pub(crate) generation: i32,
}

/// A group as tools show it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Description {
    pub(crate) state: &'static str,
    pub(crate) protocol_type: String,
    pub(crate) protocol: String,
    pub(crate) members: Vec<MemberDescription>,
}

/// A member as tools show it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct MemberDescription {
    pub(crate) id: String,
    pub(crate) client: Client,
    pub(crate) metadata: Bytes,
    pub(crate) assignment: Bytes,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Nobody is there.
    Empty,
    /// Members are to join until then.
    Preparing(Instant),
    /// All have joined; they are to fetch their assignments until then.
    Completing(Instant),
    /// Everybody knows what to read.
    Stable,
}

impl Identity<'_> {
    /// Whether it is a client that only commits, without being a member of anything.
    pub(super) fn is_nobody(&self) -> bool {
        self.generation < 0
    }
}

impl Group {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            phase: Phase::Empty,
            generation: 0,
            protocol_type: String::new(),
            protocol: String::new(),
            leader: String::new(),
            members: BTreeMap::new(),
            invited: BTreeMap::new(),
            used: now,
            offsets: Offsets::new(),
        }
    }

    /// The members, those included that were only given an id.
    pub(super) fn size(&self) -> usize {
        self.members.len() + self.invited.len()
    }

    pub(super) fn protocol_type(&self) -> &str {
        &self.protocol_type
    }

    /// When somebody last spoke to it.
    pub(super) fn used(&self) -> Instant {
        self.used
    }

    pub(super) fn is_empty(&mut self, now: Instant) -> bool {
        self.pass(now);
        self.size() == 0
    }

    /// Takes a client in. It is answered when all have joined.
    pub(super) fn join(
        &mut self,
        now: Instant,
        mut join: Join,
        reply: Reply<Joined>,
    ) -> Result<(), JoinError> {
        self.hear(now);
        self.vet(&join)?;
        if join.member_id.is_empty() {
            join.member_id = format!("{}-{}", join.client.id, Uuid::new_v4());
            if join.comes_back {
                let until = now + join.session_timeout;
                self.invited.insert(join.member_id.clone(), until);
                return Err(JoinError::MemberIdRequired(join.member_id));
            }
        } else if self.members.contains_key(&join.member_id) {
            self.rejoin(now, join, reply);
            return Ok(());
        } else if self.invited.remove(&join.member_id).is_none() {
            return Err(ResponseError::UnknownMemberId.into());
        }
        self.protocol_type.clone_from(&join.protocol_type);
        let id = join.member_id.clone();
        let mut member = Member::new(now, join);
        member.joining = Some(reply);
        self.members.insert(id, member);
        self.rebalance(now);
        Ok(())
    }

    /// Gives a member its assignment once the leader has assigned.
    pub(super) fn sync(
        &mut self,
        now: Instant,
        identity: Identity<'_>,
        mut assignments: Assignments,
        reply: Reply<Bytes>,
    ) -> Result<(), ResponseError> {
        self.hear(now);
        let is_leader = identity.member == self.leader;
        let phase = self.phase;
        let member = self.member(now, identity)?;
        match phase {
            Phase::Empty => return Err(ResponseError::UnknownMemberId),
            Phase::Preparing(_) => return Err(ResponseError::RebalanceInProgress),
            Phase::Completing(_) => member.syncing = Some(reply),
            Phase::Stable => {
                let _ = reply.send(Ok(member.assignment.clone()));
                return Ok(());
            }
        }
        if is_leader {
            if assignments.values().any(|it| it.len() > MEMBER_BYTES_MAX) {
                self.rebalance(now);
                return Ok(());
            }
            self.phase = Phase::Stable;
            for (id, member) in &mut self.members {
                member.assignment = assignments.remove(id).unwrap_or_default();
                member.touch(now);
                if let Some(reply) = member.syncing.take() {
                    let _ = reply.send(Ok(member.assignment.clone()));
                }
            }
        }
        Ok(())
    }

    pub(super) fn heartbeat(
        &mut self,
        now: Instant,
        identity: Identity<'_>,
    ) -> Result<(), ResponseError> {
        self.hear(now);
        self.member(now, identity)?;
        match self.phase {
            Phase::Empty => Err(ResponseError::UnknownMemberId),
            Phase::Preparing(_) => Err(ResponseError::RebalanceInProgress),
            Phase::Completing(_) | Phase::Stable => Ok(()),
        }
    }

    pub(super) fn leave(&mut self, now: Instant, member: &str) -> Result<(), ResponseError> {
        self.hear(now);
        if self.invited.remove(member).is_some() {
            self.pass(now);
            return Ok(());
        }
        if !self.members.contains_key(member) {
            return Err(ResponseError::UnknownMemberId);
        }
        self.remove(now, &[member.to_owned()]);
        Ok(())
    }

    /// Stores offsets: those of a member of this generation, or of a client that is none while nobody else is.
    pub(super) fn commit(
        &mut self,
        now: Instant,
        identity: Identity<'_>,
        offsets: Vec<(Place, Committed)>,
    ) -> Result<(), ResponseError> {
        self.hear(now);
        if !(identity.is_nobody() && self.members.is_empty()) {
            self.member(now, identity)?;
            if let Phase::Completing(_) = self.phase {
                return Err(ResponseError::RebalanceInProgress);
            }
        }
        self.offsets.extend(offsets);
        Ok(())
    }

    pub(super) fn describe(&mut self, now: Instant) -> Description {
        self.pass(now);
        let members = self.members.iter().map(|(id, member)| MemberDescription {
            id: id.clone(),
            client: member.client.clone(),
            metadata: member.metadata(&self.protocol),
            assignment: member.assignment.clone(),
        });
        Description {
            state: match self.phase {
                Phase::Empty => "Empty",
                Phase::Preparing(_) => "PreparingRebalance",
                Phase::Completing(_) => "CompletingRebalance",
                Phase::Stable => "Stable",
            },
            protocol_type: self.protocol_type.clone(),
            protocol: self.protocol.clone(),
            members: members.collect(),
        }
    }

    /// Lets time pass: ends sessions and rounds. Returns when it is to pass again, if nothing else happens.
    pub(super) fn pass(&mut self, now: Instant) -> Option<Instant> {
        self.invited.retain(|_, until| *until > now);
        let expired = self.ids(|member| member.is_expired(now));
        if !expired.is_empty() {
            self.remove(now, &expired);
        }
        match self.phase {
            Phase::Preparing(end) if end <= now || self.has_everybody() => {
                let missing = self.ids(|member| member.joining.is_none());
                self.members.retain(|id, _| !missing.contains(id));
                self.complete(now);
            }
            Phase::Completing(end) if end <= now => {
                let missing = self.ids(|member| member.syncing.is_none());
                self.remove(now, &missing);
            }
            Phase::Empty | Phase::Preparing(_) | Phase::Completing(_) | Phase::Stable => {}
        }
        self.next()
    }

    /// When something is due.
    fn next(&self) -> Option<Instant> {
        let round = match self.phase {
            Phase::Preparing(end) | Phase::Completing(end) => Some(end),
            Phase::Empty | Phase::Stable => None,
        };
        let members = self.members.values().filter(|member| !member.waits());
        let sessions = members.map(|member| member.expires);
        sessions
            .chain(self.invited.values().copied())
            .chain(round)
            .min()
    }

    /// Somebody speaks to the group.
    fn hear(&mut self, now: Instant) {
        self.used = now;
        self.pass(now);
    }

    /// Whether a client can be a member beside those that are.
    fn vet(&self, join: &Join) -> Result<(), ResponseError> {
        if !(SESSION_TIMEOUT_MIN..=SESSION_TIMEOUT_MAX).contains(&join.session_timeout) {
            return Err(ResponseError::InvalidSessionTimeout);
        }
        let bytes: usize = join.protocols.iter().map(|it| it.metadata.len()).sum();
        if bytes > MEMBER_BYTES_MAX {
            return Err(ResponseError::PolicyViolation);
        }
        let others = || {
            let members = self.members.iter();
            members.filter(|(id, _)| **id != join.member_id)
        };
        let is_type = !join.protocol_type.is_empty()
            && (others().count() == 0 || join.protocol_type == self.protocol_type);
        let mut protocols = join.protocols.iter();
        let is_shared =
            protocols.any(|protocol| others().all(|(_, member)| member.speaks(&protocol.name)));
        if is_type && is_shared {
            Ok(())
        } else {
            Err(ResponseError::InconsistentGroupProtocol)
        }
    }

    /// A member joins again: for a new round, or because the answer to the last one got lost.
    fn rejoin(&mut self, now: Instant, join: Join, reply: Reply<Joined>) {
        let id = join.member_id.clone();
        let is_leader = id == self.leader;
        let phase = self.phase;
        let Some(member) = self.members.get_mut(&id) else {
            return;
        };
        let is_same = member.protocols == join.protocols;
        let assignment = std::mem::take(&mut member.assignment);
        member.refuse(ResponseError::RebalanceInProgress);
        *member = Member {
            assignment,
            joining: Some(reply),
            ..Member::new(now, join)
        };
        match phase {
            Phase::Completing(_) if is_same => self.announce(now, &id),
            Phase::Stable if is_same && !is_leader => self.announce(now, &id),
            Phase::Empty | Phase::Preparing(_) | Phase::Completing(_) | Phase::Stable => {
                self.rebalance(now);
            }
        }
    }

    /// The member that speaks, unless it is none of this generation.
    fn member(
        &mut self,
        now: Instant,
        identity: Identity<'_>,
    ) -> Result<&mut Member, ResponseError> {
        let member = self
            .members
            .get_mut(identity.member)
            .ok_or(ResponseError::UnknownMemberId)?;
        if identity.generation != self.generation {
            return Err(ResponseError::IllegalGeneration);
        }
        member.touch(now);
        Ok(member)
    }

    fn ids(&self, which: impl Fn(&Member) -> bool) -> Vec<String> {
        let members = self.members.iter().filter(|(_, member)| which(member));
        members.map(|(id, _)| id.clone()).collect()
    }

    fn remove(&mut self, now: Instant, ids: &[String]) {
        for id in ids {
            if let Some(mut member) = self.members.remove(id) {
                member.refuse(ResponseError::UnknownMemberId);
            }
        }
        self.rebalance(now);
    }

    /// Begins a round, or looks whether the one under way is complete.
    fn rebalance(&mut self, now: Instant) {
        if !matches!(self.phase, Phase::Preparing(_)) {
            for member in self.members.values_mut() {
                if let Some(reply) = member.syncing.take() {
                    // While it waited it could not be heard of.
                    member.touch(now);
                    let _ = reply.send(Err(ResponseError::RebalanceInProgress));
                }
            }
            self.phase = Phase::Preparing(now + self.round());
        }
        if self.has_everybody() {
            self.complete(now);
        }
    }

    /// How long members have for each half of a round: as long as the slowest of them wants.
    fn round(&self) -> std::time::Duration {
        let rounds = self.members.values().map(|member| member.rebalance_timeout);
        rounds.max().unwrap_or_default()
    }

    fn has_everybody(&self) -> bool {
        self.invited.is_empty() && self.members.values().all(|member| member.joining.is_some())
    }

    /// Ends the first half of a round with the members that have joined.
    fn complete(&mut self, now: Instant) {
        // Generations are positive: the first one after the last is 1 again.
        self.generation = self.generation.checked_add(1).unwrap_or(1);
        if self.members.is_empty() {
            self.phase = Phase::Empty;
            self.protocol.clear();
            self.leader.clear();
            return;
        }
        if !self.members.contains_key(&self.leader) {
            let first = self.members.keys().next();
            self.leader = first.cloned().unwrap_or_default();
        }
        self.protocol = self.elect();
        self.phase = Phase::Completing(now + self.round());
        for id in self.ids(|_| true) {
            self.announce(now, &id);
        }
    }

    /// The protocol that most members like best, of those that all speak.
    fn elect(&self) -> String {
        let is_shared = |name: &str| self.members.values().all(|member| member.speaks(name));
        let mut votes = BTreeMap::<&str, usize>::new();
        for member in self.members.values() {
            let mut protocols = member.protocols.iter();
            if let Some(best) = protocols.find(|protocol| is_shared(&protocol.name)) {
                *votes.entry(&best.name).or_default() += 1;
            }
        }
        let most = votes.into_iter().max_by_key(|(_, votes)| *votes);
        most.map(|(name, _)| name.to_owned()).unwrap_or_default()
    }

    /// Tells a member that waits for it how the round has ended.
    fn announce(&mut self, now: Instant, id: &str) {
        let members = if *id == self.leader {
            let members = self.members.iter();
            members
                .map(|(id, member)| (id.clone(), member.metadata(&self.protocol)))
                .collect()
        } else {
            Vec::new()
        };
        let joined = Joined {
            generation: self.generation,
            protocol: self.protocol.clone(),
            leader: self.leader.clone(),
            member_id: id.to_owned(),
            members,
        };
        if let Some(member) = self.members.get_mut(id) {
            member.touch(now);
            if let Some(reply) = member.joining.take() {
                let _ = reply.send(Ok(joined));
            }
        }
    }
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
