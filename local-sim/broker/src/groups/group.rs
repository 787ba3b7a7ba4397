//! One group: its members, and the rebalances that assign partitions to them.
//!
//! ```text
//!           join            all have joined, or rebalance timeout
//!   Empty ───────▶ Preparing ──────────────────────────────────▶ Completing ─┐ the leader sends
//!     ▲                │  ▲                                          │       │ assignments
//!     └─ no members ───┘  └── join, leave, session timeout ──────────┴─ Stable ◀┘
//! ```
//! The caller passes the current time to every method.

use std::collections::BTreeMap;

use bytes::Bytes;
use kafka_protocol::ResponseError;
use tokio::time::Instant;
use uuid::Uuid;

use super::{
    member::{Client, Join, JoinError, Joined, Member, Reply},
    offsets::{Committed, Offsets, PartitionKey},
};
use crate::limits::{MEMBER_BYTES_MAX, SESSION_TIMEOUT_MAX, SESSION_TIMEOUT_MIN};

/// The leader's assignments, by member id.
pub(crate) type Assignments = BTreeMap<String, Bytes>;

/// A consumer group.
#[derive(Debug)]
pub(crate) struct Group {
    phase: Phase,
    generation: i32,
    protocol_type: String,
    protocol: String,
    leader: String,
    members: BTreeMap<String, Member>,
    /// Assigned member ids that have not joined yet, and when the group stops waiting for them.
    pending: BTreeMap<String, Instant>,
    last_active: Instant,
    /// The committed offsets.
    pub(super) offsets: Offsets,
}

/// The member id and generation of a request.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Identity<'a> {
    pub(crate) member: &'a str,
    pub(crate) generation: i32,
}

/// The description of a group, for administration tools.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Description {
    pub(crate) state: &'static str,
    pub(crate) protocol_type: String,
    pub(crate) protocol: String,
    pub(crate) members: Vec<MemberDescription>,
}

/// The description of a member, for administration tools.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct MemberDescription {
    pub(crate) id: String,
    pub(crate) client: Client,
    pub(crate) metadata: Bytes,
    pub(crate) assignment: Bytes,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// The group has no members.
    Empty,
    /// Members must join until this time.
    Preparing(Instant),
    /// All members have joined, and must request their assignments until this time.
    Completing(Instant),
    /// All members have an assignment.
    Stable,
}

