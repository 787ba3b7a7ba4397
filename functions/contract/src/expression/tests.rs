use std::time::{Duration, Instant};

use proptest::prelude::*;
use serde_json::{Value, json};

use super::{
    Expression, Part, oracle,
    path::{Path, Step},
};
use crate::java;

mod paths;

#[track_caller]
fn check(source: &str, body: &str, expected: &str) {
    assert_eq!(value(source, body), expected, "{source} of {body}");
    assert_eq!(Expression::parse(source).unwrap().to_string(), source);
}

#[track_caller]
fn value(source: &str, body: &str) -> String {
    let context = |name: &str| (name != "messageId").then(|| format!("<{name}>"));
    Expression::parse(source).unwrap().evaluate(body, context)
}

#[track_caller]
fn check_error(source: &str, expected: &str) {
    let err = Expression::parse(source).unwrap_err();
    assert_eq!(err.to_string(), expected);
}

#[test]
fn a_path_selects_from_the_body() {
    let body = r#"{"a": {"b": "x", "c-d": "y", "é": "z"}, "l": ["m", {"n": "o"}], "p q": "r"}"#;
    check("$request.body.a.b", body, "x");
    check("$request.body.a.c-d", body, "y");
    check("$request.body.a.é", body, "z");
    check("${request.body.a.b}", body, "x");
    check("$request.body['a']['b']", body, "x");
    check("$request.body[\"p q\"]", body, "r");
    check("$request.body.l[0]", body, "m");
    check("${request.body.l[1].n}", body, "o");
    check("$request.body", "\r\n\"whole\"\t", "whole");
}

