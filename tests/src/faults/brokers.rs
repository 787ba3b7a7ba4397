//! Faults in which brokers are killed, paused or restarted.

use std::time::Duration;

use tokio::time::sleep;

use super::stage::{ON_ITS_WAY, REFUSAL, Stage};

/// How long a killed leader stays down: long enough for the election of another.
const ELECTION: Duration = Duration::from_secs(2);

/// Kills the leader of a partition and restarts it.
pub(super) async fn leader_killed(stage: &mut Stage) {
    let leader = stage.cluster.leader_of(&stage.topics.chat, 0).await;
    stage.cluster.kill(leader).await;
    sleep(ELECTION).await;
    stage.cluster.start(leader);
    stage.cluster.heal().await;
}

/// Pauses the leader of a partition for a while, with all its sockets open.
pub(super) async fn stopped(stage: &mut Stage) {
    let leader = stage.cluster.leader_of(&stage.topics.chat, 0).await;
    stage.cluster.pause(leader);
    stage.away().await;
    stage.cluster.resume(leader);
    stage.cluster.heal().await;
}

/// Rolling restart: each broker in turn shuts down cleanly and restarts.
pub(super) async fn rolled(stage: &mut Stage) {
    for id in stage.cluster.ids() {
        stage.cluster.shut_down(id).await;
        stage.cluster.start(id);
        stage.cluster.heal().await;
    }
}

/// Kills two of three brokers. The third has too few in-sync replicas to confirm any record.
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
