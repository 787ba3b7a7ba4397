//! The commands in the README do what it says.

#[cfg(feature = "kcat")]
use std::process::Stdio;

#[cfg(feature = "curl")]
use serde_json::Value;
use tests::{
    client::Client,
    duplex::{Topics, connected},
    readme,
    simulator::{Launch, Simulator},
    wait::within,
};
#[cfg(feature = "curl")]
use tokio::io::AsyncReadExt;
#[cfg(feature = "kcat")]
use tokio::io::AsyncWriteExt;

/// Returns the simulator of the quick start, a connected client and its connection id.
async fn start() -> (Simulator, Client, String) {
    let simulator = Launch::default().start(&[]).await;
    let (client, id) = connected(&simulator, &Topics::prefixed(""), "a").await;
    (simulator, client, id)
}

/// Runs the README's command that starts with `beginning`, and returns its output.
async fn run(beginning: &str, simulator: &Simulator, id: &str) -> String {
    let mut shell = readme::shell(beginning, simulator, id);
    let output = within("the command exits", shell.output()).await.unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{beginning}: {stderr}");
    String::from_utf8(output.stdout).unwrap()
}

#[cfg(feature = "kcat")]
#[tokio::test]
async fn a_typed_line_reaches_the_client_at_once() {
    let (simulator, mut client, id) = start().await;
    let listed = run("kcat -b 127.0.0.1:9092 -t ws.connections", &simulator, &id).await;
    assert_eq!(listed.trim_end(), id);
    let mut shell = readme::shell("while read", &simulator, &id);
    let mut typing = shell.stdin(Stdio::piped()).spawn().unwrap();
    // Standard input stays open, as for a user who does not press Ctrl-D after every line.
    let keyboard = typing.stdin.as_mut().unwrap();
    for line in ["hello", "two words"] {
        keyboard
            .write_all(format!("{line}\n").as_bytes())
            .await
            .unwrap();
        assert_eq!(client.next().await, line);
    }
    run("echo hello", &simulator, &id).await;
    assert_eq!(client.next().await, "hello");
    simulator.stop().await;
}

#[cfg(feature = "curl")]
#[tokio::test]
async fn the_curl_command_signs_a_post() {
    let (simulator, mut client, id) = start().await;
    let answer = run("curl --aws-sigv4", &simulator, &id).await;
    assert_eq!(answer, "");
    assert_eq!(client.next().await, "hello");
    simulator.stop().await;
}

#[cfg(feature = "curl")]
#[tokio::test]
async fn the_console_commands_work_one_after_the_other() {
    let simulator = Launch::default().start(&[]).await;
    let mut client = Client::connect(&simulator.websocket).await;
    client.ask("hello").await;
    let id = simulator.connection_ids().await.remove(0);
    let lines = readme::console();
    for line in &lines {
        let mut shell = readme::paste(line, &simulator, &id);
        if line.contains("/api/stream") {
            let mut stream = shell.spawn().unwrap();
            let mut begun = [0; 3];
            let stdout = stream.stdout.as_mut().unwrap();
            within("the stream begins", stdout.read_exact(&mut begun))
                .await
                .unwrap();
            assert_eq!(&begun, b":\n\n");
            continue;
        }
        let output = within(line, shell.output()).await.unwrap();
        let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert!(answer.is_object(), "{line}: {answer}");
        // Only refusals have a message.
        assert_eq!(answer.get("message"), None, "{line}");
    }
    for name in [
        "connections",
        "environments",
        "faults",
        "invocations",
        "reset",
        "stream",
        "time",
    ] {
        let path = format!("/api/{name}");
        assert!(
            lines.iter().any(|it| it.contains(&path)),
            "the README has no command for {path}"
        );
    }
    simulator.stop().await;
}
