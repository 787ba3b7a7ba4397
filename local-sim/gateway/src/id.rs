//! Connection ids, message ids and request ids.
//!
//! An id is 11 bytes in URL-safe base64 with one `=`: 16 characters in total. The layout of the
//! bytes was found by decoding published ids; AWS documents only their appearance.
//!
//! | bits | content |
//! | --- | --- |
//! | 1 | zero |
//! | 29 | 100 ms ticks since 2018-01-01T00:00:00Z |
//! | 2 + 2 | `01 11` in a connection or message id, `00 01` in a request id |
//! | 15 | a counter |
//! | 15 | a constant for the region |
//! | 8 | `02` in a connection or message id, `05` in a request id |
//! | 16 | the front-end node, a multiple of 4; a connection and its messages have the same node |

use std::{
    fmt,
    sync::atomic::{AtomicU16, Ordering},
};

use base64::{Engine as _, engine::general_purpose::URL_SAFE};
use serde::{Serialize, Serializer};

/// An id as it appears in events, frames and URLs.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Id([u8; ID_CHARS]);

impl Id {
    /// Parses an id from a client; `None` if it does not have the format of one.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let bytes = URL_SAFE.decode(text).ok()?;
        (bytes.len() == ID_BYTES).then_some(Self(text.as_bytes().try_into().ok()?))
    }

    /// The 16 characters of the id.
    pub(crate) fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).expect("base64 is ASCII")
    }

    fn of(bytes: [u8; ID_BYTES]) -> Self {
        let mut chars = [0; ID_CHARS];
        URL_SAFE
            .encode_slice(bytes, &mut chars)
            .expect("11 bytes encode to 16 characters");
        Self(chars)
    }

    fn node(&self) -> u16 {
        let bytes = URL_SAFE.decode(self.0).unwrap_or_default();
        bytes
            .last_chunk()
            .map_or(0, |node| u16::from_be_bytes(*node))
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for Id {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// Generates unique ids.
#[derive(Debug)]
pub(crate) struct Ids {
    counter: AtomicU16,
}

impl Ids {
    /// Starts the counter at a random value, so that a restart within a tick does not repeat ids.
    pub(crate) fn new() -> Self {
        Self {
            counter: AtomicU16::new(fastrand::u16(..)),
        }
    }

    /// Generates a connection id. `now` is in milliseconds since the epoch.
    pub(crate) fn connection(&self, now: i64) -> Id {
        self.make(&MESSAGE, now, random_node())
    }

    /// Generates the id of a message on `connection`. `now` is in milliseconds since the epoch.
    pub(crate) fn message(&self, now: i64, connection: &Id) -> Id {
        self.make(&MESSAGE, now, connection.node())
    }

    /// Generates the id of a connect, message or disconnect. `now` is in milliseconds since the
    /// epoch.
    pub(crate) fn request(&self, now: i64) -> Id {
        self.make(&REQUEST, now, random_node())
    }

    fn make(&self, kind: &Kind, now: i64, node: u16) -> Id {
        let ticks = ((now - EPOCH_MS) / TICK_MS).cast_unsigned() & 0x1fff_ffff;
        let counter = u64::from(self.counter.fetch_add(1, Ordering::Relaxed) & 0x7fff);
        let head = ticks << 34 | kind.bits << 30 | counter << 15 | REGION;
        let mut bytes = [0; ID_BYTES];
        bytes[..8].copy_from_slice(&head.to_be_bytes());
        bytes[8] = kind.byte;
        bytes[9..].copy_from_slice(&node.to_be_bytes());
        Id::of(bytes)
    }
}

struct Kind {
    bits: u64,
    byte: u8,
}

const MESSAGE: Kind = Kind {
    bits: 0b0111,
    byte: 2,
};
const REQUEST: Kind = Kind {
    bits: 0b0001,
    byte: 5,
};

fn random_node() -> u16 {
    fastrand::u16(..) & !0b11
}

const ID_BYTES: usize = 11;
const ID_CHARS: usize = 16;
/// 2018-01-01T00:00:00Z.
const EPOCH_MS: i64 = 1_514_764_800_000;
const TICK_MS: i64 = 100;
/// The constant for us-east-1.
const REGION: u64 = 0x2003;

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    const NOW: i64 = 1_705_751_697_419;

    #[test]
    fn an_id_is_fifteen_characters_and_a_padding_character() {
        let ids = Ids::new();
        let connection = ids.connection(NOW);
        for id in [ids.message(NOW, &connection), ids.request(NOW), connection] {
            assert_eq!(id.as_str().len(), 16);
            assert_eq!(id.as_str().find('='), Some(15));
            assert_eq!(Id::parse(id.as_str()), Some(id));
        }
    }

    #[test]
    fn an_id_encodes_its_time_like_a_recorded_one() {
        // connectionId R1kmxc2VNjMCFIA= was recorded with connectedAt 1705751697419.
        let recorded = URL_SAFE.decode("R1kmxc2VNjMCFIA=").unwrap();
        let made = URL_SAFE
            .decode(Ids::new().connection(NOW).as_str())
            .unwrap();
        let ticks = |id: &[u8]| u32::from_be_bytes(id[..4].try_into().unwrap()) >> 2;
        assert!(
            ticks(&made).abs_diff(ticks(&recorded)) <= 3,
            "{made:x?} {recorded:x?}"
        );
        assert_eq!(made[8], recorded[8]);
    }

    #[test]
    fn a_message_id_has_the_node_of_its_connection() {
        let ids = Ids::new();
        let connection = ids.connection(NOW);
        assert_eq!(ids.message(NOW, &connection).node(), connection.node());
        assert_eq!(connection.node() % 4, 0);
    }

    #[test]
    fn ids_of_the_same_tick_differ() {
        let ids = Ids::new();
        let connection = ids.connection(NOW);
        let made: HashSet<Id> = (0..10_000).map(|_| ids.message(NOW, &connection)).collect();
        assert_eq!(made.len(), 10_000);
    }

    proptest::proptest! {
        #[test]
        fn an_id_has_the_layout_of_recorded_ids(now in EPOCH_MS..EPOCH_MS + TICKS_MAX * TICK_MS) {
            let ids = Ids::new();
            let connection = ids.connection(now);
            for (id, kind) in [
                (connection, &MESSAGE),
                (ids.message(now, &connection), &MESSAGE),
                (ids.request(now), &REQUEST),
            ] {
                let text = id.as_str();
                let is_of_alphabet = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
                proptest::prop_assert!(text.ends_with('=') && text[..15].bytes().all(is_of_alphabet));
                proptest::prop_assert_eq!(Id::parse(text), Some(id));
                let bytes = URL_SAFE.decode(text).unwrap();
                let head = u64::from_be_bytes(bytes[..8].try_into().unwrap());
                proptest::prop_assert_eq!(head >> 63, 0);
                proptest::prop_assert_eq!((head >> 34).cast_signed(), (now - EPOCH_MS) / TICK_MS);
                proptest::prop_assert_eq!(head >> 30 & 0b1111, kind.bits);
                proptest::prop_assert_eq!(head & 0x7fff, REGION);
                proptest::prop_assert_eq!(bytes[8], kind.byte);
                proptest::prop_assert_eq!(id.node() % 4, 0);
            }
        }

        #[test]
        fn an_id_that_parses_is_unchanged(text in "[A-Za-z0-9_=+/%-]{0,18}") {
            if let Some(id) = Id::parse(&text) {
                proptest::prop_assert_eq!(id.as_str(), text);
            }
        }

        #[test]
        fn ids_sort_by_their_time(now in EPOCH_MS..EPOCH_MS + TICKS_MAX * TICK_MS / 2, later in TICK_MS..TICK_MS * 1_000_000) {
            let ids = Ids::new();
            let decoded = |id: Id| URL_SAFE.decode(id.as_str()).unwrap();
            proptest::prop_assert!(decoded(ids.connection(now)) < decoded(ids.connection(now + later)));
        }
    }

    /// The tick counter wraps around after this many ticks.
    const TICKS_MAX: i64 = 1 << 29;

    #[test]
    fn a_malformed_id_is_rejected() {
        for text in [
            "",
            "abc",
            "R1kmxc2VNjMCFIA",
            "R1kmxc2VNjMCFIA==",
            "R1kmxc2VNjMCFI%3D",
            "R1kmxc2VNjM+FIA=",
            "R1kmxc2VNjMCFIA=a",
        ] {
            assert_eq!(Id::parse(text), None, "{text}");
        }
    }
}
