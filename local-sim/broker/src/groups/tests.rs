//! Tests the state machine of a group with simulated time.

use std::time::Duration;

use proptest::prelude::*;
use tokio::sync::oneshot::{self, error::TryRecvError};

use super::*;
use crate::groups::Protocol;

const SESSION: Duration = Duration::from_secs(10);
const REBALANCE: Duration = Duration::from_secs(30);
const SECOND: Duration = Duration::from_secs(1);

/// Receives the response to a request of a member.
type Response<T> = oneshot::Receiver<Result<T, ResponseError>>;

struct Harness {
    group: Group,
    now: Instant,
}

impl Harness {
    fn new() -> Self {
        let now = Instant::now();
        let group = Group::new(now);
        Self { group, now }
    }

    /// Joins as an older client does, without getting a member id first.
    fn join(&mut self, member: &str) -> Result<Response<Joined>, JoinError> {
        self.join_with(member, &["range"])
    }

    fn join_with(
        &mut self,
        member: &str,
        protocols: &[&str],
    ) -> Result<Response<Joined>, JoinError> {
        let (reply, response) = oneshot::channel();
        let protocol = |name: &&str| Protocol {
            name: (*name).to_owned(),
            metadata: Bytes::new(),
        };
        let join = Join {
            member_id: member.to_owned(),
            client: Client {
                id: "c".to_owned(),
                host: String::new(),
            },
            session_timeout: SESSION,
            rebalance_timeout: REBALANCE,
            protocol_type: "consumer".to_owned(),
            protocols: protocols.iter().map(protocol).collect(),
            requires_member_id: false,
        };
        self.group.join(self.now, join, reply).map(|()| response)
    }

    fn sync(&mut self, member: &str, generation: i32) -> Result<Response<Bytes>, ResponseError> {
        let (reply, response) = oneshot::channel();
        let identity = Identity { member, generation };
        let all = self.group.members.keys();
        let assignments = all
            .map(|id| (id.clone(), Bytes::from(id.clone())))
            .collect();
        self.group
            .sync(self.now, identity, assignments, reply)
            .map(|()| response)
    }

    fn heartbeat(&mut self, member: &str, generation: i32) -> Result<(), ResponseError> {
        self.group
            .heartbeat(self.now, Identity { member, generation })
    }

    fn advance(&mut self, time: Duration) -> Phase {
        self.now += time;
        self.group.advance(self.now);
        self.group.phase
    }

    /// Creates a stable group of two members. The first is the leader.
    fn with_two_members() -> (Self, String, String) {
        let mut harness = Self::new();
        let one = joined(harness.join("")).member_id;
        let mut two = harness.join("").unwrap();
        assert_eq!(joined(harness.join(&one)).leader, one);
        let two = two.try_recv().unwrap().unwrap().member_id;
        let mut assignment = harness.sync(&two, 2).unwrap();
        assert!(assignment.try_recv().is_err());
        assert_eq!(synced(harness.sync(&one, 2)), one);
        assert_eq!(assignment.try_recv().unwrap().unwrap(), two);
        assert_eq!(harness.group.phase, Phase::Stable);
        (harness, one, two)
    }
}

fn joined(response: Result<Response<Joined>, JoinError>) -> Joined {
    response.unwrap().try_recv().unwrap().unwrap()
}

fn synced(response: Result<Response<Bytes>, ResponseError>) -> Bytes {
    response.unwrap().try_recv().unwrap().unwrap()
}

#[test]
fn an_expired_session_removes_the_member_and_starts_a_rebalance() {
    let (mut harness, one, two) = Harness::with_two_members();
    harness.advance(SESSION - SECOND);
    assert_eq!(harness.heartbeat(&one, 2), Ok(()));
    harness.advance(SECOND);
    assert_eq!(
        harness.heartbeat(&one, 2),
        Err(ResponseError::RebalanceInProgress)
    );
    assert_eq!(
        harness.heartbeat(&two, 2),
        Err(ResponseError::UnknownMemberId)
    );
    assert_eq!(joined(harness.join(&one)).generation, 3);
}

