//! The access log: one line for every connect, message and disconnect.

use std::{fs, path::Path};

use serde_json::Value;
use tests::{client::Client, simulator::Launch, wait::eventually};

/// Waits until the file has at least `count` complete lines, and returns them.
async fn lines(path: &Path, count: usize) -> Vec<String> {
    eventually(
        &format!("{count} lines in {}", path.display()),
        async || {
            let text = fs::read_to_string(path).unwrap_or_default();
            let lines: Vec<String> = text.lines().map(str::to_owned).collect();
            (lines.len() >= count && text.ends_with('\n')).then_some(lines)
        },
    )
    .await
}

#[tokio::test]
async fn every_event_is_one_json_object() {
    let files = tempfile::TempDir::new().unwrap();
    let path = files.path().join("access.log");
    let launch = Launch::default().option("--access-log", path.to_str().unwrap());
    let simulator = launch.start(&[]).await;
    let mut client = Client::connect(&simulator.websocket).await;
    assert_eq!(
        client.ask("{\"action\":\"chat\",\"id\":1}").await["type"],
        "ack"
    );
    client.close(1000, "").await;
    let lines = lines(&path, 3).await;
    let lines: Vec<Value> = lines
        .iter()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    for (line, (event_type, route_key)) in lines.iter().zip([
        ("CONNECT", "$connect"),
        ("MESSAGE", "chat"),
        ("DISCONNECT", "$disconnect"),
    ]) {
        assert_eq!(line["eventType"], event_type);
        assert_eq!(line["routeKey"], route_key);
        assert_eq!(line["status"], "200");
        assert_eq!(line["integrationStatus"], "200");
        assert_eq!(line["ip"], "127.0.0.1");
        assert_eq!(line["error"], "-");
        assert_eq!(line["connectionId"], lines[0]["connectionId"]);
        let latency = line["integrationLatency"].as_str().unwrap();
        assert!(latency.parse::<u64>().is_ok(), "{line}");
    }
    simulator.stop().await;
}

#[tokio::test]
async fn a_custom_format_can_log_the_error_message() {
    let files = tempfile::TempDir::new().unwrap();
    let path = files.path().join("access.log");
    let contract = "
routeSelectionExpression: $request.body.action
routes:
  chat: { function: message, topic: chat, routeResponse: true }
";
    let format = "$context.eventType $context.routeKey $context.status $context.error.messageString $context.nothing.";
    let simulator = Launch::default()
        .contract(contract)
        .option("--access-log", path.to_str().unwrap())
        .option("--access-log-format", format)
        .start(&[])
        .await;
    let mut client = Client::connect(&simulator.websocket).await;
    client.send("hi").await;
    client.next().await;
    client.close(1000, "").await;
    assert_eq!(
        lines(&path, 3).await,
        [
            "CONNECT $connect 200 - -.",
            "MESSAGE - 403 \"Forbidden\" -.",
            "DISCONNECT $disconnect 200 - -.",
        ]
    );
    simulator.stop().await;
}

#[tokio::test]
async fn an_invalid_log_path_or_format_fails_the_start() {
    let start = async |path: &str, format: &str| {
        let launch = Launch::default().option("--access-log", path);
        let refusal = launch
            .option("--access-log-format", format)
            .refusal(&[])
            .await;
        refusal.stderr
    };
    let stderr = start("/nowhere/access.log", "$context.status").await;
    assert!(
        stderr.contains("--access-log: cannot open /nowhere/access.log"),
        "{stderr}"
    );
    let stderr = start("-", "a $context. b").await;
    assert!(
        stderr.contains("no variable name after `$context.` in `$context. b`"),
        "{stderr}"
    );
}
