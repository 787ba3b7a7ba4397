//! Section 6.4: identifiers.

use base64::prelude::{BASE64_URL_SAFE, Engine};
use tests::probe::Step;

use crate::api::{Api, STANDARD};
use crate::report::Report;
use crate::suite::{Test, on};

pub(crate) fn tests() -> Vec<Test> {
    vec![
        on!(STANDARD, r6_4_1_an_id_is_eleven_bytes_in_padded_base64url),
        on!(STANDARD, r6_4_2_an_id_tells_when_it_was_made),
        on!(STANDARD, r6_4_2_an_id_tells_what_it_is_of),
        on!(
            STANDARD,
            r6_4_3_messages_share_the_end_of_their_connections_id
        ),
        on!(STANDARD, r6_4_3_ids_sort_by_time),
        on!(
            STANDARD,
            r6_4_4_the_trace_id_tells_the_second_of_the_connection
        ),
    ]
}

/// An id's bits.
fn bits(id: &str) -> u128 {
    let bytes = BASE64_URL_SAFE.decode(id).unwrap();
    assert_eq!(bytes.len(), 11, "{id}");
    bytes
        .iter()
        .fold(0, |bits, byte| bits << 8 | u128::from(*byte))
}

/// Bits of an id, counted from its first.
fn field(id: &str, first: u32, count: u32) -> u128 {
    bits(id) >> (ID_BITS - first - count) & ((1 << count) - 1)
}

/// Reports of some messages of one connection.
async fn reports(api: &Api) -> Vec<Report> {
    let mut socket = api.connect().await;
    let mut reports = Vec::new();
    for _ in 0..5 {
        reports.push(socket.ask(&[]).await);
    }
    reports
}

async fn r6_4_1_an_id_is_eleven_bytes_in_padded_base64url(api: &Api) {
    for report in reports(api).await {
        for name in ["connectionId", "messageId", "requestId"] {
            let id = report.context(name);
            tests::anatomy::check_id(&id);
            bits(&id);
        }
    }
}

async fn r6_4_2_an_id_tells_when_it_was_made(api: &Api) {
    for report in reports(api).await {
        for (name, at) in [
            ("connectionId", report.number("connectedAt")),
            ("messageId", report.number("requestTimeEpoch")),
            ("requestId", report.number("requestTimeEpoch")),
        ] {
            let id = report.context(name);
            assert_eq!(field(&id, 0, 1), 0, "{id}");
            let ticks = i64::try_from(field(&id, 1, 29)).unwrap();
            let expected = (at - START_OF_TICKS) / TICK % (1 << 29);
            assert!(
                (ticks - expected).abs() <= TICKS_APART,
                "{name} {id} at {at}"
            );
        }
    }
}

async fn r6_4_2_an_id_tells_what_it_is_of(api: &Api) {
    for report in reports(api).await {
        for (name, kinds) in [
            ("connectionId", (0b01, 0b11, 0x02)),
            ("messageId", (0b01, 0b11, 0x02)),
            ("requestId", (0b00, 0b01, 0x05)),
        ] {
            let id = report.context(name);
            let found = (field(&id, 30, 2), field(&id, 32, 2), field(&id, 64, 8));
            assert_eq!(found, kinds, "{name} {id}");
            assert_eq!(field(&id, 72, 16) % 4, 0, "{name} {id}");
        }
        let cells = ["connectionId", "messageId", "requestId"]
            .map(|name| field(&report.context(name), 49, 15));
        assert_eq!(
            [cells[1], cells[2]],
            [cells[0], cells[0]],
            "{}",
            report.text
        );
    }
}

async fn r6_4_3_messages_share_the_end_of_their_connections_id(api: &Api) {
    for report in reports(api).await {
        let [connection, message] =
            ["connectionId", "messageId"].map(|name| field(&report.context(name), 72, 16));
        assert_eq!(connection, message, "{}", report.text);
    }
}

async fn r6_4_3_ids_sort_by_time(api: &Api) {
    let reports = reports(api).await;
    for name in ["messageId", "requestId"] {
        let ticks: Vec<u128> = reports
            .iter()
            .map(|report| field(&report.context(name), 1, 29))
            .collect();
        assert!(ticks.is_sorted(), "{name} {ticks:?}");
    }
}

async fn r6_4_4_the_trace_id_tells_the_second_of_the_connection(api: &Api) {
    let (mut witness, id) = api.witness().await;
    api.handshake().told(&[Step::Tell(id)]).open().await;
    let report = witness.report().await;
    let trace = report.event["headers"]["X-Amzn-Trace-Id"].as_str().unwrap();
    let second = i64::from_str_radix(trace.split('-').nth(1).unwrap(), 16).unwrap();
    // The trace may begin in one second, and the connection in the next.
    assert!(
        (report.number("connectedAt") / 1000 - second).abs() <= 1,
        "{}",
        report.text
    );
}

const ID_BITS: u32 = 88;
/// Milliseconds of the epoch at which ticks begin: 2018.
const START_OF_TICKS: i64 = 1_514_764_800_000;
/// Milliseconds.
const TICK: i64 = 100;
/// Ticks by which an id and its event were seen to differ, at most.
const TICKS_APART: i64 = 3;
