//! Consumer groups: their members, assignments and committed offsets.
//!
//! A group is a state machine without a clock ([`group::Group`]). Each request advances it to the
//! current time. Requests that wait for other members advance it again at its next deadline, so no
//! background task is needed to expire sessions.

pub(crate) mod group;
mod member;
pub(crate) mod offsets;

use std::collections::BTreeMap;

use kafka_protocol::ResponseError;
use parking_lot::Mutex;
use tokio::{
    sync::oneshot,
    time::{Instant, sleep_until},
};

use self::{
    group::{Assignments, Description, Group, Identity},
    offsets::{Committed, PartitionKey},
};
use crate::limits::{GROUP_ID_BYTES_MAX, GROUPS_MAX, MEMBERS_MAX, OFFSETS_MAX};

pub(crate) use self::member::{Client, Join, JoinError, Joined, Protocol};

/// All groups, by id.
#[derive(Debug, Default)]
pub(crate) struct Groups(Mutex<BTreeMap<String, Group>>);

impl Groups {
    /// Adds a member, or lets it join again, and waits until all members have joined.
    pub(crate) async fn join(&self, group: &str, join: Join) -> Result<Joined, JoinError> {
        let (reply, joined) = oneshot::channel();
        {
            let mut groups = self.0.lock();
            let members: usize = groups.values().map(Group::size).sum();
            if join.member_id.is_empty() && members >= MEMBERS_MAX {
                return Err(ResponseError::GroupMaxSizeReached.into());
            }
            find_or_create(&mut groups, group)?.join(Instant::now(), join, reply)?;
        }
        Ok(self.wait(group, joined).await?)
    }

    /// Waits for the leader's assignments, and returns the member's own.
    ///
    /// The leader's own request contains the assignments.
    pub(crate) async fn sync(
        &self,
        group: &str,
        identity: Identity<'_>,
        assignments: Assignments,
    ) -> Result<bytes::Bytes, ResponseError> {
        let (reply, assigned) = oneshot::channel();
        self.with(group, |group| {
            group.sync(Instant::now(), identity, assignments, reply)
        })?;
        self.wait(group, assigned).await
    }

    /// Keeps a member's session alive.
    ///
    /// # Errors
    /// Fails with [`ResponseError::RebalanceInProgress`] if the member must join again.
    pub(crate) fn heartbeat(
        &self,
        group: &str,
        identity: Identity<'_>,
    ) -> Result<(), ResponseError> {
        self.with(group, |group| group.heartbeat(Instant::now(), identity))
    }

    /// Removes a member from its group.
    pub(crate) fn leave(&self, group: &str, member: &str) -> Result<(), ResponseError> {
        self.with(group, |group| group.leave(Instant::now(), member))
    }

    /// Stores a group's offsets.
    ///
    /// # Errors
    /// Fails if the committer is not a current member, or the limit of offsets is reached.
    pub(crate) fn commit(
        &self,
        group: &str,
        identity: Identity<'_>,
        offsets: Vec<(PartitionKey, Committed)>,
    ) -> Result<(), ResponseError> {
        let mut groups = self.0.lock();
        let present: usize = groups.values().map(|group| group.offsets.len()).sum();
        let known = groups.get(group).map(|group| &group.offsets);
        let is_new = |key| known.is_none_or(|known| !known.contains_key(key));
        let new = offsets.iter().filter(|(key, _)| is_new(key)).count();
        if present + new > OFFSETS_MAX {
            return Err(ResponseError::PolicyViolation);
        }
        let group = if identity.is_standalone() {
            find_or_create(&mut groups, group)?
        } else {
            // Only members have a generation, so the group must exist.
            groups
                .get_mut(group)
                .ok_or(ResponseError::UnknownMemberId)?
        };
        group.commit(Instant::now(), identity, offsets)
    }

    /// Returns a group's committed offset for one partition.
    pub(crate) fn committed(&self, group: &str, key: &PartitionKey) -> Option<Committed> {
        self.0.lock().get(group)?.offsets.get(key).cloned()
    }

