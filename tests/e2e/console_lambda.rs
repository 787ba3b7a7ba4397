//! Environments that are ended and frozen by the console while they run a function that is told what to do.

use std::fs;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tests::client::Client;
use tests::process::Process;
use tests::simulator::{Launch, Simulator};
use tests::wait::eventually;

use crate::routes::check_frame;

const CONTRACT: &str = "
routeSelectionExpression: $request.body.action
routes:
  $default: { function: scripted, routeResponse: true }
functions: { scripted: { timeout: 20 } }
";

/// How long a test looks at a process.
const LOOK: Duration = Duration::from_millis(300);

async fn connected(contract: &str) -> (Simulator, Client) {
    let launch = Launch::default().contract(contract);
    let simulator = launch.function("scripted", "scripted.py").start(&[]).await;
    let client = Client::connect(&simulator.websocket).await;
    (simulator, client)
}

/// The environment that is busy, as soon as there is one.
async fn busy(simulator: &Simulator) -> Value {
    eventually("a busy environment", async || {
        let shown = simulator.look("/api/environments").await["environments"].take();
        let mut all = shown.as_array().unwrap().iter();
        all.find(|it| it["state"] == "busy").cloned()
    })
    .await
}

fn path(environment: &Value) -> String {
    format!("/api/environments/{}", environment["id"].as_str().unwrap())
}

fn process(simulator: &Simulator, environment: &Value) -> Process {
    let mut processes = simulator.processes();
    processes.retain(|it| environment["processId"] == it.pid);
    processes.remove(0)
}

/// Waits until a process has had some time.
async fn runs(process: &Process) {
    let before = process.ticks();
    eventually("some time for it", async || {
        (process.ticks() > before + 5).then_some(())
    })
    .await;
}

#[tokio::test]
async fn an_environment_that_is_ended_in_mid_invocation_is_an_internal_server_error() {
    let (simulator, mut client) = connected(CONTRACT).await;
    client.send(r#"{"do":"hang"}"#).await;
    let environment = busy(&simulator).await;
    let request = environment["requestIds"][0].clone();
    let process = process(&simulator, &environment);
    simulator
        .act(&path(&environment), json!({"action": "end"}))
        .await;
    check_frame(&client.next().await, "Internal server error");
    let then = client.ask(r#"{"do":"echo"}"#).await;
    assert!(then["pid"].is_u64() && then["pid"] != process.pid, "{then}");
    assert!(!process.is_alive());
    let shown = simulator.look("/api/invocations").await;
    let mut invocations = shown["invocations"].as_array().unwrap().iter();
    let ended = invocations.find(|it| it["requestId"] == request).unwrap();
    assert_eq!(ended["error"]["errorType"], "Runtime.ExitError");
    assert!(ended.get("reply").is_none(), "{ended}");
    // The next one runs in an environment that is new as well.
    assert_eq!(
        busy_once(&simulator, &then).await["environment"],
        "scripted-1"
    );
    simulator.stop().await;
}

#[tokio::test]
async fn an_environment_with_an_extension_is_ended_as_suddenly() {
    let (simulator, mut client) = connected(CONTRACT).await;
    let files = tempfile::TempDir::new().unwrap();
    let last_will = files.path().join("last will");
    client
        .ask(&json!({"do": "register", "path": last_will}).to_string())
        .await;
    client.send(r#"{"do":"hang"}"#).await;
    let environment = busy(&simulator).await;
    let process = process(&simulator, &environment);
    simulator
        .act(&path(&environment), json!({"action": "end"}))
        .await;
    check_frame(&client.next().await, "Internal server error");
    assert!(!process.is_alive());
    assert!(!last_will.exists(), "it was told before");
    simulator.stop().await;
}

/// The invocation of an answer.
async fn busy_once(simulator: &Simulator, answer: &Value) -> Value {
    eventually("an invocation that is over", async || {
        let shown = simulator.look("/api/invocations").await["invocations"].take();
        let mut all = shown.as_array().unwrap().iter();
        all.find(|it| it["requestId"] == answer["request"]).cloned()
    })
    .await
}

#[tokio::test]
async fn a_busy_environment_that_is_frozen_gets_no_time_until_it_is_thawed() {
    let (simulator, mut client) = connected(CONTRACT).await;
    let files = tempfile::TempDir::new().unwrap();
    let go = files.path().join("go");
    client
        .send(&json!({"do": "spin", "path": go}).to_string())
        .await;
    let environment = busy(&simulator).await;
    let process = process(&simulator, &environment);
    runs(&process).await;
    let frozen = simulator
        .act(&path(&environment), json!({"action": "freeze"}))
        .await;
    assert_eq!(
        (&frozen["state"], &frozen["stopped"]),
        (&json!("busy"), &json!(true))
    );
    eventually("a stopped process", async || {
        process.is_stopped().then_some(())
    })
    .await;
    let (before, since) = (process.ticks(), Instant::now());
    eventually("some time", async || {
        assert!(process.is_stopped());
        (since.elapsed() > LOOK).then_some(())
    })
    .await;
    assert_eq!(process.ticks(), before, "it was given time");
    let thawed = simulator
        .act(&path(&environment), json!({"action": "thaw"}))
        .await;
    assert_eq!(
        (&thawed["state"], &thawed["stopped"]),
        (&json!("busy"), &json!(false))
    );
    runs(&process).await;
    fs::write(&go, "").unwrap();
    assert_eq!(client.next_json().await["pid"], process.pid);
    simulator.stop().await;
}

#[tokio::test]
async fn a_frozen_environments_invocation_ends_with_its_timeout() {
    let brief = CONTRACT.replace("timeout: 20", "timeout: 1");
    let (simulator, mut client) = connected(&brief).await;
    client.ask(r#"{"do":"echo"}"#).await;
    simulator.idle("scripted-0").await;
    simulator
        .act("/api/environments/scripted-0", json!({"action": "freeze"}))
        .await;
    client.send(r#"{"do":"echo"}"#).await;
    check_frame(&client.next().await, "Internal server error");
    simulator.says("Task timed out after 1.00 seconds").await;
    assert!(client.ask(r#"{"do":"echo"}"#).await["pid"].is_u64());
    simulator.stop().await;
}

#[tokio::test]
async fn replies_errors_and_what_is_printed_are_shown_as_they_are() {
    // In one environment, so that they are over in this order.
    let one = CONTRACT.replace("timeout: 20", "reservedConcurrentExecutions: 1");
    let (simulator, mut client) = connected(&one).await;
    let bytes = b"one\ntwo\n";
    client
        .ask(&json!({"do": "print", "with": bytes}).to_string())
        .await;
    client.send(r#"{"do":"reply","with":"no {JSON}"}"#).await;
    check_frame(&client.next().await, "Internal server error");
    client.send(r#"{"do":"fail"}"#).await;
    check_frame(&client.next().await, "Internal server error");
    let shown = eventually("three invocations", async || {
        let shown = simulator.look("/api/invocations").await["invocations"].take();
        (shown.as_array().unwrap().len() == 3).then_some(shown)
    })
    .await;
    assert_eq!(shown[1]["reply"], "no {JSON}");
    let error = json!({"errorType": "Told", "errorMessage": "told to fail"});
    assert_eq!(shown[0]["error"], error);
    assert!(shown[0].get("record").is_none(), "{shown}");
    assert_eq!(shown[2]["log"], json!(["one", "two"]));
    simulator.stop().await;
}
