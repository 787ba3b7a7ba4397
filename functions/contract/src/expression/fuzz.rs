//! Evaluates random expressions on random messages, both valid and broken.
//!
//! No input may panic. If the oracle can evaluate the expression, both results must be equal. Each
//! case is generated from its number, a new range in each run; a failure prints its number.

use std::time::{Duration, Instant};

use fastrand::Rng;
use serde_json::Value;

use super::{Expression, oracle, part::Part};

/// The number of cases, unless [`TIME_MAX`] passes first.
const CASES: u64 = 50_000;
/// Run at least this many cases, even after [`TIME_MAX`].
const CASES_MIN: u64 = 2_000;
/// At least this many cases must be compared with the oracle, so that the test proves something.
const COMPARED_MIN: u64 = 100;
/// The time after which no further cases start.
const TIME_MAX: Duration = Duration::from_secs(5);
/// The maximum number of faults inserted into one text.
const FAULTS_MAX: usize = 4;

#[test]
fn random_expressions_select_what_the_oracle_selects() {
    let start = Instant::now();
    let mut compared = 0;
    // To repeat a case, set `first` to its number.
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
        "only {compared} cases compared, starting at {first}"
    );
}

/// What the expression selects according to the oracle.
///
/// `None` if the oracle cannot tell: `serde_json::Value` differs from Java in floats, in the order
/// of members, and in how most lists and objects print.
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

/// Whether Java prints a value as JSON, except for a space after each comma.
fn java_prints_as_json(value: &Value) -> bool {
    match value {
        Value::Array(items) => items.iter().all(java_prints_as_json),
        Value::Null | Value::Bool(_) => true,
        Value::Number(number) => !number.is_f64(),
        Value::String(_) | Value::Object(_) => false,
    }
}

/// One to three random pieces joined, in one of three cases with faults.
fn text(rng: &mut Rng, pieces: &[&str]) -> String {
    let count = rng.usize(1..=3);
    let mut text: String = (0..count)
        .filter_map(|_| rng.choice(pieces))
        .copied()
        .collect();
    if rng.u8(..3) == 0 {
        for _ in 0..rng.usize(1..=FAULTS_MAX) {
            text = with_fault(rng, &text);
        }
    }
    text
}

fn with_fault(rng: &mut Rng, text: &str) -> String {
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
