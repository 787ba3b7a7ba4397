//! Consumer groups: who is a member, who reads what, and how far each group has come.
//!
//! A group is a state machine without a clock of its own ([`group::Group`]): time passes in it whenever somebody looks,
//! and whoever waits for the others looks again when their time is up. So no task has to watch over sessions.

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
    offsets::{Committed, Place},
};
use crate::limits::{GROUP_ID_BYTES_MAX, GROUPS_MAX, MEMBERS_MAX, OFFSETS_MAX};

pub(crate) use self::member::{Client, Join, JoinError, Joined, Protocol};

/// All groups, by their ids.
#[derive(Debug, Default)]
pub(crate) struct Groups(Mutex<BTreeMap<String, Group>>);

impl Groups {
    /// Makes a client a member, or lets a member join anew, and waits for the others to do so too.
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

    /// Waits for the leader's word on who reads what; the leader gives it.
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

    /// Keeps a member's session alive, and says whether it has to join anew.
    pub(crate) fn heartbeat(
        &self,
        group: &str,
        identity: Identity<'_>,
    ) -> Result<(), ResponseError> {
        self.with(group, |group| group.heartbeat(Instant::now(), identity))
    }

    /// Takes a member out of its group.
    pub(crate) fn leave(&self, group: &str, member: &str) -> Result<(), ResponseError> {
        self.with(group, |group| group.leave(Instant::now(), member))
    }

    /// Stores how far a group has come, where the committer may say so.
    pub(crate) fn commit(
        &self,
        group: &str,
        identity: Identity<'_>,
        offsets: Vec<(Place, Committed)>,
    ) -> Result<(), ResponseError> {
        let mut groups = self.0.lock();
        let present: usize = groups.values().map(|group| group.offsets.len()).sum();
        let known = groups.get(group).map(|group| &group.offsets);
        let is_new = |place| known.is_none_or(|known| !known.contains_key(place));
        let new = offsets.iter().filter(|(place, _)| is_new(place)).count();
        if present + new > OFFSETS_MAX {
            return Err(ResponseError::PolicyViolation);
        }
        let group = if identity.is_nobody() {
            find_or_create(&mut groups, group)?
        } else {
            // Only a member has a generation, and only a group that is there has members.
            groups
                .get_mut(group)
                .ok_or(ResponseError::UnknownMemberId)?
        };
        group.commit(Instant::now(), identity, offsets)
    }

    /// How far a group has come in one partition.
    pub(crate) fn committed(&self, group: &str, place: &Place) -> Option<Committed> {
        self.0.lock().get(group)?.offsets.get(place).cloned()
    }

    /// How far a group has come, wherever it has.
    pub(crate) fn all_committed(&self, group: &str) -> Vec<(Place, Committed)> {
        let groups = self.0.lock();
        let offsets = groups.get(group).into_iter().flat_map(|it| &it.offsets);
        offsets
            .map(|(place, committed)| (place.clone(), committed.clone()))
            .collect()
    }

    /// Every group's id and the type of its protocol.
    pub(crate) fn list(&self) -> Vec<(String, String)> {
        let groups = self.0.lock();
        groups
            .iter()
            .map(|(id, group)| (id.clone(), group.protocol_type().to_owned()))
            .collect()
    }

    /// What there is to say about a group.
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

    /// Forgets how far groups have come in a topic: it is gone, and one of the same name begins anew.
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
        // Whoever speaks of a group that is gone was a member of it.
        act(groups
            .get_mut(group)
            .ok_or(ResponseError::UnknownMemberId)?)
    }

    /// Waits for what the group has to say, and lets time pass in it meanwhile.
    async fn wait<T>(
        &self,
        group: &str,
        mut reply: oneshot::Receiver<Result<T, ResponseError>>,
    ) -> Result<T, ResponseError> {
        loop {
            let Some(next) = self.pass(group) else {
                // Nothing of the group is due, or it is gone: then its word is there already.
                return reply.await.unwrap_or(Err(SUPERSEDED));
            };
            tokio::select! {
                biased;
                word = &mut reply => return word.unwrap_or(Err(SUPERSEDED)),
                () = sleep_until(next) => {}
            }
        }
    }

    /// Lets time pass in a group, and says when it will have to again.
    fn pass(&self, group: &str) -> Option<Instant> {
        self.0.lock().get_mut(group)?.pass(Instant::now())
    }
}

/// The group of this id. For a new one room is made by the empty group that was silent longest.
fn find_or_create<'a>(
    groups: &'a mut BTreeMap<String, Group>,
    id: &str,
) -> Result<&'a mut Group, ResponseError> {
    if !(1..=GROUP_ID_BYTES_MAX).contains(&id.len()) {
        return Err(ResponseError::InvalidGroupId);
    }
    let now = Instant::now();
    if !groups.contains_key(id) && groups.len() >= GROUPS_MAX {
        let silent = groups
            .iter_mut()
            .filter_map(|(id, group)| group.is_empty(now).then(|| (group.used(), id.clone())))
            .min();
        let (_, silent) = silent.ok_or(ResponseError::GroupMaxSizeReached)?;
        groups.remove(&silent);
    }
    Ok(groups
        .entry(id.to_owned())
        .or_insert_with(|| Group::new(now)))
}

/// The same member asked again, so that nobody waits for this answer any more.
const SUPERSEDED: ResponseError = ResponseError::RebalanceInProgress;
