//! What operators change while clients go on.

use std::time::Duration;

use tokio::time::sleep;

use super::Stage;

/// Less than what the clients would like to send.
const QUOTA_BYTES: u32 = 20_000;

/// How long brokers throttle: quotas count over eleven seconds.
const THROTTLED: Duration = Duration::from_secs(12);

/// As brokers see the function that stores messages.
const CLIENT_ID: &str = "message";

/// How many partitions a topic gets at a time.
const MORE: i32 = 2;

/// How long nothing fits: long enough for each client to be told.
const TOO_LARGE: Duration = Duration::from_secs(2);

/// Brokers slow the functions down, and whatever was stored is confirmed all the same.
pub(super) async fn throttled(stage: &mut Stage) {
    let admin = stage.cluster.admin();
    admin.produce_quota(CLIENT_ID, Some(QUOTA_BYTES)).await;
    sleep(THROTTLED).await;
    admin.produce_quota(CLIENT_ID, None).await;
}

/// The topic gets more partitions, which functions find out about in their own time.
pub(super) async fn partitions_added(stage: &mut Stage) {
    let admin = stage.cluster.admin();
    let count = admin.partitions(&stage.topics.chat).await.len();
    let count = i32::try_from(count).unwrap() + MORE;
    admin.add_partitions(&stage.topics.chat, count).await;
    stage.cluster.heal().await;
}

/// For a while the topic takes no record that has a value.
pub(super) async fn records_too_large(stage: &mut Stage) {
    let (admin, setting) = (stage.cluster.admin(), "max.message.bytes");
    let refused = stage.load.refused();
    admin.set(&stage.topics.chat, setting, Some("1")).await;
    sleep(TOO_LARGE).await;
    admin.set(&stage.topics.chat, setting, None).await;
    let told = stage.load.refused() - refused;
    stage.expect(told > 0, "everything was taken".to_owned());
}
