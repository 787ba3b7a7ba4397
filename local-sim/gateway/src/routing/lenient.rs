//! Lenient JSON for routing: member names need no quotes.
//!
//! API Gateway was observed to route `{"action":"sendMessage", body:"hello"}` by its action. No
//! other leniency is known, so none is implemented. Functions receive the text as it was sent.

use std::borrow::Cow;

use serde_json::value::RawValue;

/// Returns JSON unchanged. In other text, adds the missing quotes around member names.
pub(crate) fn read(text: &str) -> Cow<'_, str> {
    match serde_json::from_str::<&RawValue>(text) {
        Ok(_) => Cow::Borrowed(text),
        Err(_) => Cow::Owned(with_quotes(text)),
    }
}

fn with_quotes(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len());
    let mut rest = text;
    // After `{` or `,`, where a name may follow.
    let mut at_name = false;
    while let Some(first) = rest.chars().next() {
        let length = match first {
            '"' => string_length(rest),
            c if is_name_char(c) => rest.find(|c| !is_name_char(c)).unwrap_or(rest.len()),
            c => c.len_utf8(),
        };
        let (token, after) = rest.split_at(length);
        if at_name && is_name_char(first) && after.trim_start().starts_with(':') {
            quoted.extend(["\"", token, "\""]);
        } else {
            quoted.push_str(token);
        }
        at_name = matches!(first, '{' | ',') || at_name && first.is_ascii_whitespace();
        rest = after;
    }
    quoted
}

/// The length of the string at the start of `text`, including its closing quote if there is one.
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

fn is_name_char(c: char) -> bool {
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
    fn the_content_of_strings_is_unchanged() {
        check(r#"{a:"{b:1}, c:\" d:"}"#, r#"{"a":"{b:1}, c:\" d:"}"#);
        check(r#"{a:"open"#, r#"{"a":"open"#);
    }

    #[test]
    fn other_invalid_json_stays_invalid() {
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
        fn json_is_unchanged_and_other_text_only_gains_quotes(text in "[{}\\[\\]:,\"\\\\ a1é-]{0,24}") {
            if serde_json::from_str::<&RawValue>(&text).is_ok() {
                prop_assert_eq!(read(&text), text.as_str());
            }
            // Only quotes are added.
            let bare = |text: &str| text.replace('"', "");
            prop_assert_eq!(bare(&read(&text)), bare(&text));
        }

        #[test]
        fn an_object_reads_the_same_with_and_without_quotes(names in prop::collection::btree_set("[a-z_$][a-z0-9_-]{0,5}", 0..5)) {
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