impl Identity<'_> {
    /// Whether the client commits offsets without being a member.
    pub(super) fn is_standalone(&self) -> bool {
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
            pending: BTreeMap::new(),
            last_active: now,
            offsets: Offsets::new(),
        }
    }

    /// The number of members, including pending ones.
    pub(super) fn size(&self) -> usize {
        self.members.len() + self.pending.len()
    }

    pub(super) fn protocol_type(&self) -> &str {
        &self.protocol_type
    }

    /// The time of the last request.
    pub(super) fn last_active(&self) -> Instant {
        self.last_active
    }

    pub(super) fn is_empty(&mut self, now: Instant) -> bool {
        self.advance(now);
        self.size() == 0
    }

    /// Adds a client to the group. It gets the response when all members have joined.
    pub(super) fn join(
        &mut self,
        now: Instant,
        mut join: Join,
        reply: Reply<Joined>,
    ) -> Result<(), JoinError> {
        self.record_activity(now);
        self.validate(&join)?;
        if join.member_id.is_empty() {
            join.member_id = format!("{}-{}", join.client.id, Uuid::new_v4());
            if join.requires_member_id {
                let until = now + join.session_timeout;
                self.pending.insert(join.member_id.clone(), until);
                return Err(JoinError::MemberIdRequired(join.member_id));
            }
        } else if self.members.contains_key(&join.member_id) {
            self.rejoin(now, join, reply);
            return Ok(());
        } else if self.pending.remove(&join.member_id).is_none() {
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

    /// Sends a member its assignment as soon as the leader has sent all assignments.
    pub(super) fn sync(
        &mut self,
        now: Instant,
        identity: Identity<'_>,
        mut assignments: Assignments,
        reply: Reply<Bytes>,
    ) -> Result<(), ResponseError> {
        self.record_activity(now);
        let is_leader = identity.member == self.leader;
        let phase = self.phase;
        let member = self.current_member(now, identity)?;
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
                member.extend_session(now);
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
        self.record_activity(now);
        self.current_member(now, identity)?;
        match self.phase {
            Phase::Empty => Err(ResponseError::UnknownMemberId),
            Phase::Preparing(_) => Err(ResponseError::RebalanceInProgress),
            Phase::Completing(_) | Phase::Stable => Ok(()),
        }
    }

    pub(super) fn leave(&mut self, now: Instant, member: &str) -> Result<(), ResponseError> {
        self.record_activity(now);
        if self.pending.remove(member).is_some() {
            self.advance(now);
            return Ok(());
        }
        if !self.members.contains_key(member) {
            return Err(ResponseError::UnknownMemberId);
        }
        self.remove(now, &[member.to_owned()]);
        Ok(())
    }

    /// Stores the offsets of a current member, or of a standalone client if there are no members.
    pub(super) fn commit(
        &mut self,
        now: Instant,
        identity: Identity<'_>,
        offsets: Vec<(PartitionKey, Committed)>,
    ) -> Result<(), ResponseError> {
        self.record_activity(now);
        if !(identity.is_standalone() && self.members.is_empty()) {
            self.current_member(now, identity)?;
            if let Phase::Completing(_) = self.phase {
                return Err(ResponseError::RebalanceInProgress);
            }
        }
        self.offsets.extend(offsets);
        Ok(())
    }

    pub(super) fn describe(&mut self, now: Instant) -> Description {
        self.advance(now);
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

    /// Advances the group to `now`: ends sessions and rebalances. Returns the next deadline.
    pub(super) fn advance(&mut self, now: Instant) -> Option<Instant> {
        self.pending.retain(|_, until| *until > now);
        let expired = self.member_ids(|member| member.is_expired(now));
        if !expired.is_empty() {
            self.remove(now, &expired);
        }
        match self.phase {
            Phase::Preparing(end) if end <= now || self.all_joined() => {
                let missing = self.member_ids(|member| member.joining.is_none());
                self.members.retain(|id, _| !missing.contains(id));
                self.complete_join(now);
            }
            Phase::Completing(end) if end <= now => {
                let missing = self.member_ids(|member| member.syncing.is_none());
                self.remove(now, &missing);
            }
            Phase::Empty | Phase::Preparing(_) | Phase::Completing(_) | Phase::Stable => {}
        }
        self.next_deadline()
    }

    /// Returns the next time at which a session or a rebalance ends.
    fn next_deadline(&self) -> Option<Instant> {
        let rebalance = match self.phase {
            Phase::Preparing(end) | Phase::Completing(end) => Some(end),
            Phase::Empty | Phase::Stable => None,
        };
        let members = self.members.values().filter(|member| !member.is_waiting());
        let sessions = members.map(|member| member.session_deadline);
        sessions
            .chain(self.pending.values().copied())
            .chain(rebalance)
            .min()
    }

    /// Records the time of a request, and advances the group to it.
    fn record_activity(&mut self, now: Instant) {
        self.last_active = now;
        self.advance(now);
    }

    /// Checks whether a client can join the other members.
    fn validate(&self, join: &Join) -> Result<(), ResponseError> {
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
        let is_same_type = !join.protocol_type.is_empty()
            && (others().count() == 0 || join.protocol_type == self.protocol_type);
        let mut protocols = join.protocols.iter();
        let is_shared =
            protocols.any(|protocol| others().all(|(_, member)| member.supports(&protocol.name)));
        if is_same_type && is_shared {
            Ok(())
        } else {
            Err(ResponseError::InconsistentGroupProtocol)
        }
    }

    /// Lets a member join again, to start a rebalance or because it missed the last response.
    fn rejoin(&mut self, now: Instant, join: Join, reply: Reply<Joined>) {
        let id = join.member_id.clone();
        let is_leader = id == self.leader;
        let phase = self.phase;
        let Some(member) = self.members.get_mut(&id) else {
            return;
        };
        let is_same = member.protocols == join.protocols;
        let assignment = std::mem::take(&mut member.assignment);
        member.fail_waiting(ResponseError::RebalanceInProgress);
        *member = Member {
            assignment,
            joining: Some(reply),
            ..Member::new(now, join)
        };
        match phase {
            Phase::Completing(_) if is_same => self.send_joined(now, &id),
            Phase::Stable if is_same && !is_leader => self.send_joined(now, &id),
            Phase::Empty | Phase::Preparing(_) | Phase::Completing(_) | Phase::Stable => {
                self.rebalance(now);
            }
        }
    }

    /// Finds the member of a request and extends its session.
    ///
    /// # Errors
    /// Fails if the member is unknown or the generation is not current.
    fn current_member(
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
        member.extend_session(now);
        Ok(member)
    }

    fn member_ids(&self, predicate: impl Fn(&Member) -> bool) -> Vec<String> {
        let members = self.members.iter().filter(|(_, member)| predicate(member));
        members.map(|(id, _)| id.clone()).collect()
    }

    fn remove(&mut self, now: Instant, ids: &[String]) {
        for id in ids {
            if let Some(mut member) = self.members.remove(id) {
                member.fail_waiting(ResponseError::UnknownMemberId);
            }
        }
        self.rebalance(now);
    }

    /// Starts a rebalance unless one is in progress. Ends the join phase if all have joined.
    fn rebalance(&mut self, now: Instant) {
        if !matches!(self.phase, Phase::Preparing(_)) {
            for member in self.members.values_mut() {
                if let Some(reply) = member.syncing.take() {
                    // The member could not send heartbeats while it waited.
                    member.extend_session(now);
                    let _ = reply.send(Err(ResponseError::RebalanceInProgress));
                }
            }
            self.phase = Phase::Preparing(now + self.rebalance_timeout());
        }
        if self.all_joined() {
            self.complete_join(now);
        }
    }

    /// The timeout of each phase of a rebalance: the longest rebalance timeout of any member.
    fn rebalance_timeout(&self) -> std::time::Duration {
        let timeouts = self.members.values().map(|member| member.rebalance_timeout);
        timeouts.max().unwrap_or_default()
    }

    fn all_joined(&self) -> bool {
        self.pending.is_empty() && self.members.values().all(|member| member.joining.is_some())
    }

    /// Ends the join phase with the members that have joined.
    fn complete_join(&mut self, now: Instant) {
        // Generations are positive, so the one after the largest is 1.
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
        self.protocol = self.choose_protocol();
        self.phase = Phase::Completing(now + self.rebalance_timeout());
        for id in self.member_ids(|_| true) {
            self.send_joined(now, &id);
        }
    }

    /// Chooses the protocol that most members prefer, among those that all members support.
    fn choose_protocol(&self) -> String {
        let is_shared = |name: &str| self.members.values().all(|member| member.supports(name));
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

    /// Sends a waiting member the result of the join phase.
    fn send_joined(&mut self, now: Instant, id: &str) {
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
            member.extend_session(now);
            if let Some(reply) = member.joining.take() {
                let _ = reply.send(Ok(joined));
            }
        }
    }
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
