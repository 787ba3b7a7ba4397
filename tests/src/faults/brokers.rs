//! Brokers that die, stop and go.

use std::time::Duration;

use tokio::time::sleep;

use super::stage::{ON_ITS_WAY, REFUSAL, Stage};

/// A leader that was killed stays away until another one has long been elected.
const ELECTION: Duration = Duration::from_secs(2);

/// The leader of a partition dies without a word and comes back.
pub(super) async fn leader_killed(stage: &mut Stage) {
    let leader = stage.cluster.leader_of(&stage.topics.chat, 0).await;
    stage.cluster.kill(leader).await;
    sleep(ELECTION).await;
    stage.cluster.start(leader);
    stage.cluster.heal().await;
}

/// The leader of a partition does nothing for a while, with all its sockets open.
pub(super) async fn stopped(stage: &mut Stage) {
    let leader = stage.cluster.leader_of(&stage.topics.chat, 0).await;
    stage.cluster.pause(leader);
    stage.away().await;
    stage.cluster.resume(leader);
    stage.cluster.heal().await;
}

/// Each broker in turn hands over, goes, and comes back: an upgrade.
pub(super) async fn rolled(stage: &mut Stage) {
    for id in stage.cluster.ids() {
        stage.cluster.shut_down(id).await;
        stage.cluster.start(id);
        stage.cluster.heal().await;
    }
}

/// Two of three are killed. The third cannot confirm anything, and nothing may be acknowledged.
pub(super) async fn two_of_three_away(stage: &mut Stage) {
    let leader = stage.cluster.leader_of(&stage.topics.chat, 0).await;
    let ids = stage.cluster.ids();
    let others: Vec<i32> = ids.into_iter().filter(|&id| id != leader).collect();
    for &id in &others {
        stage.cluster.kill(id).await;
    }
    stage
        .nothing_is_acknowledged(ON_ITS_WAY, REFUSAL, "one replica")
        .await;
    stage.cluster.heal().await;
}
