//! Compares events with recorded ones.
//!
//! The same inputs must give the same keys in the same order. Values must be equal unless they were
//! redacted.

use local_sim_lambda::ACCOUNT_ID;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::event::principal::{Custom, Principal, Scalar, User};

macro_rules! recorded {
    ($name:literal) => {
        include_str!(concat!("../../tests/events/", $name, ".json"))
    };
}

/// The paths of all keys of a JSON text, in their order.
fn keys(json: &str) -> Vec<String> {
    let (mut keys, mut path) = (Vec::new(), Vec::new());
    let mut rest = json;
    while let Some(at) = rest.find(['"', '{', '}']) {
        let (mark, after) = (rest.as_bytes()[at], &rest[at + 1..]);
        rest = after;
        match mark {
            b'{' => path.push(String::new()),
            b'}' => drop(path.pop()),
            _ => {
                let mut chars = after.char_indices();
                let end = loop {
                    match chars.next().unwrap() {
                        (_, '\\') => drop(chars.next()),
                        (end, '"') => break end,
                        _ => {}
                    }
                };
                rest = &after[end + 1..];
                if rest.trim_start().starts_with(':') {
                    *path.last_mut().unwrap() = after[..end].to_owned();
                    keys.push(path.join("/"));
                }
            }
        }
    }
    keys
}

/// The inputs of an event, read from a recorded one.
struct Inputs {
    stage: Stage,
    caller: Caller,
    request: Request,
    upgrade: Upgrade,
}

impl Inputs {
    fn of(recorded: &str) -> Self {
        let event: Value = serde_json::from_str(recorded).unwrap();
        let context = &event["requestContext"];
        let text = |name: &str| context[name].as_str().unwrap_or_default().to_owned();
        let id = |name: &str| Id::parse(&text(name)).unwrap_or_else(|| Id::parse(ANY).unwrap());
        let identity = |name: &str| context["identity"][name].as_str().map(str::to_owned);
        let mut headers = multi_map(&event["multiValueHeaders"]);
        // An authorizer's event also has the hop-by-hop headers.
        headers.retain(|(name, _)| {
            !["Connection", "content-length", "Upgrade"].contains(&name.as_str())
        });
        sort(&mut headers);
        Self {
            stage: Stage {
                api_id: text("apiId"),
                name: text("stage"),
                variables: BTreeMap::new(),
            },
            caller: Caller {
                connection_id: id("connectionId"),
                connected_at: context["connectedAt"].as_i64().unwrap(),
                domain_name: text("domainName"),
                source_ip: identity("sourceIp").unwrap(),
                user_agent: identity("userAgent"),
                principal: None,
            },
            request: Request {
                id: id("requestId"),
                at: context["requestTimeEpoch"].as_i64().unwrap(),
            },
            upgrade: Upgrade {
                headers,
                query: multi_map(&event["multiValueQueryStringParameters"]),
            },
        }
    }
}

/// Replaces a redacted id.
const ANY: &str = "R1kmxc2VNjMCFIA=";

fn multi_map(value: &Value) -> MultiMap {
    let all = value.as_object().into_iter().flatten();
    all.map(|(name, values)| {
        (
            name.clone(),
            serde_json::from_value(values.clone()).unwrap(),
        )
    })
    .collect()
}

fn check_keys(event: &Bytes, recorded: &str) {
    assert_eq!(keys(str::from_utf8(event).unwrap()), keys(recorded));
}

/// Checks the keys, their order, and all values except those at `redacted`.
fn check(event: &Bytes, recorded: &str, redacted: &[&str]) {
    check_keys(event, recorded);
    let [mut made, mut recorded] = [str::from_utf8(event).unwrap(), recorded]
        .map(|json| serde_json::from_str::<Value>(json).unwrap());
    for pointer in redacted {
        for event in [&mut made, &mut recorded] {
            *event.pointer_mut(pointer).unwrap() = Value::Null;
        }
    }
    assert_eq!(made, recorded);
}

const IDS: [&str; 3] = [
    "/requestContext/connectionId",
    "/requestContext/requestId",
    "/requestContext/extendedRequestId",
];

