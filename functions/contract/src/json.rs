//! Reads parts of a JSON text without changing the rest.
//!
//! `serde_json::Value` rejects valid JSON (lone surrogates, `1e999`, deep nesting) and loses what
//! Java keeps: the digits of a large number and the order of an object's members. This module
//! validates a value once, without recursion, and then parses only the requested parts.

use std::{
    borrow::Cow,
    collections::HashMap,
    fmt::{self, Formatter},
};

use serde::de::{Deserialize, Deserializer, Error, MapAccess, Visitor};
use serde_json::value::RawValue;

/// Parses a text that is exactly one JSON value; returns `None` for any other text.
pub(crate) fn parse(text: &str) -> Option<&RawValue> {
    serde_json::from_str(text).ok()
}

/// An object's members in their order; `None` if the value is not an object.
pub(crate) fn members(value: &RawValue) -> Option<Vec<(Cow<'_, str>, &RawValue)>> {
    let is_object = value.get().starts_with('{');
    // Cannot fail: the text is valid JSON.
    is_object.then(|| value.deserialize_map(Members).ok())?
}

/// Removes duplicate names: the last value takes the first one's position.
pub(crate) fn distinct<'a>(
    members: Vec<(Cow<'a, str>, &'a RawValue)>,
) -> Vec<(Cow<'a, str>, &'a RawValue)> {
    let mut distinct: Vec<(_, _)> = Vec::with_capacity(members.len());
    let mut positions = HashMap::new();
    for (name, value) in members {
        let position = *positions.entry(name.clone()).or_insert(distinct.len());
        match distinct.get_mut(position) {
            Some((_, earlier)) => *earlier = value,
            None => distinct.push((name, value)),
        }
    }
    distinct
}

/// A list's items; `None` if the value is not a list.
pub(crate) fn items(value: &RawValue) -> Option<Vec<&RawValue>> {
    let is_list = value.get().starts_with('[');
    // Cannot fail: the text is valid JSON.
    is_list.then(|| Vec::deserialize(value).ok())?
}

/// The content of a JSON string; `None` for any other value.
///
/// A lone surrogate, which UTF-8 cannot encode, becomes U+FFFD.
pub(crate) fn text(value: &RawValue) -> Option<Cow<'_, str>> {
    let Text(text) = Text::deserialize(value).ok()?;
    Some(text)
}

struct Members;

impl<'de> Visitor<'de> for Members {
    type Value = Vec<(Cow<'de, str>, &'de RawValue)>;

    fn expecting(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut members = Vec::new();
        while let Some((Text(name), value)) = map.next_entry()? {
            members.push((name, value));
        }
        Ok(members)
    }
}

/// A string, deserialized as bytes: for `str`, serde_json rejects lone surrogates.
struct Text<'a>(Cow<'a, str>);

impl<'de> Deserialize<'de> for Text<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_bytes(TextVisitor)
    }
}

struct TextVisitor;

impl<'de> Visitor<'de> for TextVisitor {
    type Value = Text<'de>;

    fn expecting(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_borrowed_bytes<E: Error>(self, bytes: &'de [u8]) -> Result<Text<'de>, E> {
        match str::from_utf8(bytes) {
            Ok(text) => Ok(Text(Cow::Borrowed(text))),
            Err(_) => self.visit_bytes(bytes),
        }
    }

    fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<Text<'de>, E> {
        let mut text = String::with_capacity(bytes.len());
        for chunk in bytes.utf8_chunks() {
            text.push_str(chunk.valid());
            // A lone surrogate gives three invalid bytes; the first one is enough to detect it.
            if chunk.invalid() == [SURROGATE_BYTE] {
                text.push(char::REPLACEMENT_CHARACTER);
            }
        }
        Ok(Text(Cow::Owned(text)))
    }
}

/// The first byte of a surrogate that is encoded like UTF-8.
const SURROGATE_BYTE: u8 = 0xED;

#[cfg(test)]
mod tests {
    use super::*;

    fn text_of(json: &str) -> Option<String> {
        text(parse(json)?).map(Cow::into_owned)
    }

    #[track_caller]
    fn check(json: &str, expected: &str) {
        assert_eq!(text_of(json).as_deref(), Some(expected), "{json}");
    }

    #[test]
    fn a_string_gives_its_content() {
        check(r#""""#, "");
        check(r#"" a\tb \"c\" ë""#, " a\tb \"c\" ë");
        check(r#""\ud83d\ude00 \u00eb""#, "😀 ë");
        check("\"\u{d7ff}\u{e000}\\n\"", "\u{d7ff}\u{e000}\n");
    }

    #[test]
    fn a_lone_surrogate_becomes_one_replacement_character() {
        check(r#""cut \ud83d""#, "cut \u{fffd}");
        check(r#""\ude00 tail""#, "\u{fffd} tail");
        check(r#""\ud83d\ud83d\ude00\ude00""#, "\u{fffd}😀\u{fffd}");
        check(r#""\ud83d\n\ud83dx""#, "\u{fffd}\n\u{fffd}x");
        check(r#""\ud83d\ufffd퟿""#, "\u{fffd}\u{fffd}퟿");
    }

    #[test]
    fn only_a_string_has_content() {
        for json in ["1", "null", "true", "{}", "[97]", "[\"a\"]"] {
            assert_eq!(text_of(json), None, "{json}");
        }
    }

    #[test]
    fn a_text_that_is_not_one_json_value_does_not_parse() {
        for text in ["", " ", "{", "[1,]", "1 2", "{a:1}", "NaN", "01", "'a'"] {
            assert!(parse(text).is_none(), "{text}");
        }
        assert!(parse("\"a\tb\"").is_none(), "a control character");
        assert!(parse("{\"a\tb\":1}").is_none(), "a control character");
        assert!(parse(r#""\ud8""#).is_none(), "a truncated escape");
    }

    #[test]
    fn members_and_items_keep_their_order_and_text() {
        let object = parse(r#" {"b": 1.0 ,"a":[ ],"b":"\u0061", "\ud800":null} "#).unwrap();
        let shown = |members: Vec<(_, &RawValue)>| {
            let shown = members
                .iter()
                .map(|(name, value)| format!("{name}={}", value.get()));
            Vec::from_iter(shown)
        };
        assert_eq!(
            shown(members(object).unwrap()),
            ["b=1.0", "a=[ ]", r#"b="\u0061""#, "\u{fffd}=null"]
        );
        assert_eq!(
            shown(distinct(members(object).unwrap())),
            [r#"b="\u0061""#, "a=[ ]", "\u{fffd}=null"]
        );
        assert!(items(object).is_none());

        let list = parse("[ {} , 1e999]").unwrap();
        let shown: Vec<_> = items(list).unwrap().iter().map(|item| item.get()).collect();
        assert_eq!(shown, ["{}", "1e999"]);
        assert!(members(list).is_none());
    }
}
