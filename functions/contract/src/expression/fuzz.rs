//! Expressions and messages of all sorts, whole and broken: none may upset the reader, and where a plain JSON
//! library can tell what an expression selects, it is that.
//!
//! Every case is made from a number, other ones in each run, and one that fails says its own.

use std::time::{Duration, Instant};

use fastrand::Rng;
use serde_json::Value;

use super::{Expression, oracle, part::Part};

/// How many cases are run, unless time is up before.
const CASES: u64 = 50_000;
/// So many are run in any case.
const CASES_MIN: u64 = 2_000;
/// Of those, so many must be sound enough to be compared: were nearly all of them broken, little would be shown.
const COMPARED_MIN: u64 = 100;
/// When time is up.
const TIME_MAX: Duration = Duration::from_secs(5);
/// So many characters are broken at most.
const FAULTS_MAX: usize = 4;

#[test]
fn whatever_the_expression_and_the_message_the_selection_is_right() {
    let start = Instant::now();
    let mut compared = 0;
    // To run a case again, begin with its number.
    let first = fastrand::u64(..=u64::MAX - CASES);
    for case in first..first + CASES {
        if case - first >= CASES_MIN && start.elapsed() > TIME_MAX {
            break;
        }
        let mut rng = Rng::with_seed(case);
        let (source, body) = (text(&mut rng, SOURCES), text(&mut rng, BODIES));
        let Ok(expression) = Expression::parse(&source) else {
            continue;
        };
        assert_eq!(expression.to_string(), source, "case {case}");
        let found = expression.evaluate(&body, |name| Some(format!("<{name}>")));
        if let Some(expected) = expected(&expression, &body) {
            compared += 1;
            assert_eq!(found, expected, "case {case}: {source} of {body}");
        }
    }
    assert!(
        compared >= COMPARED_MIN,
        "{compared} compared, from {first} on"
    );
}

/// What the expression selects by the library's reading; nothing where it reads numbers, texts or the order of members
/// otherwise than Java, or would print a list or an object.
fn expected(expression: &Expression, body: &str) -> Option<String> {
    if !oracle::keeps_order(body) {
        return None;
    }
    let body: Value = serde_json::from_str(body).ok()?;
    let mut text = String::new();
    for part in &expression.parts {
        match part {
            Part::Text(part) => text.push_str(part),
            Part::Context(name) => text.push_str(&format!("<{name}>")),
            Part::Body(path) => match oracle::select(&body, path) {
                None | Some(Value::Null) => {}
                Some(Value::String(part)) => text.push_str(&part),
                Some(Value::Bool(part)) => text.push_str(&part.to_string()),
                Some(Value::Number(part)) if !part.is_f64() => text.push_str(&part.to_string()),
                Some(part) if java_prints_as_json(&part) => {
                    text.push_str(&part.to_string().replace(',', ", "));
                }
                Some(_) => return None,
            },
        }
    }
    Some(text)
}

/// Whether Java prints a value as JSON, but for a space after each comma.
fn java_prints_as_json(value: &Value) -> bool {
    match value {
        Value::Array(items) => items.iter().all(java_prints_as_json),
        Value::Null | Value::Bool(_) => true,
        Value::Number(number) => !number.is_f64(),
        Value::String(_) | Value::Object(_) => false,
    }
}

/// Some of these put together, often broken.
fn text(rng: &mut Rng, pieces: &[&str]) -> String {
    let count = rng.usize(1..=3);
    let mut text: String = (0..count)
        .filter_map(|_| rng.choice(pieces))
        .copied()
        .collect();
    if rng.u8(..3) == 0 {
        for _ in 0..rng.usize(1..=FAULTS_MAX) {
            text = broken(rng, &text);
        }
    }
    text
}

fn broken(rng: &mut Rng, text: &str) -> String {
    let mut chars: Vec<char> = text.chars().collect();
    if chars.is_empty() {
        return String::new();
    }
    let at = rng.usize(..chars.len());
    match rng.u8(..4) {
        0 => chars.truncate(at),
        1 => chars.swap(0, at),
        2 => chars.insert(at, rng.choice(FAULTS).copied().unwrap_or_default()),
        _ => {
            chars.remove(at);
        }
    }
    chars.into_iter().collect()
}

const SOURCES: &[&str] = &[
    "$request.body",
    "$request.body.a",
    "$request.body.a.b",
    "$request.body.l[1]",
    "$request.body['p q']",
    "${request.body.action}",
    "${request.body.l[0].n}",
    "$request.body.*",
    "$request.body..n",
    "${request.body..a}",
    "${request.body..*}",
    "$request.body.l[-1]",
    "$request.body.m[0,-2]",
    "${request.body.m[1:3]}",
    "$request.body..m[:-1]",
    "$request.body['a', 'b']",
    "$request.body..[1:]",
    "..a",
    "[*]",
    "[-1]",
    ".*",
    "$context.connectionId",
    "${context.stage}",
    "/",
    "-x",
    "\\$",
];
const BODIES: &[&str] = &[
    r#"{"a":"x","action":"chat","p q":true}"#,
    r#"{"a":{"b":5},"l":[{"n":"\u00e9"},-7]}"#,
    r#"{"a":null,"a":"twice","l":[1.5,[]]}"#,
    r#"{"a":1,"m":[1,2,[3,{"a":4,"n":5},-6],null],"n":true}"#,
    "[0,[1,[2,[3,4]]],{\"a\":[5],\"n\":{\"a\":6}}]",
    r#""text""#,
    "[]",
    "12",
    " ",
    "",
];
const FAULTS: &[char] = &[
    '$', '.', '[', ']', '{', '}', '\'', '"', '\\', ',', ':', '0', '-', '*', '1', 'e', '\0', 'é',
    '🐎', ' ',
];
