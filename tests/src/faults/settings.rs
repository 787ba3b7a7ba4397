//! What operators change while clients go on.

use std::time::Duration;

use tokio::time::sleep;

use super::functions::MINUTES;
use super::stage::Stage;
use crate::cluster::NODES;
use crate::consumer::Consumer;
use crate::wait::eventually;

/// Far less than what the clients would like to send, on any machine.
const QUOTA_BYTES: u32 = 10_000;

/// Quotas count over so long. What was sent before counts too, and would have brokers ask for
/// minutes of silence at once.
const WINDOW: Duration = Duration::from_secs(11);

/// How long there is a quota: half as long again, since it is used up slowly at first.
const THROTTLED: Duration = Duration::from_secs(16);

/// More records do not fit in the quotas of all brokers, those of the window before included:
/// the shortest has 500 bytes, most of them headers.
const STORED_MAX: u64 = QUOTA_BYTES as u64 * NODES as u64 * (11 + 16) / 500;

/// Some answer is held back for so long, or a record is not sent since it would be.
const HELD_BACK_MIN: Duration = Duration::from_secs(1);

/// What the log says of such a record.
const NOT_SENT: &str = "Kafka throttles for";

/// As brokers see the function that stores messages.
const CLIENT_ID: &str = "message";

/// How many partitions a topic gets at a time.
const MORE: i32 = 2;

/// How long nothing fits: long enough for each client to be told.
const TOO_LARGE: Duration = Duration::from_secs(2);

/// Brokers slow the functions down, and whatever was stored is confirmed all the same.
pub(super) async fn throttled(stage: &mut Stage) {
    let admin = stage.cluster.admin();
    stage.load.rest().await;
    sleep(WINDOW).await;
    admin.produce_quota(CLIENT_ID, Some(QUOTA_BYTES)).await;
    let before = stage.load.acknowledged();
    let not_sent = stage.said(NOT_SENT);
    // What was slow before is forgotten.
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

/// The topic gets more partitions, which functions find out about once minutes went by on their
/// clock: then some of the clients' keys go there.
pub(super) async fn partitions_added(stage: &mut Stage) {
    let (admin, topic) = (stage.cluster.admin(), stage.topics.chat.clone());
    let before = admin.partitions(&topic).await.len();
    let count = i32::try_from(before).unwrap() + MORE;
    admin.add_partitions(&topic, count).await;
    stage.cluster.heal().await;
    // Nobody has an event in hand, whose time would be over with the others'.
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
