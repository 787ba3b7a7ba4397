//! Ending and freezing environments with the console while they run a scripted function.

use std::{
    fs,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use tests::{
    client::Client,
    process::Process,
    simulator::{Launch, Simulator},
    wait::eventually,
};

use crate::routes::check_error_frame;

const CONTRACT: &str = "
routeSelectionExpression: $request.body.action
routes:
  $default: { function: scripted, routeResponse: true }
functions: { scripted: { timeout: 20 } }
";

/// How long a test watches a frozen process.
const FROZEN_FOR: Duration = Duration::from_millis(300);

async fn connected(contract: &str) -> (Simulator, Client) {
    let launch = Launch::default().contract(contract);
    let simulator = launch.function("scripted", "scripted.py").start(&[]).await;
    let client = Client::connect(&simulator.websocket).await;
    (simulator, client)
}

/// Waits for a busy environment.
async fn busy_environment(simulator: &Simulator) -> Value {
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

/// Waits until a process has used some CPU time.
async fn uses_cpu(process: &Process) {
    let before = process.ticks();
    eventually("the process uses CPU time", async || {
        (process.ticks() > before + 5).then_some(())
    })
    .await;
}

#[tokio::test]
async fn ending_a_busy_environment_fails_its_invocation() {
    let (simulator, mut client) = connected(CONTRACT).await;
    client.send(r#"{"do":"hang"}"#).await;
    let environment = busy_environment(&simulator).await;
    let request = environment["requestIds"][0].clone();
    let process = process(&simulator, &environment);
    simulator
        .act(&path(&environment), json!({"action": "end"}))
        .await;
    check_error_frame(&client.next().await, "Internal server error");
    let then = client.ask(r#"{"do":"echo"}"#).await;
    assert!(then["pid"].is_u64() && then["pid"] != process.pid, "{then}");
    assert!(!process.is_alive());
    let shown = simulator.look("/api/invocations").await;
    let mut invocations = shown["invocations"].as_array().unwrap().iter();
    let ended = invocations.find(|it| it["requestId"] == request).unwrap();
    assert_eq!(ended["error"]["errorType"], "Runtime.ExitError");
    assert!(ended.get("reply").is_none(), "{ended}");
    // The next invocation ran in a new environment.
    assert_eq!(
        invocation_of(&simulator, &then).await["environment"],
        "scripted-1"
    );
    simulator.stop().await;
}

#[tokio::test]
async fn an_environment_with_an_extension_is_ended_without_sigterm() {
    let (simulator, mut client) = connected(CONTRACT).await;
    let files = tempfile::TempDir::new().unwrap();
    let last_will = files.path().join("last will");
    client
        .ask(&json!({"do": "register", "path": last_will}).to_string())
        .await;
    client.send(r#"{"do":"hang"}"#).await;
    let environment = busy_environment(&simulator).await;
    let process = process(&simulator, &environment);
    simulator
        .act(&path(&environment), json!({"action": "end"}))
        .await;
    check_error_frame(&client.next().await, "Internal server error");
    assert!(!process.is_alive());
    assert!(!last_will.exists(), "the function got SIGTERM");
    simulator.stop().await;
}

/// Waits until the invocation that gave `answer` is in the history, and returns it.
async fn invocation_of(simulator: &Simulator, answer: &Value) -> Value {
    eventually("the invocation is in the history", async || {
        let shown = simulator.look("/api/invocations").await["invocations"].take();
        let mut all = shown.as_array().unwrap().iter();
        all.find(|it| it["requestId"] == answer["request"]).cloned()
    })
    .await
}

#[tokio::test]
async fn a_frozen_busy_environment_uses_no_cpu_until_it_is_thawed() {
    let (simulator, mut client) = connected(CONTRACT).await;
    let files = tempfile::TempDir::new().unwrap();
    let go = files.path().join("go");
    client
        .send(&json!({"do": "spin", "path": go}).to_string())
        .await;
    let environment = busy_environment(&simulator).await;
    let process = process(&simulator, &environment);
    uses_cpu(&process).await;
    let frozen = simulator
        .act(&path(&environment), json!({"action": "freeze"}))
        .await;
    assert_eq!(
        (&frozen["state"], &frozen["stopped"]),
        (&json!("busy"), &json!(true))
    );
    eventually("the process is stopped", async || {
        process.is_stopped().then_some(())
    })
    .await;
    let (before, since) = (process.ticks(), Instant::now());
    eventually("the process was watched long enough", async || {
        assert!(process.is_stopped());
        (since.elapsed() > FROZEN_FOR).then_some(())
    })
    .await;
    assert_eq!(process.ticks(), before, "the frozen process ran");
    let thawed = simulator
        .act(&path(&environment), json!({"action": "thaw"}))
        .await;
    assert_eq!(
        (&thawed["state"], &thawed["stopped"]),
        (&json!("busy"), &json!(false))
    );
    uses_cpu(&process).await;
    fs::write(&go, "").unwrap();
    assert_eq!(client.next_json().await["pid"], process.pid);
    simulator.stop().await;
}

#[tokio::test]
async fn the_invocation_of_a_frozen_environment_times_out() {
    let contract = CONTRACT.replace("timeout: 20", "timeout: 1");
    let (simulator, mut client) = connected(&contract).await;
    client.ask(r#"{"do":"echo"}"#).await;
    simulator.idle("scripted-0").await;
    simulator
        .act("/api/environments/scripted-0", json!({"action": "freeze"}))
        .await;
    client.send(r#"{"do":"echo"}"#).await;
    check_error_frame(&client.next().await, "Internal server error");
    simulator.says("Task timed out after 1.00 seconds").await;
    assert!(client.ask(r#"{"do":"echo"}"#).await["pid"].is_u64());
    simulator.stop().await;
}

#[tokio::test]
async fn invocations_show_replies_errors_and_output_unchanged() {
    // A single environment runs the invocations one after the other.
    let contract = CONTRACT.replace("timeout: 20", "reservedConcurrentExecutions: 1");
    let (simulator, mut client) = connected(&contract).await;
    let bytes = b"one\ntwo\n";
    client
        .ask(&json!({"do": "print", "with": bytes}).to_string())
        .await;
    client.send(r#"{"do":"reply","with":"no {JSON}"}"#).await;
    check_error_frame(&client.next().await, "Internal server error");
    client.send(r#"{"do":"fail"}"#).await;
    check_error_frame(&client.next().await, "Internal server error");
    let shown = eventually("three invocations are in the history", async || {
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
