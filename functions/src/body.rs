//! What is known of a message without its schema: whether it is JSON, and the client's own id.

use std::fmt;

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

/// A message's bytes, and what is known of them.
#[derive(Debug, Clone)]
pub struct Body {
    /// The client's bytes, unchanged.
    pub bytes: Vec<u8>,
    /// Whether the bytes are one JSON value.
    pub is_json: bool,
    /// The client's own id of the message, if it sent a usable one.
    pub client_message_id: Option<ClientMessageId>,
}

/// A top-level `id` that can be echoed: a number, or a string, of 1 to
/// [`ID_BYTES_MAX`] bytes.
#[derive(Debug, Clone)]
pub struct ClientMessageId {
    /// As it was sent, including trailing zeros and escapes: `1.0`, `1e3`, `"\u0061"`.
    pub json: Box<RawValue>,
    /// The content of the string, or the number as it was sent.
    pub text: String,
}

/// The maximum length of an id: enough for any UUID, URN or hash, and short enough for a header.
pub const ID_BYTES_MAX: usize = 256;

impl Body {
    /// Examines a message.
    ///
    /// If a JSON object has several members `id`, the last one counts, as for JavaScript's
    /// `JSON.parse` and for selection expressions.
    pub fn new(bytes: Vec<u8>) -> Self {
        let (is_json, client_message_id) = match str::from_utf8(&bytes) {
            Ok(text) if text.trim_start().starts_with('{') => {
                let object = serde_json::from_str::<Object<'_>>(text);
                let id = object.as_ref().ok().and_then(|object| object.id);
                (object.is_ok(), id.and_then(ClientMessageId::from_json))
            }
            Ok(text) => (serde_json::from_str::<IgnoredAny>(text).is_ok(), None),
            Err(_) => (false, None),
        };
        Self {
            bytes,
            is_json,
            client_message_id,
        }
    }
}

impl ClientMessageId {
    fn from_json(json: &RawValue) -> Option<Self> {
        let text = match json.get().as_bytes().first()? {
            b'"' => serde_json::from_str::<String>(json.get()).ok()?,
            b'-' | b'0'..=b'9' => json.get().to_owned(),
            _ => return None,
        };
        (1..=ID_BYTES_MAX).contains(&text.len()).then(|| Self {
            json: json.to_owned(),
            text,
        })
    }
}

/// A JSON object, parsed completely. Only its `id` is kept.
struct Object<'a> {
    id: Option<&'a RawValue>,
}

impl<'de> Deserialize<'de> for Object<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(ObjectVisitor)
    }
}

struct ObjectVisitor;

impl<'de> Visitor<'de> for ObjectVisitor {
    type Value = Object<'de>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut id = None;
        // The raw name: half a surrogate pair is valid JSON, but not a `String`.
        while let Some(key) = map.next_key::<&RawValue>()? {
            if serde_json::from_str::<String>(key.get()).is_ok_and(|key| key == "id") {
                id = Some(map.next_value::<&RawValue>()?);
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(Object { id })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn half_a_surrogate_pair_in_a_name_is_still_json() {
        let body = r#"{"\ud83d":1,"id":"a"}"#;
        assert!(json(body));
        assert_eq!(id(body), Some((r#""a""#.to_owned(), "a".to_owned())));
    }

    fn json(body: &str) -> bool {
        Body::new(body.into()).is_json
    }

    /// The id of a body: as it was sent, and as text.
    fn id(body: &str) -> Option<(String, String)> {
        let id = Body::new(body.into()).client_message_id?;
        Some((id.json.get().to_owned(), id.text))
    }

    fn same(id: &str) -> Option<(String, String)> {
        Some((id.to_owned(), id.to_owned()))
    }

    #[test]
    fn one_json_value_is_json() {
        for body in [
            "{}",
            " [1, {\"a\": []}]\n",
            "\"x\"",
            "1",
            "-1.5e9",
            "true",
            "null",
            "1e999",
        ] {
            assert!(json(body), "{body}");
        }
    }

    #[test]
    fn anything_else_is_text() {
        for body in [
            "",
            " ",
            "hello",
            "{} {}",
            "{a: 1}",
            "{\"a\":",
            "'x'",
            "NaN",
            "\u{feff}{}",
            "{\"a\":1,}",
        ] {
            assert!(!json(body), "{body}");
        }
        assert!(!Body::new(b"\"\xff\"".to_vec()).is_json);
    }

    #[test]
    fn nesting_has_no_depth_at_which_it_fails() {
        assert!(json(&format!(
            "{}{}",
            "[".repeat(60_000),
            "]".repeat(60_000)
        )));
    }

    #[test]
    fn a_number_is_echoed_as_it_was_sent() {
        for number in [
            "1",
            "1.0",
            "1e3",
            "-0",
            "123456789012345678901234567890",
            "1E+999",
        ] {
            assert_eq!(id(&format!("{{\"id\": {number} }}")), same(number));
        }
    }

    #[test]
    fn a_string_is_echoed_as_it_was_sent_and_read_as_text() {
        assert_eq!(id(r#"{"id":"a"}"#), Some((r#""a""#.into(), "a".into())));
        assert_eq!(
            id(r#"{"id":"\u0061\n"}"#),
            Some((r#""\u0061\n""#.into(), "a\n".into()))
        );
    }

    #[test]
    fn an_id_has_1_to_256_bytes() {
        let ids = |len: usize| {
            let digits = "1".repeat(len);
            (
                id(&format!("{{\"id\":\"{digits}\"}}")).is_some(),
                id(&format!("{{\"id\":{digits}}}")).is_some(),
            )
        };
        assert_eq!(id(r#"{"id":""}"#), None);
        assert_eq!(ids(1), (true, true));
        assert_eq!(ids(ID_BYTES_MAX), (true, true));
        assert_eq!(ids(ID_BYTES_MAX + 1), (false, false));
        // Bytes, not characters.
        assert_eq!(
            id(&format!(
                "{{\"id\":\"{}\"}}",
                "ë".repeat(ID_BYTES_MAX / 2 + 1)
            )),
            None
        );
    }

    #[test]
    fn other_values_are_no_id() {
        for body in [
            r#"{"id":null}"#,
            r#"{"id":true}"#,
            r#"{"id":["a"]}"#,
            r#"{"id":{"id":"a"}}"#,
            r#"{"id":"\ud800"}"#,
            r#"{"Id":"a"}"#,
            r#"{"data":{"id":"a"}}"#,
            r#"["id","a"]"#,
            r#""id""#,
            r#"{"id":"a""#,
        ] {
            assert_eq!(id(body), None, "{body}");
        }
    }

    #[test]
    fn the_last_of_several_ids_counts() {
        assert_eq!(id(r#"{"id":"a","id":2}"#), same("2"));
        assert_eq!(id(r#"{"id":"a","i\u0064":null}"#), None);
    }

    proptest! {
        #[test]
        fn any_bytes_are_kept_and_none_break_it(bytes: Vec<u8>) {
            prop_assert_eq!(Body::new(bytes.clone()).bytes, bytes);
        }

        #[test]
        fn a_string_id_survives_the_way_into_an_answer(text in ".{1,64}") {
            let body = serde_json::json!({ "id": text }).to_string();
            let id = Body::new(body.into()).client_message_id.expect("a usable id");
            prop_assert_eq!(&id.text, &text);
            prop_assert_eq!(serde_json::from_str::<String>(id.json.get()).expect("a string"), text);
        }
    }
}
