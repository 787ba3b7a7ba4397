//! JSON as API Gateway reads it for routing: names need no quotes.
//!
//! It has been seen to route `{"action":"sendMessage", body:"hello"}` by its action. Nothing else that is lenient is
//! known, so nothing else is taken; functions get the text as it was sent.

use std::borrow::Cow;

use serde_json::value::RawValue;

/// The text, with quotes put around names that lack them, where it is no JSON without.
pub(crate) fn read(text: &str) -> Cow<'_, str> {
    match serde_json::from_str::<&RawValue>(text) {
        Ok(_) => Cow::Borrowed(text),
        Err(_) => Cow::Owned(with_quotes(text)),
    }
}

fn with_quotes(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len());
    let mut rest = text;
    // Behind `{` or `,`, where a name can stand.
    let mut at_name = false;
    while let Some(first) = rest.chars().next() {
        let length = match first {
            '"' => string_length(rest),
            c if is_of_name(c) => rest.find(|c| !is_of_name(c)).unwrap_or(rest.len()),
            c => c.len_utf8(),
        };
        let (token, after) = rest.split_at(length);
        if at_name && is_of_name(first) && after.trim_start().starts_with(':') {
            quoted.extend(["\"", token, "\""]);
        } else {
            quoted.push_str(token);
        }
        at_name = matches!(first, '{' | ',') || at_name && first.is_ascii_whitespace();
        rest = after;
    }
    quoted
}

/// How long the string is that a text begins with, up to its closing quote, or the end.
fn string_length(text: &str) -> usize {
    let mut escaped = false;
    for (at, byte) in text.bytes().enumerate().skip(1) {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

fn is_of_name(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '-' | '$')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(text: &str, expected: &str) {
        assert_eq!(read(text), expected, "{text}");
    }

    #[test]
    fn names_need_no_quotes() {
        check(
            r#"{"action":"sendMessage", body:"hello"}"#,
            r#"{"action":"sendMessage", "body":"hello"}"#,
        );
        check(
            "{ a : { b_1-$: [1, {é: null}] } }",
            r#"{ "a" : { "b_1-$": [1, {"é": null}] } }"#,
        );
        check("{1:2}", r#"{"1":2}"#);
    }

    #[test]
    fn what_is_within_a_string_stays() {
        check(r#"{a:"{b:1}, c:\" d:"}"#, r#"{"a":"{b:1}, c:\" d:"}"#);
        check(r#"{a:"open"#, r#"{"a":"open"#);
    }

    #[test]
    fn what_is_no_json_stays_none() {
        for text in [
            "",
            "hello",
            "{a b:1}",
            "[a]",
            "{a}",
            "a:1",
            "{\"a\":b}",
            "{'a':1}",
            "{a:1,}",
        ] {
            assert!(
                serde_json::from_str::<&RawValue>(&read(text)).is_err(),
                "{text}"
            );
        }
    }

    proptest! {
        #[test]
        fn json_is_left_alone_and_anything_can_be_read(text in "[{}\\[\\]:,\"\\\\ a1é-]{0,24}") {
            if serde_json::from_str::<&RawValue>(&text).is_ok() {
                prop_assert_eq!(read(&text), text.as_str());
            }
            // Quotes are all that it adds.
            let bare = |text: &str| text.replace('"', "");
            prop_assert_eq!(bare(&read(&text)), bare(&text));
        }

        #[test]
        fn an_object_reads_the_same_with_quotes_and_without(names in prop::collection::btree_set("[a-z_$][a-z0-9_-]{0,5}", 0..5)) {
            let object = |quote: &str| {
                let members: Vec<String> = names
                    .iter()
                    .map(|name| format!("{quote}{name}{quote} : \"x, {name}:\""))
                    .collect();
                format!("{{{}}}", members.join(", "))
            };
            let bare = object("");
            prop_assert_eq!(read(&bare), object("\""));
        }
    }
}
