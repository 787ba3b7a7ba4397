//! Tests of formatted lines.

use std::collections::BTreeMap;

use super::*;
use crate::{
    event::{
        caller::{Caller, Request, Stage},
        principal::{Custom, Principal, Scalar},
    },
    id::Id,
    log::{
        entry::{Step, Steps},
        variables::Variables,
    },
};

/// The line of a message from an authorized client whose function failed.
fn check(format: &str) -> String {
    let stage = Stage {
        api_id: "s1u1ce0sim".into(),
        name: "dev".into(),
        variables: BTreeMap::new(),
    };
    let caller = Caller {
        connection_id: Id::parse("R1kmxc2VNjMCFIA=").unwrap(),
        connected_at: 1_705_751_697_419,
        domain_name: "localhost:3001".into(),
        source_ip: "127.0.0.1".into(),
        user_agent: Some("a \"browser\"\n".into()),
        principal: Some(Box::new(Principal::Custom(Custom {
            principal_id: "me".into(),
            context: vec![("plan".into(), Scalar::Text("free".into()))],
            latency: 7,
        }))),
    };
    let request = Request {
        id: Id::parse("R1knPH17NjMFftw=").unwrap(),
        at: 1_705_751_700_453,
    };
    let message_id = Id::parse("R1knPc2ntjMCFIA=").unwrap();
    let steps = Steps {
        integration: Step {
            status: None,
            integration_status: Some(200),
            latency: Some(12),
            error: Some("Runtime.ExitError".into()),
            invocation: None,
        },
        ..Steps::default()
    };
    let entry = Entry {
        variables: Variables {
            stage: &stage,
            caller: &caller,
            request: &request,
            event_type: "MESSAGE",
            route_key: Some("$default"),
            message_id: Some(&message_id),
        },
        status: 500,
        error: Some("Internal server error"),
        steps: &steps,
    };
    let line = format.parse::<Format>().unwrap().line(&entry);
    line.strip_suffix('\n').unwrap().to_owned()
}

#[test]
fn every_variable_has_its_value() {
    for (variable, value) in [
        ("apiId", "s1u1ce0sim"),
        ("authorizer.integrationLatency", "7"),
        ("authorizer.plan", "free"),
        ("authorizer.principalId", "me"),
        ("connectedAt", "1705751697419"),
        ("connectionId", "R1kmxc2VNjMCFIA="),
        ("domainName", "localhost:3001"),
        ("error.message", "Internal server error"),
        ("error.messageString", "\"Internal server error\""),
        ("error.responseType", "INTEGRATION_FAILURE"),
        ("eventType", "MESSAGE"),
        ("extendedRequestId", "R1knPH17NjMFftw="),
        ("identity.sourceIp", "127.0.0.1"),
        ("identity.userAgent", "a \\\"browser\\\"\\u000a"),
        ("integration.error", "Runtime.ExitError"),
        ("integration.integrationStatus", "200"),
        ("integration.latency", "12"),
        ("integrationLatency", "12"),
        ("messageId", "R1knPc2ntjMCFIA="),
        ("requestId", "R1knPH17NjMFftw="),
        ("requestTime", "20/Jan/2024:11:55:00 +0000"),
        ("requestTimeEpoch", "1705751700453"),
        ("routeKey", "$default"),
        ("stage", "dev"),
        ("status", "500"),
    ] {
        assert_eq!(
            check(&format!("<$context.{variable}>")),
            format!("<{value}>"),
            "{variable}"
        );
    }
}

#[test]
fn a_variable_without_a_value_is_a_hyphen() {
    for variable in [
        "authenticate.status",
        "authorize.error",
        "authorizer.other",
        "authorizer.status",
        "error.validationErrorString",
        "identity.apiKey",
        "identity.user",
        "integration.status",
        "nothing",
        "waf.latency",
    ] {
        assert_eq!(
            check(&format!("<$context.{variable}>")),
            "<->",
            "{variable}"
        );
    }
}

#[test]
fn the_default_format_is_one_json_object() {
    let line = check(FORMAT_DEFAULT);
    let json: BTreeMap<String, String> = serde_json::from_str(&line).unwrap();
    for (name, value) in [
        ("eventType", "MESSAGE"),
        ("status", "500"),
        ("caller", "-"),
        ("principalId", "me"),
        ("error", "Internal server error"),
    ] {
        assert_eq!(json[name], value, "{name}");
    }
}
