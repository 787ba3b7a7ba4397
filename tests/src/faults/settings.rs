//! Faults from changed quotas and topic settings.

use std::time::Duration;

use tokio::time::sleep;

use super::functions::MINUTES;
use super::stage::Stage;
use crate::cluster::NODES;
use crate::consumer::Consumer;
use crate::wait::eventually;

/// Bytes per second, far below the load on any machine.
const QUOTA_BYTES: u32 = 10_000;

/// The window of a quota. Bytes sent before the quota was set count too, and would otherwise make
/// brokers ask for throttle times of minutes.
const WINDOW: Duration = Duration::from_secs(11);

/// How long the quota applies: half as long again as the window, since it is used up slowly at first.
const THROTTLED: Duration = Duration::from_secs(16);

/// The most records that fit in the quotas of all brokers, including the preceding window. The
/// shortest record has 500 bytes, most of them headers.
const STORED_MAX: u64 = QUOTA_BYTES as u64 * NODES as u64 * (11 + 16) / 500;

/// Some response is delayed at least this long, or a record is not sent to avoid the delay.
const HELD_BACK_MIN: Duration = Duration::from_secs(1);

/// The log text for a record that is not sent.
const NOT_SENT: &str = "Kafka throttles for";

/// The Kafka client id of the function that stores messages.
const CLIENT_ID: &str = "message";

/// How many partitions are added at a time.
const MORE: i32 = 2;

/// How long records are too large: long enough for each client to be refused.
const TOO_LARGE: Duration = Duration::from_secs(2);

/// Throttles the functions. Every stored record must still be confirmed.
pub(super) async fn throttled(stage: &mut Stage) {
    let admin = stage.cluster.admin();
    stage.load.rest().await;
    sleep(WINDOW).await;
    admin.produce_quota(CLIENT_ID, Some(QUOTA_BYTES)).await;
    let before = stage.load.acknowledged();
    let not_sent = stage.said(NOT_SENT);
    // Resets the maximum.
    stage.load.slowest();
    stage.load.go_on();
    sleep(THROTTLED).await;
    let slowest = stage.load.slowest();
    stage.expect(
        slowest >= HELD_BACK_MIN || stage.said(NOT_SENT) > not_sent,
        format!("nobody was throttled: no answer took more than {slowest:?}"),
    );
    let stored = stage.load.acknowledged() - before;
    stage.expect(
        stored <= STORED_MAX,
        format!("{stored} records were stored in spite of the quota"),
    );
    admin.produce_quota(CLIENT_ID, None).await;
}

/// Adds partitions to the topic. Functions notice once minutes have passed on their clock; some
/// keys then map to the new partitions.
pub(super) async fn partitions_added(stage: &mut Stage) {
    let (admin, topic) = (stage.cluster.admin(), stage.topics.chat.clone());
    let before = admin.partitions(&topic).await.len();
    let count = i32::try_from(before).unwrap() + MORE;
    admin.add_partitions(&topic, count).await;
    stage.cluster.heal().await;
    // An invocation in progress would time out when the clock advances.
    stage.load.rest().await;
    stage.move_clock(MINUTES);
    stage.load.go_on();
    let consumer = Consumer::connect(&stage.cluster.direct()).await;
    eventually("a record in a new partition", async || {
        let ends = consumer.ends(&topic).await;
        ends[before..].iter().any(|&end| end > 0).then_some(())
    })
    .await;
}

/// Makes the topic reject every record with a value for a while.
pub(super) async fn records_too_large(stage: &mut Stage) {
    let (admin, setting) = (stage.cluster.admin(), "max.message.bytes");
    let refused = stage.load.refused();
    admin.set(&stage.topics.chat, setting, Some("1")).await;
    sleep(TOO_LARGE).await;
    admin.set(&stage.topics.chat, setting, None).await;
    let told = stage.load.refused() - refused;
    stage.expect(told > 0, "everything was taken".to_owned());
}
