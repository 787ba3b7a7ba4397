//! What Lambda and its functions log, as it comes out on the simulator's standard error.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use tests::client::Client;
use tests::simulator::{Launch, Simulator};
use tests::wait::eventually;

use crate::routes::check_frame;

const CONTRACT: &str = "
routeSelectionExpression: $request.body.action
routes:
  $default: { function: scripted, routeResponse: true }
functions: { scripted: { timeout: 3, reservedConcurrentExecutions: 1 } }
";

/// The longest line that is not cut, as in CloudWatch Logs.
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

/// All lines of a request, once it is reported.
async fn lines(simulator: &Simulator, request: &Value) -> Vec<String> {
    let prefix = format!("scripted 0 {} | ", request.as_str().unwrap());
    eventually("a report", async || {
        let stderr = simulator.stderr();
        let lines = stderr.lines().filter_map(|line| line.strip_prefix(&prefix));
        let lines: Vec<String> = lines.map(str::to_owned).collect();
        let is_last =
            |line: &String| line.starts_with("REPORT") || line.contains("platform.report");
        lines.iter().any(is_last).then_some(lines)
    })
    .await
}

/// The fields of a report, by name: `Duration: 1.00 ms` and so on, between tabs.
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
    // Both are rounded to two digits.
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
async fn only_a_cold_start_has_an_init() {
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
async fn in_json_the_lines_are_lambdas_events() {
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

/// The lines between START and END of an invocation that prints these bytes.
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
async fn what_a_function_prints_comes_line_by_line_with_its_request() {
    assert_eq!(printed(b"one\n\ntwo | 2\r\n").await, ["one", "", "two | 2"]);
}

#[tokio::test]
async fn what_is_no_text_is_printed_as_far_as_it_is() {
    assert_eq!(printed(b"a\xffb\n").await, ["a\u{fffd}b"]);
}

#[tokio::test]
async fn a_flood_of_lines_stalls_nobody_and_a_long_line_is_cut() {
    let (simulator, mut client) = connected("Text").await;
    let request = client.ask(r#"{"do":"flood","lines":100000}"#).await["request"].take();
    let lines = lines(&simulator, &request).await;
    let printed = lines.iter().filter(|line| line.starts_with("line "));
    assert_eq!(printed.count(), 100_000);
    client.ask(r#"{"do":"line","bytes":300000}"#).await;
    eventually("a long line in two pieces", async || {
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
async fn where_nobody_reads_a_flood_and_complaints_stall_nobody() {
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
    // The gateway says of each that it has failed.
    for _ in 0..10 {
        client.send(r#"{"do":"fail"}"#).await;
        check_frame(&client.next().await, "Internal server error");
    }
    let mut other = Client::connect(&simulator.websocket).await;
    let answer = other.ask(r#"{"action":"other","do":"echo"}"#).await;
    assert!(answer["pid"].is_u64(), "{answer}");
    simulator.stop().await;
    drop(unread);
}