#[test]
fn another_member_becomes_leader_after_the_leader_leaves() {
    let (mut harness, one, two) = Harness::with_two_members();
    harness.group.leave(harness.now, &one).unwrap();
    let joined = joined(harness.join(&two));
    assert_eq!((joined.generation, &joined.leader), (3, &two));
    assert_eq!(joined.members.len(), 1);
}

#[test]
fn a_member_that_does_not_rejoin_within_the_rebalance_timeout_is_removed() {
    let (mut harness, one, two) = Harness::with_two_members();
    let mut third = harness.join("").unwrap();
    let mut again = harness.join(&one).unwrap();
    // The second member sends heartbeats, but does not join.
    for _ in 0..29 {
        harness.advance(SECOND);
        let _ = harness.heartbeat(&two, 2);
    }
    assert!(again.try_recv().is_err() && third.try_recv().is_err());
    harness.advance(SECOND);
    assert_eq!(again.try_recv().unwrap().unwrap().members.len(), 2);
    assert_eq!(third.try_recv().unwrap().unwrap().generation, 3);
    assert_eq!(
        harness.heartbeat(&two, 2),
        Err(ResponseError::UnknownMemberId)
    );
}

#[test]
fn a_leader_that_sends_no_assignments_is_removed() {
    let mut harness = Harness::new();
    let one = joined(harness.join("")).member_id;
    let mut two = harness.join("").unwrap();
    harness.join(&one).unwrap();
    let two = two.try_recv().unwrap().unwrap().member_id;
    let mut assignment = harness.sync(&two, 2).unwrap();
    for _ in 0..30 {
        harness.advance(SECOND);
        let _ = harness.heartbeat(&one, 2);
    }
    assert_eq!(
        assignment.try_recv().unwrap(),
        Err(ResponseError::RebalanceInProgress)
    );
    assert_eq!(joined(harness.join(&two)).leader, two);
}

#[test]
fn a_rebalance_waits_for_a_pending_member_until_its_session_timeout() {
    let (mut harness, one, _) = Harness::with_two_members();
    harness
        .group
        .pending
        .insert("late".to_owned(), harness.now + SESSION);
    let mut again = harness.rejoin_all();
    harness.advance(SESSION - SECOND);
    assert!(again.try_recv().is_err());
    harness.advance(SECOND);
    assert_eq!(again.try_recv().unwrap().unwrap().leader, one);
}

impl Harness {
    /// Lets every member join again with another protocol. Returns the leader's response.
    fn rejoin_all(&mut self) -> Response<Joined> {
        let ids: Vec<String> = self.group.members.keys().cloned().collect();
        let leader = self.group.leader.clone();
        let mut leaders = None;
        for id in ids {
            let response = self.join_with(&id, &["range", "sticky"]).unwrap();
            if id == leader {
                leaders = Some(response);
            }
        }
        leaders.unwrap()
    }
}

#[test]
fn a_follower_that_rejoins_unchanged_does_not_start_a_rebalance() {
    let (mut harness, one, two) = Harness::with_two_members();
    assert_eq!(joined(harness.join(&two)).generation, 2);
    assert_eq!(synced(harness.sync(&two, 2)), two);
    assert_eq!(harness.heartbeat(&one, 2), Ok(()));
    // If the leader joins again, it wants to send new assignments.
    assert!(harness.join(&one).unwrap().try_recv().is_err());
    assert_eq!(
        harness.heartbeat(&two, 2),
        Err(ResponseError::RebalanceInProgress)
    );
}

