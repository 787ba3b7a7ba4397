//! A look into JSON text that leaves everything as it was sent.
//!
//! `serde_json::Value` would refuse legal texts (half of a surrogate pair, `1e999`,
//! deep nesting) and lose what Java keeps: the digits of a large number, the
//! order of an object. Here a value is checked once, without recursion, and
//! then only what is asked for is read.

use std::borrow::Cow;
use std::fmt::{self, Formatter};

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

/// The one JSON value that the text is; nothing where it is none.
pub(crate) fn parse(text: &str) -> Option<&RawValue> {
    serde_json::from_str(text).ok()
}

/// Hands out an object's members, as they come; other values have none.
pub(crate) fn members<'a>(value: &'a RawValue, each: impl FnMut(Cow<'a, str>, &'a RawValue)) {
    // The text is known to be JSON: this fails where the value is no object.
    let _no_object = value.deserialize_map(Members(each));
}

/// Hands out a list's items with their indices; other values have none.
pub(crate) fn items<'a>(value: &'a RawValue, each: impl FnMut(usize, &'a RawValue)) {
    // The text is known to be JSON: this fails where the value is no list.
    let _no_list = value.deserialize_seq(Items(each));
}

/// The content of a string; other values have none.
///
/// Half of a surrogate pair, which no text can hold, becomes U+FFFD.
pub(crate) fn text(value: &RawValue) -> Option<Cow<'_, str>> {
    let Text(text) = Text::deserialize(value).ok()?;
    Some(text)
}

struct Members<F>(F);

impl<'de, F: FnMut(Cow<'de, str>, &'de RawValue)> Visitor<'de> for Members<F> {
    type Value = ();

    fn expecting(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<(), A::Error> {
        while let Some((Text(name), value)) = map.next_entry()? {
            (self.0)(name, value);
        }
        Ok(())
    }
}

struct Items<F>(F);

impl<'de, F: FnMut(usize, &'de RawValue)> Visitor<'de> for Items<F> {
    type Value = ();

    fn expecting(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str("a list")
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut seq: A) -> Result<(), A::Error> {
        let mut index = 0;
        while let Some(item) = seq.next_element()? {
            (self.0)(index, item);
            index += 1;
        }
        Ok(())
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
        let mut seen = Vec::new();
        let object = parse(r#" {"b": 1.0 ,"a":[ ],"b":"\u0061", "\ud800":null} "#).unwrap();
        members(object, |name, value| {
            seen.push(format!("{name}={}", value.get()));
        });
        items(object, |_, _| panic!("an object has no items"));
        assert_eq!(seen, ["b=1.0", "a=[ ]", r#"b="\u0061""#, "\u{fffd}=null"]);

        let mut seen = Vec::new();
        let list = parse("[ {} , 1e999]").unwrap();
        items(list, |index, value| {
            seen.push(format!("{index}={}", value.get()));
        });
        members(list, |_, _| panic!("a list has no members"));
        assert_eq!(seen, ["0={}", "1=1e999"]);
    }
}
