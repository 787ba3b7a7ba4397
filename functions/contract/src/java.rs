//! Prints JSON values as Java does.
//!
//! API Gateway converts a selected value to a string with Java's `toString`: the list
//! `["a", "b"]` becomes `[a, b]`, which is not JSON.

use std::borrow::Cow;

use serde_json::value::RawValue;

use crate::json;

/// Appends the value in the form of Java's `toString`; null becomes `null`.
///
/// Object members keep their order. If a name occurs twice, the last value takes the first one's
/// position. Values nested deeper than [`DEPTH_MAX`] levels stay JSON, unchanged.
pub(crate) fn print(value: &RawValue, out: &mut String) {
    nested(value, DEPTH_MAX, out);
}

fn nested(value: &RawValue, levels_left: usize, out: &mut String) {
    let json = value.get();
    match json.as_bytes().first() {
        Some(b'"') => out.push_str(&json::text(value).unwrap_or_default()),
        Some(b'-' | b'0'..=b'9') => number(json, out),
        Some(b'[') if levels_left > 0 => {
            let items = json::items(value).unwrap_or_default();
            list(items, out, |item, out| nested(item, levels_left - 1, out));
        }
        Some(b'{') if levels_left > 0 => {
            let members = json::distinct(json::members(value).unwrap_or_default());
            object(&members, out, |value, out| {
                nested(value, levels_left - 1, out);
            });
        }
        _ => out.push_str(json),
    }
}

/// Appends a list in the form of Java's `toString`; `print` appends each item.
pub(crate) fn list<T>(
    items: impl IntoIterator<Item = T>,
    out: &mut String,
    print: impl Fn(T, &mut String),
) {
    out.push('[');
    for (index, item) in items.into_iter().enumerate() {
        separate(index, out);
        print(item, out);
    }
    out.push(']');
}

/// Appends an object in the form of Java's `toString`; `print` appends each value.
pub(crate) fn object(
    members: &[(Cow<'_, str>, &RawValue)],
    out: &mut String,
    print: impl Fn(&RawValue, &mut String),
) {
    out.push('{');
    for (index, (name, value)) in members.iter().enumerate() {
        separate(index, out);
        out.push_str(name);
        out.push('=');
        print(value, out);
    }
    out.push('}');
}

fn separate(index: usize, out: &mut String) {
    if index > 0 {
        out.push_str(", ");
    }
}

/// Appends an integer with all its digits, and any other number as a double.
fn number(json: &str, out: &mut String) {
    match json.parse() {
        Ok(value) if json.contains(['.', 'e', 'E']) => out.push_str(&double(value)),
        _ if json == "-0" => out.push('0'),
        _ => out.push_str(json),
    }
}

/// Formats a number as `Double.toString` does.
///
/// Writes `1.0`, but `1.0E7` from ten million on, `1.0E-4` below a thousandth, and `Infinity` on
/// overflow.
pub(crate) fn double(value: f64) -> String {
    if value.is_infinite() {
        return if value > 0.0 { "Infinity" } else { "-Infinity" }.to_owned();
    }
    if value == 0.0 || (1e-3..1e7).contains(&value.abs()) {
        return format!("{value:?}");
    }
    let scientific = format!("{value:E}");
    match scientific.split_once('E') {
        Some((digits, exponent)) if !digits.contains('.') => format!("{digits}.0E{exponent}"),
        _ => scientific,
    }
}

/// Nested lists and objects are printed up to this many levels.
///
/// More levels than in any message designed by hand, yet few enough that the worst message costs
/// a few milliseconds (each level is parsed once per level above it).
pub(crate) const DEPTH_MAX: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(json: &str, expected: &str) {
        let mut printed = String::new();
        print(json::parse(json).unwrap(), &mut printed);
        assert_eq!(printed, expected);
    }

    #[test]
    fn scalars_print_without_quotes() {
        check("null", "null");
        check("true", "true");
        check("false", "false");
        check("\"a \\\"b\\\"\"", "a \"b\"");
        check("\"cut \\ud83d\"", "cut \u{fffd}");
    }

    #[test]
    fn integers_keep_all_their_digits() {
        check("5", "5");
        check("0", "0");
        check("-0", "0");
        check("-9223372036854775808", "-9223372036854775808");
        check("18446744073709551615", "18446744073709551615");
        check("12345678901234567890123", "12345678901234567890123");
        check("-12345678901234567890123", "-12345678901234567890123");
    }

    #[test]
    fn other_numbers_print_as_java_doubles() {
        check("1.0", "1.0");
        check("1.50", "1.5");
        check("-0.0", "-0.0");
        check("0e5", "0.0");
        check("0.001", "0.001");
        check("0.0001", "1.0E-4");
        check("1e3", "1000.0");
        check("9999999.5", "9999999.5");
        check("1e7", "1.0E7");
        check("1E+7", "1.0E7");
        check("-12345678.9", "-1.23456789E7");
        check("1e-300", "1.0E-300");
        check("1e-999", "0.0");
        check("1e-99999999999999999999", "0.0");
        check("1e999", "Infinity");
        check("-1e99999999999999999999", "-Infinity");
    }

    #[test]
    fn lists_and_objects_print_without_quotes() {
        check("[]", "[]");
        check("[ 1 , \"b\", null]", "[1, b, null]");
        check("{}", "{}");
        check(
            "{\"a\": 1, \"b\": [true, {\"c\": \"x\"}]}",
            "{a=1, b=[true, {c=x}]}",
        );
    }

    #[test]
    fn members_keep_their_order_and_the_last_duplicate_wins() {
        check("{\"b\":1,\"a\":2}", "{b=1, a=2}");
        check("{\"b\":1,\"a\":2,\"\\u0062\":3}", "{b=3, a=2}");
    }

    #[test]
    fn values_nested_too_deep_stay_unchanged() {
        let nest = |inner: &str| {
            let (open, close) = ("[".repeat(DEPTH_MAX), "]".repeat(DEPTH_MAX));
            format!("{open}{inner}{close}")
        };
        check(&nest("1.50"), &nest("1.5"));
        check(&nest("\"a\""), &nest("a"));
        check(&nest("{\"a\" : [ 1.50 ]}"), &nest("{\"a\" : [ 1.50 ]}"));
    }
}
