//! What is refused of the other sections.

use crate::tests::{QUOTES, read, refuse, refuse_section, with, with_route};

#[test]
fn an_authorizer_is_one_kind_with_known_identity_sources() {
    refuse_section(
        "authorizer: { type: JWT }",
        "authorizer.type: found `JWT`, expected `AWS_IAM`, or a `function` instead",
    );
    refuse_section(
        "authorizer: { type: AWS_IAM, function: f }",
        "authorizer.function: found a field beside `type`, expected `type` alone",
    );
    const SOURCE: &str = "expected `route.request.header.NAME`, `route.request.querystring.NAME`, `stageVariables.NAME` or `context.NAME`";
    for source in [
        "$request.header.a",
        "route.request.header.",
        "context.foo",
        "context.authorizer.a",
    ] {
        refuse_section(
            &format!("authorizer: {{ function: f, identitySource: [{source}] }}"),
            &format!("authorizer.identitySource[0]: found `{source}`, {SOURCE}"),
        );
    }
    refuse_section(
        "authorizer: { function: f, identitySource: [] }",
        "authorizer.identitySource: found an empty list, expected a list of identity sources",
    );
    refuse_section(
        "authorizer: { function: f, identitySource: [context.stage, context.stage] }",
        "authorizer.identitySource[1]: found `context.stage` a second time, expected every item once",
    );
}

#[test]
fn an_authorizer_needs_the_route_that_it_guards() {
    refuse_section(
        "authorizer: { type: AWS_IAM }",
        "authorizer: found no route `$connect`, expected one: without it there is nothing to authorize, and everybody could connect",
    );
}

#[test]
fn stage_variables_are_what_api_gateway_takes() {
    const VALUE: &str = "expected a value of letters, digits and `-._~:/?#&=,`";
    refuse_section(
        "stage: { variables: { a-b: c } }",
        "stage.variables.a-b: found a malformed name of a stage variable, expected letters, digits and `_`",
    );
    refuse_section(
        "stage: { variables: { a: 'b c' } }",
        &format!("stage.variables.a: found `b c`, {VALUE}"),
    );
    refuse_section(
        "stage: { variables: { a: '' } }",
        &format!("stage.variables.a: found an empty text, {VALUE}"),
    );
    refuse_section(
        "stage: { variables: { a: 5 } }",
        &format!("stage.variables.a: found the number `5`, {VALUE} {QUOTES}"),
    );
}

#[test]
fn an_environment_is_what_lambda_takes() {
    let refuse_environment = |environment: &str, expected: &str| {
        refuse_section(
            &format!("functions: {{ message: {{ environment: {{ {environment} }} }} }}"),
            &format!("functions.message.environment{expected}"),
        );
    };
    refuse_environment(
        "A-B: c",
        ".A-B: found a malformed name of an environment variable, expected a letter, then one or more letters, digits and `_`",
    );
    refuse_environment(
        "A: c",
        ".A: found a malformed name of an environment variable, expected a letter, then one or more letters, digits and `_`",
    );
    refuse_environment(
        "AWS_REGION: c",
        ".AWS_REGION: found a reserved environment variable, expected one that Lambda does not set itself",
    );
    refuse_environment(
        "LOG: on",
        ".LOG: found the boolean `on`, expected a text without NUL characters (text needs quotes here)",
    );
    refuse_environment(
        "LOG: \"\\0\"",
        ".LOG: found `\\u{0}`, expected a text without NUL characters",
    );
    let value = "v".repeat(4094);
    refuse_environment(
        &format!("LOG: {value}"),
        ": found 4097 bytes of names and values, expected at most 4096",
    );
}

#[test]
fn settings_of_a_function_that_nothing_names_are_refused() {
    refuse_section(
        "functions: { massage: {} }\nauthorizer: { function: guard }",
        "functions.massage: found a function that no route, authorizer or push names, expected one of guard, message",
    );
}

#[test]
fn push_reads_each_topic_once_and_never_its_dead_letters() {
    refuse_section(
        "push: { function: f, topics: [a, b, a] }",
        "push.topics[2]: found `a` a second time, expected every item once",
    );
    refuse_section(
        "push: { function: f, topics: [] }",
        "push.topics: found an empty list, expected a list of topics, at least one",
    );
    refuse_section(
        "push: { function: f, topics: [a, b], deadLetter: b }",
        "push.deadLetter: found `b`, a topic of `push.topics`, expected a topic that push does not read",
    );
    refuse_section(
        "push: { function: f, topics: [a], startingPosition: AT_TIMESTAMP }",
        "push.startingPosition: found `AT_TIMESTAMP`, expected `LATEST` or `TRIM_HORIZON`",
    );
    refuse(
        &with("push: { function: p, topics: [a] }\nfunctions: { p: { timeout: 841 } }"),
        ":5: functions.p.timeout: found the number `841`, expected at most 840 seconds for a function of `push`",
    );
}

#[test]
fn topics_that_differ_in_dots_and_underscores_only_are_refused() {
    const EXPECTED: &str =
        "expected topics that differ in more than `.` and `_` (these collide in Kafka)";
    refuse(
        &with_route(
            "a: { function: f, topic: a.b_c }\n  b: { function: f }\n  c:\n    function: f\n    topic: a_b.c",
        ),
        &format!(":7: routes.c.topic: found `a_b.c` beside `a.b_c`, {EXPECTED}"),
    );
    let with_push = |push: &str| {
        with(&format!(
            "  more: {{ function: f, topic: a.b }}\npush: {{ function: p, {push} }}"
        ))
    };
    refuse(
        &with_push("topics: [c, a_b]"),
        &format!(":5: push.topics[1]: found `a_b` beside `a.b`, {EXPECTED}"),
    );
    refuse(
        &with_push("topics: [c.d], deadLetter: c_d"),
        &format!(":5: push.deadLetter: found `c_d` beside `c.d`, {EXPECTED}"),
    );
    // One topic may be named often, and a hyphen is another character.
    read(&with_push("topics: [a.b, a-b], deadLetter: ab"));
}
