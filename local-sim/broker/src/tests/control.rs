//! What the developer finds out about the broker while it runs.

use std::collections::BTreeSet;

use kafka_protocol::records::Compression;

use super::Running;
use crate::store::sample::{compressed, identified};

#[tokio::test]
async fn records_are_found_by_their_ce_id() {
    let broker = Running::start().await;
    let mut client = broker.connect().await;
    client.produce(0, identified(0, &["a", "b"])).await;
    client
        .produce(0, compressed(0, &["c"], Compression::Zstd))
        .await;
    client.produce(1, identified(0, &["d"])).await;
    client.produce(2, identified(0, &["refused"])).await;

    let asked = ["a", "b", "c", "d", "refused"].map(str::to_owned);
    let found = broker.control.find(&BTreeSet::from(asked));

    let found: Vec<_> = found
        .iter()
        .map(|(ce_id, place)| (ce_id.as_str(), &*place.topic, place.partition, place.offset))
        .collect();
    let expected = [
        ("a", "t", 0, 0),
        ("b", "t", 0, 1),
        ("c", "t", 0, 2),
        ("d", "t", 1, 0),
    ];
    assert_eq!(found, expected);
}