#[test]
fn the_protocol_is_supported_by_all_members_and_preferred_by_most() {
    let check = |members: &[&[&str]]| {
        let mut harness = Harness::new();
        let (mut ids, mut waiting) = (Vec::new(), Vec::new());
        for protocols in members {
            // The first member's join completes at once; the others wait until it joins again.
            match harness.join_with("", protocols) {
                Ok(mut response) => match response.try_recv() {
                    Ok(joined) => ids.push(joined.unwrap().member_id),
                    Err(_) => waiting.push(response),
                },
                Err(error) => return Err(error),
            }
        }
        Ok(joined(harness.join_with(&ids[0], members[0])).protocol)
    };
    let is = |name: &str| Ok(name.to_owned());
    assert_eq!(check(&[&["a", "b"]]), is("a"));
    assert_eq!(check(&[&["a", "b"], &["b", "a"], &["b", "a"]]), is("b"));
    assert_eq!(check(&[&["a", "b"], &["b"]]), is("b"));
    let inconsistent = JoinError::Rejected(ResponseError::InconsistentGroupProtocol);
    assert_eq!(check(&[&["a"], &["b"]]), Err(inconsistent));
}

#[derive(Debug, Clone)]
enum Action {
    Join(usize),
    Sync(usize),
    Heartbeat(usize),
    Leave(usize),
    Advance(u64),
}

fn action() -> impl Strategy<Value = Action> {
    prop_oneof![
        4 => (0..4_usize).prop_map(Action::Join),
        4 => (0..4_usize).prop_map(Action::Sync),
        2 => (0..4_usize).prop_map(Action::Heartbeat),
        1 => (0..4_usize).prop_map(Action::Leave),
        2 => (0..12_u64).prop_map(Action::Advance),
    ]
}

proptest! {
    /// For any sequence of requests, a generation has one leader and a member gets only its own
    /// assignment. No join waits longer than the rebalance and session timeouts.
    #[test]
    fn every_join_gets_a_response_and_every_generation_has_one_leader(
        actions in prop::collection::vec(action(), 0..60),
    ) {
        let mut harness = Harness::new();
        let mut ids = vec![String::new(); 4];
        let mut joining: Vec<Option<Response<Joined>>> = (0..4).map(|_| None).collect();
        let mut leaders = BTreeMap::new();
        let mut generations = [0; 4];
        for action in actions {
            match action {
                Action::Join(member) if joining[member].is_none() => {
                    match harness.join(&ids[member]) {
                        Ok(response) => joining[member] = Some(response),
                        Err(_) => ids[member].clear(),
                    }
                }
                Action::Sync(member) => {
                    if let Ok(mut response) = harness.sync(&ids[member], generations[member])
                        && let Ok(Ok(assignment)) = response.try_recv()
                    {
                        prop_assert_eq!(assignment, ids[member].clone());
                    }
                }
                Action::Heartbeat(member) => drop(harness.heartbeat(&ids[member], generations[member])),
                Action::Leave(member) => drop(harness.group.leave(harness.now, &ids[member])),
                Action::Advance(seconds) => drop(harness.advance(Duration::from_secs(seconds))),
                Action::Join(_) => {}
            }
            for member in 0..4 {
                let Some(response) = &mut joining[member] else { continue };
                match response.try_recv() {
                    Ok(Ok(joined)) => {
                        let leader = leaders.entry(joined.generation).or_insert_with(|| joined.leader.clone());
                        prop_assert_eq!(&*leader, &joined.leader);
                        prop_assert_eq!(joined.members.is_empty(), joined.member_id != joined.leader);
                        ids[member] = joined.member_id;
                        generations[member] = joined.generation;
                        joining[member] = None;
                    }
                    Ok(Err(_)) | Err(TryRecvError::Closed) => {
                        ids[member].clear();
                        joining[member] = None;
                    }
                    Err(TryRecvError::Empty) => {}
                }
            }
        }
        harness.advance(REBALANCE);
        harness.advance(REBALANCE + SESSION);
        for response in joining.iter_mut().flatten() {
            prop_assert!(!matches!(response.try_recv(), Err(TryRecvError::Empty)));
        }
    }
}
