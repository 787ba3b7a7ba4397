//! Section 12: what nobody has told yet, and where it was decided.

use super::row::Held::{As, Chosen};
use super::row::Sure::Unknown;
use super::row::{Row, row};

pub(super) const ROWS: &[Row] = &[
    row(
        "12.1",
        Unknown,
        "A message that names `$connect` or `$disconnect`",
        &[],
        As(&["4.8"]),
    ),
    row(
        "12.2",
        Unknown,
        "Pings and the idle clock",
        &[],
        As(&["7.4.2"]),
    ),
    row(
        "12.3",
        Unknown,
        "Body and headers of a refused handshake",
        &[],
        As(&["2.12"]),
    ),
    row(
        "12.4",
        Unknown,
        "A GET that does not upgrade",
        &[],
        As(&["1.8"]),
    ),
    row(
        "12.5",
        Unknown,
        "The words of the frame for a throttled message",
        &[],
        As(&["5.11"]),
    ),
    row(
        "12.6",
        Unknown,
        "Bytes that are not UTF-8, to the client",
        &[],
        As(&["7.5.4"]),
    ),
    row(
        "12.7",
        Unknown,
        "A repeated name in `queryStringParameters`",
        &[],
        Chosen("the last value; no flag"),
    ),
    row(
        "12.8",
        Unknown,
        "An empty POST, and an empty message",
        &[],
        Chosen("each is a message, of no text; no flag"),
    ),
    row(
        "12.9",
        Unknown,
        "The status for an unknown stage",
        &[],
        As(&["1.7"]),
    ),
    row(
        "12.10",
        Unknown,
        "How lenient the reader of JSON is",
        &[],
        As(&["4.9"]),
    ),
    row(
        "12.11",
        Unknown,
        "The reasons for 1003, 1006, 1008 and 1009 in `$disconnect`",
        &[],
        As(&["7.3.11", "7.3.12"]),
    ),
    row(
        "12.12",
        Unknown,
        "Whether Chrome's offer to compress is taken",
        &[],
        As(&["2.11"]),
    ),
    row(
        "12.13",
        Unknown,
        "Numbers and booleans of an authorizer's context in events",
        &[],
        As(&["3.9"]),
    ),
    row(
        "12.14",
        Unknown,
        "Whether the longest reason of a close is passed on",
        &[],
        Chosen("it is, all 123 bytes of it; no flag"),
    ),
];
