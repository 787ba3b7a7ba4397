//! What the README has a new user type does what it says.

#[cfg(feature = "kcat")]
use std::process::Stdio;

#[cfg(feature = "curl")]
use serde_json::Value;
use tests::client::Client;
use tests::duplex::{Topics, connected};
use tests::readme;
use tests::simulator::{Launch, Simulator};
use tests::wait::within;
#[cfg(feature = "curl")]
use tokio::io::AsyncReadExt;
#[cfg(feature = "kcat")]
use tokio::io::AsyncWriteExt;

/// The simulator of the quick start, and who is connected.
async fn start() -> (Simulator, Client, String) {
    let simulator = Launch::default().start(&[]).await;
    let (client, id) = connected(&simulator, &Topics::prefixed(""), "a").await;
    (simulator, client, id)
}

/// The output of a command that ends well.
async fn run(beginning: &str, simulator: &Simulator, id: &str) -> String {
    let mut shell = readme::shell(beginning, simulator, id);
    let output = within("the command's end", shell.output()).await.unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{beginning}: {stderr}");
    String::from_utf8(output.stdout).unwrap()
}

#[cfg(feature = "kcat")]
#[tokio::test]
async fn a_line_that_is_typed_appears_in_the_browser_at_once() {
    let (simulator, mut client, id) = start().await;
    let listed = run("kcat -b 127.0.0.1:9092 -t ws.connections", &simulator, &id).await;
    assert_eq!(listed.trim_end(), id);
    let mut shell = readme::shell("while read", &simulator, &id);
    let mut typing = shell.stdin(Stdio::piped()).spawn().unwrap();
    // It stays open: who types does not press Ctrl-D after every line.
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
async fn curl_signs_a_post() {
    let (simulator, mut client, id) = start().await;
    let answer = run("curl --aws-sigv4", &simulator, &id).await;
    assert_eq!(answer, "");
    assert_eq!(client.next().await, "hello");
    simulator.stop().await;
}

#[cfg(feature = "curl")]
#[tokio::test]
async fn every_line_about_the_console_can_be_pasted_one_after_the_other() {
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
            within("the stream", stdout.read_exact(&mut begun))
                .await
                .unwrap();
            assert_eq!(&begun, b":\n\n");
            continue;
        }
        let output = within(line, shell.output()).await.unwrap();
        let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert!(answer.is_object(), "{line}: {answer}");
        // That is why something is refused.
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
            "no line for {name}"
        );
    }
    simulator.stop().await;
}