    /// Returns all committed offsets of a group.
    pub(crate) fn all_committed(&self, group: &str) -> Vec<(PartitionKey, Committed)> {
        let groups = self.0.lock();
        let offsets = groups.get(group).into_iter().flat_map(|it| &it.offsets);
        offsets
            .map(|(key, committed)| (key.clone(), committed.clone()))
            .collect()
    }

    /// Lists the id and protocol type of each group.
    pub(crate) fn list(&self) -> Vec<(String, String)> {
        let groups = self.0.lock();
        groups
            .iter()
            .map(|(id, group)| (id.clone(), group.protocol_type().to_owned()))
            .collect()
    }

    /// Describes a group. `None` if it does not exist.
    pub(crate) fn describe(&self, group: &str) -> Option<Description> {
        let mut groups = self.0.lock();
        Some(groups.get_mut(group)?.describe(Instant::now()))
    }

    /// Deletes a group that has no members.
    pub(crate) fn delete(&self, group: &str) -> Result<(), ResponseError> {
        let mut groups = self.0.lock();
        let found = groups
            .get_mut(group)
            .ok_or(ResponseError::GroupIdNotFound)?;
        if !found.is_empty(Instant::now()) {
            return Err(ResponseError::NonEmptyGroup);
        }
        groups.remove(group);
        Ok(())
    }

    /// Deletes all committed offsets of a deleted topic.
    ///
    /// A new topic of the same name must not inherit them.
    pub(crate) fn forget_topic(&self, topic: &str) {
        for group in self.0.lock().values_mut() {
            group.offsets.retain(|(committed, _), _| committed != topic);
        }
    }

    fn with<T>(
        &self,
        group: &str,
        act: impl FnOnce(&mut Group) -> Result<T, ResponseError>,
    ) -> Result<T, ResponseError> {
        let mut groups = self.0.lock();
        // Only members send these requests, so the group existed before.
        act(groups
            .get_mut(group)
            .ok_or(ResponseError::UnknownMemberId)?)
    }

    /// Waits for the group's response, and advances the group at each of its deadlines.
    async fn wait<T>(
        &self,
        group: &str,
        mut reply: oneshot::Receiver<Result<T, ResponseError>>,
    ) -> Result<T, ResponseError> {
        loop {
            let Some(deadline) = self.advance(group) else {
                // The group has no deadline, or was deleted: the response is already sent.
                return reply.await.unwrap_or(Err(SUPERSEDED));
            };
            tokio::select! {
                biased;
                response = &mut reply => return response.unwrap_or(Err(SUPERSEDED)),
                () = sleep_until(deadline) => {}
            }
        }
    }

    /// Advances a group to the current time, and returns its next deadline.
    fn advance(&self, group: &str) -> Option<Instant> {
        self.0.lock().get_mut(group)?.advance(Instant::now())
    }
}

/// Finds a group or creates it. At the limit, the empty group that was idle longest is evicted.
fn find_or_create<'a>(
    groups: &'a mut BTreeMap<String, Group>,
    id: &str,
) -> Result<&'a mut Group, ResponseError> {
    if !(1..=GROUP_ID_BYTES_MAX).contains(&id.len()) {
        return Err(ResponseError::InvalidGroupId);
    }
    let now = Instant::now();
    if !groups.contains_key(id) && groups.len() >= GROUPS_MAX {
        let idle = groups
            .iter_mut()
            .filter_map(|(id, group)| {
                group
                    .is_empty(now)
                    .then(|| (group.last_active(), id.clone()))
            })
            .min();
        let (_, idle) = idle.ok_or(ResponseError::GroupMaxSizeReached)?;
        groups.remove(&idle);
    }
    Ok(groups
        .entry(id.to_owned())
        .or_insert_with(|| Group::new(now)))
}

/// The member sent the request again, so the client no longer waits for this response.
const SUPERSEDED: ResponseError = ResponseError::RebalanceInProgress;
