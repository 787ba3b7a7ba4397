//! Inspection of a running broker.

use std::collections::BTreeSet;

use kafka_protocol::records::Compression;

use super::Running;
use crate::store::sample::{compressed_with_ce_ids, with_ce_ids};

#[tokio::test]
async fn records_are_found_by_their_ce_id() {
    let broker = Running::start().await;
    let mut client = broker.connect().await;
    client.produce(0, with_ce_ids(0, &["a", "b"])).await;
    client
        .produce(0, compressed_with_ce_ids(0, &["c"], Compression::Zstd))
        .await;
    client.produce(1, with_ce_ids(0, &["d"])).await;
    client.produce(2, with_ce_ids(0, &["rejected"])).await;

    let wanted = ["a", "b", "c", "d", "rejected"].map(str::to_owned);
    let found = broker.control.find(&BTreeSet::from(wanted));

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