#[test]
fn a_quoted_name_may_contain_any_character() {
    check("$request.body['it\\'s']", r#"{"it's": 1}"#, "1");
    check("$request.body['a]${b}']", r#"{"a]${b}": 2}"#, "2");
    check("$request.body['']", r#"{"": 3}"#, "3");
    check("$request.body.é", r#"{"\u00e9": 4}"#, "4");
}

#[test]
fn a_missing_or_null_value_adds_nothing() {
    check("$request.body.a", "null", "");
    check("$request.body", " null ", "");
    check("$request.body.a", r#"{"a": null}"#, "");
    check("$request.body.a.b", r#"{"a": "text"}"#, "");
    check("$request.body.a", r#"[{"a": 1}]"#, "");
    check("$request.body[0]", r#"{"0": 1}"#, "");
    check("$request.body[0]", r#""text""#, "");
    check("$request.body[7]", "[1]", "");
    check("[${context.messageId}]", "", "[]");
}

#[test]
fn a_body_that_is_not_json_selects_nothing() {
    for body in [
        "",
        " ",
        "hello",
        r#"{"a": 1"#,
        r#"{"a": 1} {}"#,
        r#"{"a": 1, }"#,
        r#"{"a": 1, b: 2}"#,
        r#"{"a": 1, "b": "\x"}"#,
        "{\"a\": 1, \"b\tc\": 2}",
        "\u{feff}{\"a\": 1}",
    ] {
        check("$request.body", body, "");
        check("$request.body.a", body, "");
        check("<$request.body.a>", body, "<>");
    }
}

#[test]
fn lone_surrogates_and_huge_numbers_are_valid_json() {
    let with = |rest: &str| format!("{{\"a\": \"x\", {rest}}}");
    check("$request.body.a", &with(r#""b": "cut \ud83d""#), "x");
    check("$request.body.a", &with(r#""cut \ud83d": 1"#), "x");
    check("$request.body.a", &with(r#""b": 1e999"#), "x");
    check(
        "$request.body.b",
        &with(r#""b": {"c": -1e999}"#),
        "{c=-Infinity}",
    );
    check(
        "$request.body.b",
        &with(r#""b": "cut \ud83d""#),
        "cut \u{fffd}",
    );
}

#[test]
fn the_last_duplicate_member_wins() {
    check("$request.body.a", r#"{"a": 1, "b": 2, "\u0061": 3}"#, "3");
    check("$request.body.a", r#"{"a": 1, "a": null}"#, "");
    check("$request.body.a.b", r#"{"a": {"b": 1}, "a": 2}"#, "");
    check("$request.body", r#"{"a": 1, "b": 2, "a": 3}"#, "{a=3, b=2}");
}

#[test]
fn an_integer_keeps_all_its_digits() {
    let rooms = ["12345678901234567890123", "12345678901234567890124"];
    for room in rooms {
        check("$request.body.room", &format!("{{\"room\":{room}}}"), room);
    }
}

#[test]
fn a_value_that_is_not_a_string_prints_as_in_java() {
    check("$request.body.a", r#"{"a": 5}"#, "5");
    check("$request.body.a", r#"{"a": 5e0}"#, "5.0");
    check("$request.body.a", r#"{"a": true}"#, "true");
    check(
        "$request.body.a",
        r#"{"a": ["item1", "item2"]}"#,
        "[item1, item2]",
    );
    check("$request.body.a", r#"{"a": [1,2]}"#, "[1, 2]");
    check(
        "$request.body",
        r#"{"b": [null], "a": 1}"#,
        "{b=[null], a=1}",
    );
}

#[test]
fn a_message_full_of_brackets_overflows_no_stack_and_evaluates_in_time() {
    let started = Instant::now();
    let (open, close) = ("[".repeat(MESSAGE_BYTES / 2), "]".repeat(MESSAGE_BYTES / 2));
    let body = format!("{open}{close}");
    check("$request.body", &body, &body);
    check("$request.body.a", &body, "");
    check("$request.body[0][0]", &body, &body[2..MESSAGE_BYTES - 2]);
    check("$request.body", &open.repeat(2), "");

    let body = "{\"a\":".repeat(MESSAGE_BYTES / 5);
    check("$request.body.a.a", &body, "");
    assert!(started.elapsed() < TIME_MAX);
}

/// Far longer than needed, so that the test passes on a busy machine but fails on quadratic time.
const TIME_MAX: Duration = Duration::from_secs(30);

/// API Gateway's limit for a message.
const MESSAGE_BYTES: usize = 128 * 1024;

#[test]
fn variables_and_text_mix() {
    let body = r#"{"service": "chat", "action": "join"}"#;
    check(
        "${request.body.service}/${request.body.action}",
        body,
        "chat/join",
    );
    check(
        "$request.body.service/$request.body.action",
        body,
        "chat/join",
    );
    check("${request.body.action}-beta", body, "join-beta");
    check("v1:$request.body.action!", body, "v1:join!");
    check("static", body, "static");
    check(
        "$context.stage$context.authorizer.tenant-id",
        body,
        "<stage><authorizer.tenant-id>",
    );
    check("${context.identity.sourceIp}", body, "<identity.sourceIp>");
}

#[test]
fn a_dollar_sign_can_be_escaped() {
    check("\\$default", "", "$default");
    check("a\\$${request.body.a}", r#"{"a": 1}"#, "a$1");
    check("back\\slash\\", "", "back\\slash\\");
}

#[test]
fn a_selected_value_is_not_evaluated_again() {
    check(
        "$request.body.a",
        r#"{"a": "$request.body.b", "b": 1}"#,
        "$request.body.b",
    );
}

#[test]
fn an_expression_knows_whether_it_reads_the_body_or_the_context() {
    let reads = |source| {
        let expression = Expression::parse(source).unwrap();
        (expression.reads_body(), expression.reads_context())
    };
    assert_eq!(reads("static"), (false, false));
    assert_eq!(reads("a${request.body}"), (true, false));
    assert_eq!(reads("$context.stage"), (false, true));
}

#[test]
fn an_unknown_variable_is_an_error() {
    const EXPECTED: &str =
        "expected `$request.body…` or `$context.…`; write `\\$` for a dollar sign";
    check_error("$default", &format!("`$default` is invalid ({EXPECTED})"));
    check_error("a$", &format!("`$` in `a$` is invalid ({EXPECTED})"));
    check_error("${", &format!("`${{` is invalid ({EXPECTED})"));
    check_error(
        "$request.bodyguard",
        &format!("`$request.bodyguard` is invalid ({EXPECTED})"),
    );
    check_error(
        "$request.header.x",
        &format!("`$request.header.x` is invalid ({EXPECTED})"),
    );
    check_error("$context", &format!("`$context` is invalid ({EXPECTED})"));
}

#[test]
fn an_unknown_context_variable_is_an_error_that_lists_the_known_ones() {
    const LIST: &str = "apiId, connectedAt, connectionId, domainName, eventType, \
         extendedRequestId, identity.accessKey, identity.accountId, identity.caller, \
         identity.cognitoAuthenticationProvider, identity.cognitoAuthenticationType, \
         identity.cognitoIdentityId, identity.cognitoIdentityPoolId, identity.principalOrgId, \
         identity.sourceIp, identity.user, identity.userAgent, identity.userArn, \
         messageDirection, messageId, requestId, requestTime, requestTimeEpoch, routeKey, \
         stage, authorizer.<property>";
    for name in ["foo", "identity.apiKey", "authorizer", "authorizer.a.b"] {
        let source = format!("$context.{name}");
        check_error(
            &source,
            &format!("`{source}` is invalid (expected one of the $context variables {LIST})"),
        );
    }
}

#[test]
fn an_incomplete_expression_is_an_error() {
    const CLOSE: &str = "expected `}`, or `.` or `[` to continue the path";
    const NAME: &str =
        "expected a name of letters, digits, `_` and `-`, or `*`, or `['name']` without the dot";
    check_error(
        "",
        "the expression is empty (expected a selection expression such as `$request.body.action`)",
    );
    check_error(
        "${request.body.a",
        &format!("`${{request.body.a` is incomplete ({CLOSE})"),
    );
    check_error(
        "${request.body.a b}",
        &format!("` b}}` in `${{request.body.a b}}` is invalid ({CLOSE})"),
    );
    for source in ["$request.body.", "$request.body.."] {
        check_error(source, &format!("`{source}` is incomplete ({NAME})"));
    }
    check_error(
        "$request.body...a",
        &format!("`.a` in `$request.body...a` is invalid ({NAME})"),
    );
    check_error(
        "$request.body['a",
        "`$request.body['a` is incomplete (expected a closing `'`)",
    );
    check_error(
        "$request.body[99999999999999999999]",
        "`99999999999999999999]` in `$request.body[99999999999999999999]` is invalid \
         (expected an index such as `[0]` or `[-1]`, a slice such as `[0:2]`, `['name']` or `[*]`)",
    );
}

/// Any JSON value, a few levels deep.
fn json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "(\\PC|[\"\\\\\n]){0,4}".prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 32, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map("[ab\"]", inner, 0..3)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

/// A path that often matches in such a value.
fn path() -> impl Strategy<Value = Path> {
    let names = || prop::collection::btree_set("[ab\"]", 2..4).prop_map(Vec::from_iter);
    let end = || prop::option::of(-3..4_i32);
    let step = prop_oneof![
        3 => "[ab\"]".prop_map(Step::Name),
        1 => names().prop_map(Step::Names),
        3 => (-3..3_i32).prop_map(Step::Index),
        1 => prop::collection::vec(-3..3_i32, 2..4).prop_map(Step::Indices),
        1 => (end(), end()).prop_map(|(from, to)| Step::Slice(from, to)),
        2 => Just(Step::All),
        1 => Just(Step::Descend),
    ];
    prop::collection::vec(step, 0..4).prop_map(Path::new)
}

/// What the path selects according to the oracle, printed as in Java.
fn selected(body: &Value, path: &Path) -> String {
    match oracle::select(body, path) {
        None | Some(Value::Null) => String::new(),
        Some(value) => printed(&value),
    }
}

fn printed(value: &Value) -> String {
    match value {
        Value::Number(number) if number.is_f64() => java::double(number.as_f64().unwrap()),
        Value::String(text) => text.clone(),
        Value::Array(items) => {
            format!("[{}]", Vec::from_iter(items.iter().map(printed)).join(", "))
        }
        Value::Object(members) => {
            let members = members
                .iter()
                .map(|(name, value)| format!("{name}={}", printed(value)));
            format!("{{{}}}", Vec::from_iter(members).join(", "))
        }
        _ => value.to_string(),
    }
}

/// Part of a source, and what it selects from `{"a": "A", "b": ["B"]}`.
fn piece() -> impl Strategy<Value = (String, String)> {
    let fixed = |source: &str, text: &str| Just((source.to_owned(), text.to_owned()));
    prop_oneof![
        fixed("${request.body.a}", "A"),
        fixed("${request.body.b[0]}", "B"),
        fixed("${request.body['b']}", "[B]"),
        fixed("${request.body.none}", ""),
        fixed("${request.body..b[-1]}", "[B]"),
        fixed("${request.body[ 'b', 'a' ]}", "{b=[B], a=A}"),
        fixed("${context.stage}", "dev"),
        "[^$\\\\]{1,5}".prop_map(|text| (text.clone(), text)),
        fixed("\\$", "$"),
    ]
}

proptest! {
    #[test]
    fn an_expression_selects_what_its_parts_select(pieces in prop::collection::vec(piece(), 1..6)) {
        let source: String = pieces.iter().map(|(source, _)| source.as_str()).collect();
        let text: String = pieces.iter().map(|(_, text)| text.as_str()).collect();
        let expression = Expression::parse(&source).unwrap();
        let body = json!({"a": "A", "b": ["B"]}).to_string();
        prop_assert_eq!(expression.evaluate(&body, |_| Some("dev".to_owned())), text);
        prop_assert_eq!(Expression::parse(&expression.to_string()).unwrap(), expression);
    }

    #[test]
    fn any_text_parses_or_gives_an_error_on_one_line(source in "(\\PC|[\\n\\[\\]${}.*:,0'\\\\-]|request|context|body){0,12}") {
        match Expression::parse(&source) {
            Ok(expression) => prop_assert_eq!(expression.to_string(), source),
            Err(err) => prop_assert_eq!(err.to_string().lines().count(), 1),
        }
    }

    #[test]
    fn a_path_selects_what_the_oracle_selects(body in json(), path in path()) {
        let expected = selected(&body, &path);
        let expression = Expression { source: String::new(), parts: vec![Part::Body(path)] };
        prop_assert_eq!(&expression.evaluate(&body.to_string(), |_| None), &expected);
        let pretty = serde_json::to_string_pretty(&body).unwrap();
        prop_assert_eq!(&expression.evaluate(&pretty, |_| None), &expected);
    }

    #[test]
    fn any_body_evaluates(body in "(\\PC|[\\[\\]{}\",:\\\\ ]|\\\\ud83d|1e|null){0,16}") {
        let expression = Expression::parse("<$request.body>").unwrap();
        let text = expression.evaluate(&body, |_| None);
        prop_assert!(text == "<>" || serde_json::from_str::<serde::de::IgnoredAny>(&body).is_ok());
    }
}
