//! A look into JSON text that leaves everything as it was sent.
//!
//! `serde_json::Value` would refuse legal texts (half of a surrogate pair, `1e999`,
//! deep nesting) and lose what Java keeps: the digits of a large number, the
//! order of an object. Here a value is checked once, without recursion, and
//! then only what is asked for is read.

use std::{
    borrow::Cow,
    collections::HashMap,
    fmt::{self, Formatter},
};

use serde::de::{Deserialize, Deserializer, Error, MapAccess, Visitor};
use serde_json::value::RawValue;

/// The one JSON value that the text is; nothing where it is none.
pub(crate) fn parse(text: &str) -> Option<&RawValue> {
    serde_json::from_str(text).ok()
}

/// An object's members, as they come; nothing where the value is no object.
pub(crate) fn members(value: &RawValue) -> Option<Vec<(Cow<'_, str>, &RawValue)>> {
    let is_object = value.get().starts_with('{');
    // The text is known to be JSON, so this does not fail.
    is_object.then(|| value.deserialize_map(Members).ok())?
}

/// Members of one name made one: the last value counts, in the first one's place.
pub(crate) fn distinct<'a>(
    members: Vec<(Cow<'a, str>, &'a RawValue)>,
) -> Vec<(Cow<'a, str>, &'a RawValue)> {
    let mut distinct: Vec<(_, _)> = Vec::with_capacity(members.len());
    let mut places = HashMap::new();
    for (name, value) in members {
        let place = *places.entry(name.clone()).or_insert(distinct.len());
        match distinct.get_mut(place) {
            Some((_, earlier)) => *earlier = value,
            None => distinct.push((name, value)),
        }
    }
    distinct
}

/// A list's items; nothing where the value is no list.
pub(crate) fn items(value: &RawValue) -> Option<Vec<&RawValue>> {
    let is_list = value.get().starts_with('[');
    // The text is known to be JSON, so this does not fail.
    is_list.then(|| Vec::deserialize(value).ok())?
}

/// The content of a string; other values have none.
///
/// Half of a surrogate pair, which no text can hold, becomes U+FFFD.
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

/// A string, read as bytes: of text, serde_json demands whole surrogate pairs.
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
            // A lone surrogate is three such bytes; the first says it all.
            if chunk.invalid() == [SURROGATE_BYTE] {
                text.push(char::REPLACEMENT_CHARACTER);
            }
        }
        Ok(Text(Cow::Owned(text)))
    }
}

/// The byte that every surrogate begins with, were it encoded like a character.
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
    fn a_string_is_its_content() {
        check(r#""""#, "");
        check(r#"" a\tb \"c\" ë""#, " a\tb \"c\" ë");
        check(r#""\ud83d\ude00 \u00eb""#, "😀 ë");
        check("\"\u{d7ff}\u{e000}\\n\"", "\u{d7ff}\u{e000}\n");
    }

    #[test]
    fn half_of_a_surrogate_pair_becomes_one_replacement_character() {
        check(r#""cut \ud83d""#, "cut \u{fffd}");
        check(r#""\ude00 tail""#, "\u{fffd} tail");
        check(r#""\ud83d\ud83d\ude00\ude00""#, "\u{fffd}😀\u{fffd}");
        check(r#""\ud83d\n\ud83dx""#, "\u{fffd}\n\u{fffd}x");
        check(r#""\ud83d\ufffd퟿""#, "\u{fffd}\u{fffd}퟿");
    }

    #[test]
    fn other_values_have_no_content() {
        for json in ["1", "null", "true", "{}", "[97]", "[\"a\"]"] {
            assert_eq!(text_of(json), None, "{json}");
        }
    }

    #[test]
    fn what_is_not_one_json_value_is_none() {
        for text in ["", " ", "{", "[1,]", "1 2", "{a:1}", "NaN", "01", "'a'"] {
            assert!(parse(text).is_none(), "{text}");
        }
        assert!(parse("\"a\tb\"").is_none(), "a control character");
        assert!(parse("{\"a\tb\":1}").is_none(), "a control character");
        assert!(parse(r#""\ud8""#).is_none(), "an escape cut short");
    }

    #[test]
    fn members_and_items_come_as_they_were_sent() {
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
