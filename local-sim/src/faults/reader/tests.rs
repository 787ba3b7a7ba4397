use serde_json::{Value, json};

use super::*;

fn scope(has_broker: bool) -> Scope {
    Scope {
        functions: ["connect", "message"].map(str::to_owned).to_vec(),
        has_broker,
    }
}

fn parse(text: &str) -> Result<Faults, String> {
    Faults::parse(text.as_bytes(), &scope(true)).map_err(|error| error.to_string())
}

/// All that can be said.
fn full() -> Value {
    json!({
        "seed": 7,
        "functions": { "message": {
            "throttle": {},
            "coldStart": { "next": 5 },
            "latency": { "millis": 800, "share": 0.2 },
        } },
        "gateway": {
            "reorder": { "millis": 50 },
            "dropDisconnect": { "next": 1 },
        },
        "kafka": {
            "slow": { "millis": 300, "next": 4_294_967_295_u32 },
            "silent": { "next": 0 },
            "closed": { "share": 1.0 },
            "throttling": { "millis": 900_000 },
            "leaderless": {},
        },
    })
}

#[test]
fn what_is_read_is_shown_the_same() {
    for document in [full(), json!({})] {
        let faults = parse(&document.to_string()).unwrap();
        assert_eq!(serde_json::to_value(&faults).unwrap(), document);
    }
}

#[test]
fn a_fault_is_in_force_or_over_or_not_spoken_of() {
    let faults = parse(r#"{"functions":{"message":{"throttle":null,"coldStart":{}}}}"#);
    let expected = OfFunction {
        throttle: Change::End,
        cold_start: Change::Set(Trigger::Always),
        latency: Change::None,
    };
    assert_eq!(faults.unwrap().functions["message"], expected);
}

#[test]
fn what_cannot_be_is_refused_by_its_path() {
    for (text, message) in [
        (
            "[]",
            "a list is invalid (expected a mapping with the fields seed, functions, gateway, kafka)",
        ),
        (
            r#"{"Seed":1}"#,
            "Seed: unknown field (expected one of seed, functions, gateway, kafka)",
        ),
        (
            r#"{"seed":-1}"#,
            "seed: the number `-1` is invalid (expected a whole number from 0 to 4294967295)",
        ),
        (
            r#"{"seed":null}"#,
            "seed: the null `null` is invalid (expected a whole number from 0 to 4294967295)",
        ),
        (
            r#"{"functions":{"x":{}}}"#,
            "functions.x: a function that the contract does not have (expected one of connect, message)",
        ),
        (
            r#"{"functions":{"message":{"throttle":true}}}"#,
            "functions.message.throttle: the boolean `true` is invalid (expected `{}`, which is always, or a \
             mapping of next, share)",
        ),
        (
            r#"{"functions":{"message":{"throttle":{"next":-1}}}}"#,
            "functions.message.throttle.next: the number `-1` is invalid (expected a whole number of times \
             from 0 to 4294967295)",
        ),
        (
            r#"{"functions":{"message":{"throttle":{"share":0}}}}"#,
            "functions.message.throttle.share: the number `0` is invalid (expected a number above 0, at most 1)",
        ),
        (
            r#"{"functions":{"message":{"throttle":{"share":1.1}}}}"#,
            "functions.message.throttle.share: the number `1.1` is invalid (expected a number above 0, at most 1)",
        ),
        (
            r#"{"functions":{"message":{"throttle":{"share":"1"}}}}"#,
            "functions.message.throttle.share: the string `1` is invalid (expected a number above 0, at most 1)",
        ),
        (
            r#"{"functions":{"message":{"throttle":{"next":1,"share":1}}}}"#,
            "functions.message.throttle.share: `share` beside `next` (expected one of the two)",
        ),
        (
            r#"{"functions":{"message":{"latency":{}}}}"#,
            "functions.message.latency.millis: field is missing (expected a whole number of milliseconds \
             from 1 to 900000)",
        ),
        (
            r#"{"gateway":{"reorder":{"millis":29001}}}"#,
            "gateway.reorder.millis: the number `29001` is invalid (expected a whole number of milliseconds \
             from 1 to 29000)",
        ),
        (
            r#"{"gateway":{"drop":{}}}"#,
            "gateway.drop: unknown field (expected one of reorder, dropDisconnect)",
        ),
        (
            r#"{"kafka":{"silent":{"millis":1}}}"#,
            "kafka.silent.millis: unknown field (expected one of next, share)",
        ),
    ] {
        assert_eq!(parse(text).unwrap_err(), message, "{text}");
    }
    for text in ["", "seed: 7", "{", "\u{feff}{}"] {
        let message = parse(text).unwrap_err();
        assert!(message.starts_with("the body is not JSON: "), "{message}");
    }
}

#[test]
fn a_body_is_never_said_to_be_no_yaml() {
    let long = "x".repeat(10_000);
    for name in [r"\ud83d\ude00", r"\ud83d", &long, "\u{7f}", "\u{feff}"] {
        let message = parse(&format!(r#"{{"{name}":1}}"#)).unwrap_err();
        assert!(!message.contains("YAML"), "{message}");
        assert!(message.contains("expected"), "{message}");
    }
}

#[test]
fn another_broker_has_no_faults() {
    let refused = Faults::parse(br#"{"kafka":{}}"#, &scope(false)).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "kafka: faults of the embedded broker (expected none: with `--kafka` there is no embedded broker)"
    );
    assert!(Faults::parse(br#"{"gateway":{}}"#, &scope(false)).is_ok());
}

#[test]
fn a_file_says_the_same_in_yaml_and_is_refused_with_its_line() {
    let folder = tempfile::TempDir::new().unwrap();
    let path = folder.path().join("faults.yaml");
    let load = |text: &str| {
        std::fs::write(&path, text).unwrap();
        Faults::load(&path, &scope(true)).map_err(|error| error.to_string())
    };
    let yaml = "
seed: 7                          # of every choice by chance
functions:
  message:
    throttle: {}
    coldStart: { next: 5 }
    latency: { millis: 800, share: 0.2 }
gateway:
  reorder: { millis: 50 }
  dropDisconnect: { next: 1 }
kafka:
  slow: { millis: 300, next: 4294967295 }
  silent: { next: 0 }
  closed: { share: 1 }
  throttling: { millis: 900000 }
  leaderless: {}
";
    assert_eq!(load(yaml), parse(&full().to_string()));
    let name = path.display();
    assert_eq!(
        load("seed: 7\ngateway:\n  dropDisconnect:\n"),
        Err(format!(
            "{name}:3: gateway.dropDisconnect: value is missing (expected `{{}}`, which is always, or a mapping of next, \
             share)"
        ))
    );
    assert_eq!(
        load(""),
        Err(format!("{name}:1: the document is empty (expected faults)"))
    );
}