#[test]
fn a_message_event_matches_the_recorded_one() {
    let recorded = recorded!("02-message.aws-lambda-go");
    let inputs = Inputs::of(recorded);
    let id = Id::parse("R1knPc2ntjMCFIA=").unwrap();
    let Inputs {
        stage,
        caller,
        request,
        ..
    } = &inputs;
    let body = "{\r\n\t\"a\": 1\r\n}";
    check(
        &message(stage, caller, request, &id, "$default", body),
        recorded,
        &[],
    );
}

#[test]
fn disconnect_events_match_the_recorded_ones() {
    let made = |recorded: &str, code, reason: &str| {
        let Inputs {
            stage,
            caller,
            request,
            ..
        } = &Inputs::of(recorded);
        let closed = Closed {
            code,
            reason: reason.to_owned(),
            why: None,
        };
        disconnect(stage, caller, request, &closed)
    };
    let recorded = recorded!("01-disconnect-browser-tab-1001.aws-lambda-go");
    check(&made(recorded, 1001, ""), recorded, &[]);
    let recorded = recorded!("03-disconnect-1005.aws-docs.rust-runtime");
    let reason = "Client-side close frame status not set";
    check(&made(recorded, 1005, reason), recorded, &IDS);
}

#[test]
fn connect_events_match_the_recorded_ones() {
    let made = |recorded: &str| {
        let Inputs {
            stage,
            caller,
            request,
            upgrade,
        } = &Inputs::of(recorded);
        connect(stage, caller, request, upgrade)
    };
    // In this recording, the single value of one header is empty although its list is not.
    let recorded = recorded!("06-connect-2023.swift-aws-lambda-events");
    check(
        &made(recorded),
        recorded,
        &["/headers/Sec-WebSocket-Extensions"],
    );
    let recorded = recorded!("08-connect.aws-docs-2024");
    check(&made(recorded), recorded, &IDS);
    // The simulator does not support usage plans, so its events have no API key.
    let recorded = recorded!("04-connect-with-api-key.rust-runtime");
    let without_key: Vec<String> = keys(recorded)
        .into_iter()
        .filter(|key| !key.contains("identity/apiKey"))
        .collect();
    assert_eq!(keys(str::from_utf8(&made(recorded)).unwrap()), without_key);
}

#[test]
fn authorizer_events_match_the_recorded_ones() {
    let made = |recorded: &str| {
        let Inputs {
            stage,
            caller,
            request,
            upgrade,
        } = &Inputs::of(recorded);
        authorizer(stage, caller, request, upgrade)
    };
    let recorded = recorded!("11-authorizer-request.aws-docs-2023");
    let arn = ["/methodArn"];
    check(&made(recorded), recorded, &[&IDS[..], &arn].concat());

    // This recording was edited: its keys are in another order and include some of the invocation.
    let recorded = recorded!("05-authorizer-request-query.rust-runtime");
    let own: Vec<String> = keys(str::from_utf8(&made(recorded)).unwrap());
    let known = keys(recorded);
    let missing: Vec<&String> = own.iter().filter(|key| !known.contains(key)).collect();
    let hop = |key: &&&String| {
        ["Connection", "content-length", "Upgrade"]
            .iter()
            .any(|name| key.ends_with(name))
    };
    assert_eq!(
        missing.iter().filter(|key| !hop(key)).count(),
        0,
        "{missing:?}"
    );
}

#[test]
fn the_method_arn_names_the_connect_route() {
    let event = recorded!("08-connect.aws-docs-2024");
    let mut stage = Inputs::of(event).stage;
    stage.api_id = "s1u1ce0sim".to_owned();
    assert_eq!(
        stage.method_arn(),
        "arn:aws:execute-api:us-east-1:123456789012:s1u1ce0sim/prod/$connect"
    );
}

#[test]
fn a_repeated_query_parameter_has_its_last_value_and_the_list_of_all() {
    let mut inputs = Inputs::of(recorded!("08-connect.aws-docs-2024"));
    inputs.upgrade.query = vec![("a".to_owned(), vec!["1".to_owned(), "2".to_owned()])];
    let Inputs {
        stage,
        caller,
        request,
        upgrade,
    } = &inputs;
    let event: Value = serde_json::from_slice(&connect(stage, caller, request, upgrade)).unwrap();
    assert_eq!(event["queryStringParameters"], json!({"a": "2"}));
    assert_eq!(
        event["multiValueQueryStringParameters"],
        json!({"a": ["1", "2"]})
    );
}

