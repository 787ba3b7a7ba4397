//! The log lines of Lambda and of functions on the simulator's standard error.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use tests::{
    client::Client,
    simulator::{Launch, Simulator},
    wait::eventually,
};

use crate::routes::check_error_frame;

const CONTRACT: &str = "
routeSelectionExpression: $request.body.action
routes:
  $default: { function: scripted, routeResponse: true }
functions: { scripted: { timeout: 3, reservedConcurrentExecutions: 1 } }
";

/// Longer lines are split, as in CloudWatch Logs.
const LINE_BYTES_MAX: usize = 256 << 10;

async fn connected(format: &str) -> (Simulator, Client) {
    let launch = Launch::default()
        .contract(CONTRACT)
        .function("scripted", "scripted.py")
        .env("AWS_LAMBDA_LOG_FORMAT", format);
    let simulator = launch.start(&[]).await;
    let client = Client::connect(&simulator.websocket).await;
    (simulator, client)
}

/// Waits for the report of a request, and returns all of its log lines.
async fn lines(simulator: &Simulator, request: &Value) -> Vec<String> {
    let prefix = format!("scripted 0 {} | ", request.as_str().unwrap());
    eventually("the report of the request", async || {
        let stderr = simulator.stderr();
        let lines = stderr.lines().filter_map(|line| line.strip_prefix(&prefix));
        let lines: Vec<String> = lines.map(str::to_owned).collect();
        let is_last =
            |line: &String| line.starts_with("REPORT") || line.contains("platform.report");
        lines.iter().any(is_last).then_some(lines)
    })
    .await
}

/// Parses the tab-separated fields of a report, such as `Duration: 1.00 ms`.
fn fields(report: &str) -> BTreeMap<&str, &str> {
    let report = report.strip_prefix("REPORT ").unwrap();
    report
        .split('\t')
        .map(|field| field.split_once(": ").unwrap())
        .collect()
}

fn milliseconds(fields: &BTreeMap<&str, &str>, name: &str) -> f64 {
    let value = fields[name].strip_suffix(" ms").unwrap();
    value.parse().unwrap()
}

#[tokio::test]
async fn an_invocation_is_logged_as_on_lambda() {
    let (simulator, mut client) = connected("Text").await;
    let request = client.ask(r#"{"do":"echo"}"#).await["request"].take();
    let id = request.as_str().unwrap();
    let lines = lines(&simulator, &request).await;
    assert_eq!(lines[0], format!("START RequestId: {id} Version: $LATEST"));
    assert_eq!(lines[1], format!("END RequestId: {id}"));
    assert_eq!(lines.len(), 3);
    let fields = fields(&lines[2]);
    assert_eq!(fields["RequestId"], id);
    assert_eq!(fields["Memory Size"], "256 MB");
    let used: u64 = fields["Max Memory Used"]
        .strip_suffix(" MB")
        .unwrap()
        .parse()
        .unwrap();
    assert!((1..200).contains(&used), "{used}");
    let [duration, init, billed] =
        ["Duration", "Init Duration", "Billed Duration"].map(|name| milliseconds(&fields, name));
    // The billed duration is rounded up, and the others have two decimals.
    assert!(
        (0.0..1.01).contains(&(billed - duration - init)),
        "{fields:?}"
    );
    let stderr = simulator.stderr();
    assert!(
        stderr.contains("scripted 0 - | INIT_START Runtime Version: "),
        "{stderr}"
    );
    simulator.stop().await;
}

#[tokio::test]
async fn only_a_cold_start_reports_an_init_duration() {
    let (simulator, mut client) = connected("Text").await;
    client.ask(r#"{"do":"echo"}"#).await;
    let request = client.ask(r#"{"do":"echo"}"#).await["request"].take();
    let lines = lines(&simulator, &request).await;
    assert!(
        !fields(&lines[2]).contains_key("Init Duration"),
        "{lines:?}"
    );
    simulator.stop().await;
}

#[tokio::test]
async fn with_log_format_json_the_lines_are_platform_events() {
    let (simulator, mut client) = connected("JSON").await;
    let request = client.ask(r#"{"do":"echo"}"#).await["request"].take();
    let lines = lines(&simulator, &request).await;
    let events: Vec<Value> = lines
        .iter()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let types: Vec<&Value> = events.iter().map(|event| &event["type"]).collect();
    assert_eq!(types, ["platform.start", "platform.report"]);
    let record = &events[1]["record"];
    assert_eq!(record["requestId"], request);
    assert_eq!(record["status"], "success");
    assert!(record["metrics"]["initDurationMs"].is_f64(), "{record}");
    simulator.stop().await;
}

/// Runs an invocation that prints these bytes, and returns its lines between START and END.
async fn printed(bytes: &[u8]) -> Vec<String> {
    let (simulator, mut client) = connected("Text").await;
    let message = json!({"do": "print", "with": bytes}).to_string();
    let request = client.ask(&message).await["request"].take();
    let mut lines = lines(&simulator, &request).await;
    simulator.stop().await;
    lines.truncate(lines.len() - 2);
    lines.split_off(1)
}

#[tokio::test]
async fn printed_lines_are_logged_with_their_request() {
    assert_eq!(printed(b"one\n\ntwo | 2\r\n").await, ["one", "", "two | 2"]);
}

#[tokio::test]
async fn printed_invalid_utf8_is_replaced() {
    assert_eq!(printed(b"a\xffb\n").await, ["a\u{fffd}b"]);
}

#[tokio::test]
async fn a_flood_of_lines_is_logged_whole_and_a_long_line_is_split() {
    let (simulator, mut client) = connected("Text").await;
    let request = client.ask(r#"{"do":"flood","lines":100000}"#).await["request"].take();
    let lines = lines(&simulator, &request).await;
    let printed = lines.iter().filter(|line| line.starts_with("line "));
    assert_eq!(printed.count(), 100_000);
    client.ask(r#"{"do":"line","bytes":300000}"#).await;
    eventually("the long line is split", async || {
        let stderr = simulator.stderr();
        let longest = stderr.lines().map(str::len).max()?;
        (LINE_BYTES_MAX..LINE_BYTES_MAX + 80_000)
            .contains(&longest)
            .then_some(())
    })
    .await;
    simulator.stop().await;
}

#[tokio::test]
async fn a_flood_stalls_nothing_while_stderr_is_not_read() {
    let (unread, stderr) = std::io::pipe().unwrap();
    let contract = CONTRACT.replace(
        "  $default",
        "  other: { function: other, routeResponse: true }\n  $default",
    );
    let launch = Launch::default()
        .contract(&contract)
        .function("scripted", "scripted.py")
        .function("other", "scripted.py")
        .stderr(stderr);
    let simulator = launch.start(&[]).await;
    let mut client = Client::connect(&simulator.websocket).await;
    client.ask(r#"{"do":"flood","lines":200000}"#).await;
    // The gateway logs each of these failures.
    for _ in 0..10 {
        client.send(r#"{"do":"fail"}"#).await;
        check_error_frame(&client.next().await, "Internal server error");
    }
    let mut other = Client::connect(&simulator.websocket).await;
    let answer = other.ask(r#"{"action":"other","do":"echo"}"#).await;
    assert!(answer["pid"].is_u64(), "{answer}");
    simulator.stop().await;
    drop(unread);
}
