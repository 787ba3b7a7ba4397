//! Groups as time passes, without waiting for it.

use std::time::Duration;

use proptest::prelude::*;
use tokio::sync::oneshot::{self, error::TryRecvError};

use super::*;
use crate::groups::Protocol;

const SESSION: Duration = Duration::from_secs(10);
const ROUND: Duration = Duration::from_secs(30);
const SECOND: Duration = Duration::from_secs(1);

/// What a member was told, as far as it was.
type Told<T> = oneshot::Receiver<Result<T, ResponseError>>;

struct Scene {
    group: Group,
    now: Instant,
}

impl Scene {
    fn new() -> Self {
        let now = Instant::now();
        let group = Group::new(now);
        Self { group, now }
    }

    /// Joins as an older client does, which needs no invitation.
    fn join(&mut self, member: &str) -> Result<Told<Joined>, JoinError> {
        self.join_with(member, &["range"])
    }

    fn join_with(&mut self, member: &str, protocols: &[&str]) -> Result<Told<Joined>, JoinError> {
        let (reply, told) = oneshot::channel();
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
            rebalance_timeout: ROUND,
            protocol_type: "consumer".to_owned(),
            protocols: protocols.iter().map(protocol).collect(),
            comes_back: false,
        };
        self.group.join(self.now, join, reply).map(|()| told)
    }

    fn sync(&mut self, member: &str, generation: i32) -> Result<Told<Bytes>, ResponseError> {
        let (reply, told) = oneshot::channel();
        let identity = Identity { member, generation };
        let all = self.group.members.keys();
        let assignments = all
            .map(|id| (id.clone(), Bytes::from(id.clone())))
            .collect();
        self.group
            .sync(self.now, identity, assignments, reply)
            .map(|()| told)
    }

    fn heartbeat(&mut self, member: &str, generation: i32) -> Result<(), ResponseError> {
        self.group
            .heartbeat(self.now, Identity { member, generation })
    }

    fn after(&mut self, time: Duration) -> Phase {
        self.now += time;
        self.group.pass(self.now);
        self.group.phase
    }

    /// Two members that know what to read; the first leads.
    fn of_two() -> (Self, String, String) {
        let mut scene = Self::new();
        let one = told(scene.join("")).member_id;
        let mut two = scene.join("").unwrap();
        assert_eq!(told(scene.join(&one)).leader, one);
        let two = two.try_recv().unwrap().unwrap().member_id;
        let mut share = scene.sync(&two, 2).unwrap();
        assert!(share.try_recv().is_err());
        assert_eq!(told_share(scene.sync(&one, 2)), one);
        assert_eq!(share.try_recv().unwrap().unwrap(), two);
        assert_eq!(scene.group.phase, Phase::Stable);
        (scene, one, two)
    }
}

fn told(answer: Result<Told<Joined>, JoinError>) -> Joined {
    answer.unwrap().try_recv().unwrap().unwrap()
}

fn told_share(answer: Result<Told<Bytes>, ResponseError>) -> Bytes {
    answer.unwrap().try_recv().unwrap().unwrap()
}

#[test]
fn a_member_that_is_not_heard_of_is_gone_and_the_others_join_again() {
    let (mut scene, one, two) = Scene::of_two();
    scene.after(SESSION - SECOND);
    assert_eq!(scene.heartbeat(&one, 2), Ok(()));
    scene.after(SECOND);
    assert_eq!(
        scene.heartbeat(&one, 2),
        Err(ResponseError::RebalanceInProgress)
    );
    assert_eq!(
        scene.heartbeat(&two, 2),
        Err(ResponseError::UnknownMemberId)
    );
    assert_eq!(told(scene.join(&one)).generation, 3);
}

#[test]
fn a_leader_that_is_gone_is_followed_by_another() {
    let (mut scene, one, two) = Scene::of_two();
    scene.group.leave(scene.now, &one).unwrap();
    let joined = told(scene.join(&two));
    assert_eq!((joined.generation, &joined.leader), (3, &two));
    assert_eq!(joined.members.len(), 1);
}

#[test]
fn a_round_waits_no_longer_than_its_members_want() {
    let (mut scene, one, two) = Scene::of_two();
    let mut third = scene.join("").unwrap();
    let mut again = scene.join(&one).unwrap();
    // The second is heard of, but does not join.
    for _ in 0..29 {
        scene.after(SECOND);
        let _ = scene.heartbeat(&two, 2);
    }
    assert!(again.try_recv().is_err() && third.try_recv().is_err());
    scene.after(SECOND);
    assert_eq!(again.try_recv().unwrap().unwrap().members.len(), 2);
    assert_eq!(third.try_recv().unwrap().unwrap().generation, 3);
    assert_eq!(
        scene.heartbeat(&two, 2),
        Err(ResponseError::UnknownMemberId)
    );
}

#[test]
fn a_leader_that_does_not_assign_is_left_behind() {
    let mut scene = Scene::new();
    let one = told(scene.join("")).member_id;
    let mut two = scene.join("").unwrap();
    scene.join(&one).unwrap();
    let two = two.try_recv().unwrap().unwrap().member_id;
    let mut share = scene.sync(&two, 2).unwrap();
    for _ in 0..30 {
        scene.after(SECOND);
        let _ = scene.heartbeat(&one, 2);
    }
    assert_eq!(
        share.try_recv().unwrap(),
        Err(ResponseError::RebalanceInProgress)
    );
    assert_eq!(told(scene.join(&two)).leader, two);
}