#[test]
fn stage_variables_are_in_every_event() {
    let mut inputs = Inputs::of(recorded!("08-connect.aws-docs-2024"));
    inputs.stage.variables = BTreeMap::from([("colour".to_owned(), "blue".to_owned())]);
    let Inputs {
        stage,
        caller,
        request,
        upgrade,
    } = &inputs;
    let closed = Closed::deleted();
    for event in [
        connect(stage, caller, request, upgrade),
        message(stage, caller, request, &request.id, "a", ""),
        disconnect(stage, caller, request, &closed),
        authorizer(stage, caller, request, upgrade),
    ] {
        let keys = keys(str::from_utf8(&event).unwrap());
        let at = keys
            .iter()
            .position(|key| key == "stageVariables/colour")
            .unwrap();
        assert_eq!(keys[at + 1], "requestContext");
    }
}

#[test]
fn the_authorizers_response_follows_the_route_key_and_only_connect_has_its_latency() {
    let mut inputs = Inputs::of(recorded!("08-connect.aws-docs-2024"));
    inputs.caller.principal = Some(Box::new(Principal::Custom(Custom {
        principal_id: "me".to_owned(),
        context: vec![
            ("plan".to_owned(), Scalar::Text("free".to_owned())),
            ("age".to_owned(), Scalar::Bare("1.50".to_owned())),
        ],
        latency: 7,
    })));
    let Inputs {
        stage,
        caller,
        request,
        upgrade,
    } = &inputs;
    let check = |event: &Bytes, expected: &str| {
        let event = str::from_utf8(event).unwrap();
        let expected = format!(r#","authorizer":{{{expected}}},"#);
        assert!(event.contains(&expected), "{event}");
        let keys = keys(event);
        let at = keys
            .iter()
            .position(|key| key == "requestContext/authorizer")
            .unwrap();
        assert_eq!(keys[at - 1], "requestContext/routeKey");
    };
    let context = r#""plan":"free","age":1.50,"principalId":"me""#;
    check(
        &connect(stage, caller, request, upgrade),
        &format!(r#"{context},"integrationLatency":7"#),
    );
    check(
        &message(stage, caller, request, &request.id, "a", ""),
        context,
    );
    check(
        &disconnect(stage, caller, request, &Closed::deleted()),
        context,
    );
}

#[test]
fn the_identity_contains_the_iam_user() {
    let mut inputs = Inputs::of(recorded!("08-connect.aws-docs-2024"));
    inputs.caller.user_agent = Some("ws".to_owned());
    inputs.caller.principal = Some(Box::new(Principal::Iam(User {
        user_arn: "arn:aws:iam::123456789012:user/sluice",
        account_id: ACCOUNT_ID,
        id: "AIDA",
        access_key: "sluice",
    })));
    let Inputs {
        stage,
        caller,
        request,
        upgrade,
    } = &inputs;
    let expected = r#""identity":{"userArn":"arn:aws:iam::123456789012:user/sluice","accountId":"123456789012","caller":"AIDA","accessKey":"sluice","user":"AIDA","userAgent":"ws","sourceIp":"192.0.2.1"}"#;
    for event in [
        connect(stage, caller, request, upgrade),
        message(stage, caller, request, &request.id, "a", ""),
        disconnect(stage, caller, request, &Closed::deleted()),
    ] {
        let event = str::from_utf8(&event).unwrap();
        assert!(event.contains(expected), "{event}");
        assert!(!event.contains("authorizer"), "{event}");
    }
}

proptest::proptest! {
    #[test]
    fn connect_and_message_events_are_json_that_contains_their_inputs(body in ".*", name in ".{1,9}", value in ".*", agent in ".*") {
        let mut inputs = Inputs::of(recorded!("08-connect.aws-docs-2024"));
        inputs.upgrade.query = vec![(name.clone(), vec![value.clone()])];
        inputs.upgrade.headers = vec![(name.clone(), vec![String::new(), value.clone()])];
        inputs.caller.user_agent = Some(agent.clone());
        let Inputs { stage, caller, request, upgrade } = &inputs;
        let event = read(&message(stage, caller, request, &request.id, "a", &body));
        prop_assert_eq!(&event["body"], &json!(body));
        prop_assert_eq!(&event["requestContext"]["identity"]["userAgent"], &json!(agent));
        let event = read(&connect(stage, caller, request, upgrade));
        prop_assert_eq!(&event["headers"], &json!({name.as_str(): value}));
        prop_assert_eq!(&event["multiValueQueryStringParameters"], &json!({name.as_str(): [value]}));
        prop_assert_eq!(&event["requestContext"]["requestId"], &event["requestContext"]["extendedRequestId"]);
        prop_assert!(event.get("body").is_none());
    }

    #[test]
    fn a_disconnect_event_is_json_that_contains_its_inputs(code: u16, reason in ".*", host in ".*") {
        let mut inputs = Inputs::of(recorded!("08-connect.aws-docs-2024"));
        inputs.caller.domain_name.clone_from(&host);
        let Inputs { stage, caller, request, .. } = &inputs;
        let closed = Closed { code, reason: reason.clone(), why: None };
        let event = read(&disconnect(stage, caller, request, &closed));
        prop_assert_eq!(&event["requestContext"]["disconnectStatusCode"], &json!(code));
        prop_assert_eq!(&event["requestContext"]["disconnectReason"], &json!(reason));
        prop_assert_eq!(&event["headers"]["Host"], &json!(host));
        prop_assert_eq!(&event["multiValueHeaders"]["Host"], &json!([host]));
        prop_assert!(event.get("body").is_none());
    }

    #[test]
    fn an_authorizer_event_is_json_that_contains_its_inputs(name in "[^cCuU].{0,9}", value in ".*", colour in ".*") {
        let mut inputs = Inputs::of(recorded!("08-connect.aws-docs-2024"));
        inputs.stage.variables = BTreeMap::from([(name.clone(), colour.clone())]);
        inputs.upgrade.query = vec![(name.clone(), vec![String::new(), value.clone()])];
        inputs.upgrade.headers = vec![(name.clone(), vec![value.clone()])];
        let Inputs { stage, caller, request, upgrade } = &inputs;
        let event = read(&authorizer(stage, caller, request, upgrade));
        prop_assert_eq!(&event["queryStringParameters"], &json!({name.as_str(): value}));
        prop_assert_eq!(&event["multiValueQueryStringParameters"], &json!({name.as_str(): ["", value]}));
        prop_assert_eq!(&event["stageVariables"], &json!({name.as_str(): colour}));
        let mut headers = json!({"Connection": "upgrade", "content-length": "0", "Upgrade": "websocket"});
        headers[name.as_str()] = json!(value);
        prop_assert_eq!(&event["headers"], &headers);
    }

    #[test]
    fn events_contain_the_authorizers_response_as_json(
        principal_id in ".*",
        context in prop::collection::btree_map("[^pi].{0,9}", ".*", 0..4),
        number: i64,
        latency: u64,
    ) {
        let texts = context.iter().map(|(name, text)| (name.clone(), Scalar::Text(text.clone())));
        let bare = ("p".to_owned(), Scalar::Bare(number.to_string()));
        let mut inputs = Inputs::of(recorded!("08-connect.aws-docs-2024"));
        inputs.caller.principal = Some(Box::new(Principal::Custom(Custom {
            principal_id: principal_id.clone(),
            context: texts.chain([bare]).collect(),
            latency,
        })));
        let Inputs { stage, caller, request, upgrade } = &inputs;
        let mut expected = json!(context);
        expected["p"] = json!(number);
        expected["principalId"] = json!(principal_id);
        let later = [
            message(stage, caller, request, &request.id, "a", ""),
            disconnect(stage, caller, request, &Closed::deleted()),
        ];
        for event in later {
            prop_assert_eq!(&read(&event)["requestContext"]["authorizer"], &expected);
        }
        expected["integrationLatency"] = json!(latency);
        let event = read(&connect(stage, caller, request, upgrade));
        prop_assert_eq!(&event["requestContext"]["authorizer"], &expected);
    }
}

fn read(event: &Bytes) -> Value {
    serde_json::from_slice(event).unwrap()
}