#[test]
fn an_invited_client_is_waited_for_until_its_session_would_have_ended() {
    let (mut scene, one, _) = Scene::of_two();
    scene
        .group
        .invited
        .insert("late".to_owned(), scene.now + SESSION);
    let mut again = scene.group_joins_again();
    scene.after(SESSION - SECOND);
    assert!(again.try_recv().is_err());
    scene.after(SECOND);
    assert_eq!(again.try_recv().unwrap().unwrap().leader, one);
}

impl Scene {
    /// Every member joins again with another protocol; what the first is told.
    fn group_joins_again(&mut self) -> Told<Joined> {
        let ids: Vec<String> = self.group.members.keys().cloned().collect();
        let leader = self.group.leader.clone();
        let mut first = None;
        for id in ids {
            let told = self.join_with(&id, &["range", "sticky"]).unwrap();
            if id == leader {
                first = Some(told);
            }
        }
        first.unwrap()
    }
}

#[test]
fn a_follower_that_joins_again_unchanged_disturbs_nobody() {
    let (mut scene, one, two) = Scene::of_two();
    assert_eq!(told(scene.join(&two)).generation, 2);
    assert_eq!(told_share(scene.sync(&two, 2)), two);
    assert_eq!(scene.heartbeat(&one, 2), Ok(()));
    // The leader joins again because it wants to share out anew.
    assert!(scene.join(&one).unwrap().try_recv().is_err());
    assert_eq!(
        scene.heartbeat(&two, 2),
        Err(ResponseError::RebalanceInProgress)
    );
}

#[test]
fn the_protocol_is_one_that_all_speak_and_most_like() {
    let check = |members: &[&[&str]]| {
        let mut scene = Scene::new();
        let (mut ids, mut waiting) = (Vec::new(), Vec::new());
        for protocols in members {
            // Those that wait make no round complete until the first is back.
            match scene.join_with("", protocols) {
                Ok(mut told) => match told.try_recv() {
                    Ok(joined) => ids.push(joined.unwrap().member_id),
                    Err(_) => waiting.push(told),
                },
                Err(error) => return Err(error),
            }
        }
        Ok(told(scene.join_with(&ids[0], members[0])).protocol)
    };
    let is = |name: &str| Ok(name.to_owned());
    assert_eq!(check(&[&["a", "b"]]), is("a"));
    assert_eq!(check(&[&["a", "b"], &["b", "a"], &["b", "a"]]), is("b"));
    assert_eq!(check(&[&["a", "b"], &["b"]]), is("b"));
    let refused = JoinError::Refused(ResponseError::InconsistentGroupProtocol);
    assert_eq!(check(&[&["a"], &["b"]]), Err(refused));
}

#[derive(Debug, Clone)]
enum Act {
    Join(usize),
    Sync(usize),
    Heartbeat(usize),
    Leave(usize),
    Pass(u64),
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        4 => (0..4_usize).prop_map(Act::Join),
        4 => (0..4_usize).prop_map(Act::Sync),
        2 => (0..4_usize).prop_map(Act::Heartbeat),
        1 => (0..4_usize).prop_map(Act::Leave),
        2 => (0..12_u64).prop_map(Act::Pass),
    ]
}

proptest! {
    /// Whatever members do, a generation has one leader, a share goes to a member of the generation that it is for, and
    /// nobody waits beyond the ends of a round and a session.
    #[test]
    fn nobody_waits_for_ever_and_nobody_is_misled(acts in prop::collection::vec(act(), 0..60)) {
        let mut scene = Scene::new();
        let mut ids = vec![String::new(); 4];
        let mut joining: Vec<Option<Told<Joined>>> = (0..4).map(|_| None).collect();
        let mut leaders = BTreeMap::new();
        let mut generations = [0; 4];
        for act in acts {
            match act {
                Act::Join(who) if joining[who].is_none() => {
                    match scene.join(&ids[who]) {
                        Ok(told) => joining[who] = Some(told),
                        Err(_) => ids[who].clear(),
                    }
                }
                Act::Sync(who) => {
                    if let Ok(mut told) = scene.sync(&ids[who], generations[who])
                        && let Ok(Ok(share)) = told.try_recv()
                    {
                        prop_assert_eq!(share, ids[who].clone());
                    }
                }
                Act::Heartbeat(who) => drop(scene.heartbeat(&ids[who], generations[who])),
                Act::Leave(who) => drop(scene.group.leave(scene.now, &ids[who])),
                Act::Pass(seconds) => drop(scene.after(Duration::from_secs(seconds))),
                Act::Join(_) => {}
            }
            for who in 0..4 {
                let Some(told) = &mut joining[who] else { continue };
                match told.try_recv() {
                    Ok(Ok(joined)) => {
                        let leader = leaders.entry(joined.generation).or_insert_with(|| joined.leader.clone());
                        prop_assert_eq!(&*leader, &joined.leader);
                        prop_assert_eq!(joined.members.is_empty(), joined.member_id != joined.leader);
                        ids[who] = joined.member_id;
                        generations[who] = joined.generation;
                        joining[who] = None;
                    }
                    Ok(Err(_)) | Err(TryRecvError::Closed) => {
                        ids[who].clear();
                        joining[who] = None;
                    }
                    Err(TryRecvError::Empty) => {}
                }
            }
        }
        scene.after(ROUND);
        scene.after(ROUND + SESSION);
        for told in joining.iter_mut().flatten() {
            prop_assert!(!matches!(told.try_recv(), Err(TryRecvError::Empty)));
        }
    }
}
