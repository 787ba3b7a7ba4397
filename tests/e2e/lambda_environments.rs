//! The life of an execution environment, shown with a function that is told what to do.

use std::collections::BTreeSet;
use std::fs;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::{Value, json};
use tests::client::Client;
use tests::process::Process;
use tests::simulator::{Launch, Simulator};
use tests::wait::{eventually, eventually_in};

use crate::routes::check_frame;

/// There is one environment only: what it does next is seen by the next message.
const ONE: &str = "
routeSelectionExpression: $request.body.action
routes:
  $default: { function: scripted, routeResponse: true }
functions: { scripted: { timeout: 3, reservedConcurrentExecutions: 1, environment: { GIVEN: contract, BOTH: contract } } }
";

/// How long a test looks at a frozen process.
const FROZEN_FOR: Duration = Duration::from_millis(300);

fn launch() -> Launch {
    Launch::default()
        .contract(ONE)
        .function("scripted", "scripted.py")
}

async fn connected(launch: Launch) -> (Simulator, Client) {
    let simulator = launch.start(&[]).await;
    let client = Client::connect(&simulator.websocket).await;
    (simulator, client)
}

/// The process that answers, once it waits for the next message.
async fn frozen(simulator: &Simulator, client: &mut Client) -> Process {
    let pid = client.ask(r#"{"do":"gap"}"#).await["pid"].take();
    let mut processes = simulator.processes();
    processes.retain(|process| pid == process.pid);
    let process = processes.remove(0);
    eventually("a frozen process", async || {
        process.is_stopped().then_some(())
    })
    .await;
    process
}

#[tokio::test]
async fn between_invocations_a_process_gets_no_time_and_its_clock_jumps() {
    let (simulator, mut client) = connected(launch()).await;
    let process = frozen(&simulator, &mut client).await;
    let (before, since) = (process.ticks(), Instant::now());
    eventually("some time", async || {
        assert!(process.is_stopped());
        (since.elapsed() > FROZEN_FOR).then_some(())
    })
    .await;
    assert_eq!(process.ticks(), before, "it was given time");
    let answer = client.ask(r#"{"do":"gap"}"#).await;
    assert_eq!(answer["pid"], process.pid);
    let gap = answer["gap"].as_f64().unwrap();
    assert!(gap >= FROZEN_FOR.as_secs_f64(), "{gap} s");
    simulator.stop().await;
}

#[tokio::test]
async fn a_busy_process_is_never_frozen() {
    let (simulator, mut client) = connected(launch()).await;
    let process = frozen(&simulator, &mut client).await;
    let files = tempfile::TempDir::new().unwrap();
    let path = files.path().join("go");
    client
        .send(&json!({"do": "wait", "path": path}).to_string())
        .await;
    eventually("its start", async || (!process.is_stopped()).then_some(())).await;
    let since = Instant::now();
    eventually("some time", async || {
        assert!(!process.is_stopped());
        (since.elapsed() > FROZEN_FOR).then_some(())
    })
    .await;
    fs::write(&path, "").unwrap();
    assert_eq!(client.next_json().await["pid"], process.pid);
    simulator.stop().await;
}

/// Checks that after a message that ends the process, the next one runs in a fresh process, which finds the files
/// of the one before.
async fn check_replaced(end: &str) {
    let (simulator, mut client) = connected(launch()).await;
    let first = client.ask(r#"{"do":"keep"}"#).await["pid"].take();
    client.send(end).await;
    check_frame(&client.next().await, "Internal server error");
    let then = client.ask(r#"{"do":"keep"}"#).await;
    assert_ne!(then["pid"], first);
    let kept: BTreeSet<String> = serde_json::from_value(then["kept"].clone()).unwrap();
    let both = [&first, &then["pid"]].map(Value::to_string);
    assert_eq!(kept, BTreeSet::from(both));
    simulator.stop().await;
}

#[tokio::test]
async fn after_a_crash_there_is_a_fresh_process_and_the_files_stay() {
    check_replaced(r#"{"do":"exit"}"#).await;
}

#[tokio::test]
async fn after_a_timeout_there_is_a_fresh_process_and_the_files_stay() {
    check_replaced(r#"{"do":"hang"}"#).await;
}

#[tokio::test]
async fn a_process_that_is_killed_in_mid_invocation_is_an_internal_server_error() {
    let (simulator, mut client) = connected(launch()).await;
    let process = frozen(&simulator, &mut client).await;
    client.send(r#"{"do":"hang"}"#).await;
    eventually("its start", async || (!process.is_stopped()).then_some(())).await;
    process.signal(Signal::KILL);
    check_frame(&client.next().await, "Internal server error");
    let then = client.ask(r#"{"do":"gap"}"#).await;
    assert!(then["pid"].is_u64() && then["pid"] != process.pid, "{then}");
    let expected = "Error: Runtime exited with error: signal: killed";
    simulator.says(expected).await;
    simulator.stop().await;
}

#[tokio::test]
async fn a_failed_init_is_tried_again_in_the_invocation() {
    let (simulator, mut client) = connected(launch().env("INIT", "fail once")).await;
    let answer = client.ask(r#"{"do":"echo"}"#).await;
    assert!(answer["pid"].is_u64(), "{answer}");
    let expected = "\tPhase: init\tStatus: error\tError Type: Runtime.ExitError";
    simulator.says(expected).await;
    simulator.stop().await;
}

#[tokio::test]
async fn an_init_that_fails_again_is_an_internal_server_error() {
    let (simulator, mut client) = connected(launch().env("INIT", "fail")).await;
    for _ in 0..2 {
        client.send(r#"{"do":"echo"}"#).await;
        check_frame(&client.next().await, "Internal server error");
    }
    let expected = "Error: Runtime exited with error: exit status 3";
    simulator.says(expected).await;
    simulator.stop().await;
}

#[tokio::test]
async fn the_variables_are_lambdas_the_contracts_and_those_given() {
    let launch = launch()
        .env("ALSO_GIVEN", "flag")
        .env("BOTH", "flag")
        .inherits("OF_THE_SIMULATOR", "1");
    let (simulator, mut client) = connected(launch).await;
    let answer = client.ask(r#"{"do":"environment"}"#).await;
    let variables = answer["variables"].as_object().unwrap();
    let names: BTreeSet<&str> = variables.keys().map(String::as_str).collect();
    // What the interpreter and what finds it may set for themselves.
    let own = |name: &&str| {
        !name.contains("PYENV") && !matches!(*name, "LC_CTYPE" | "PWD" | "SHLVL" | "_" | "OLDPWD")
    };
    let names: Vec<&str> = names.into_iter().filter(own).collect();
    assert_eq!(names, VARIABLES);
    assert_eq!(variables["GIVEN"], "contract");
    assert_eq!(variables["BOTH"], "flag");
    assert_eq!(variables["AWS_LAMBDA_INITIALIZATION_TYPE"], "on-demand");
    assert_eq!(answer["folder"], variables["LAMBDA_TASK_ROOT"]);
    assert_eq!(answer["files"], json!(["gateway.yaml"]));
    simulator.stop().await;
}

const VARIABLES: &[&str] = &[
    "ALSO_GIVEN",
    "AWS_ACCESS_KEY_ID",
    "AWS_DEFAULT_REGION",
    "AWS_EC2_METADATA_DISABLED",
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
    "AWS_LAMBDA_FUNCTION_NAME",
    "AWS_LAMBDA_FUNCTION_VERSION",
    "AWS_LAMBDA_INITIALIZATION_TYPE",
    "AWS_LAMBDA_LOG_FORMAT",
    "AWS_LAMBDA_LOG_GROUP_NAME",
    "AWS_LAMBDA_LOG_STREAM_NAME",
    "AWS_LAMBDA_RUNTIME_API",
    "AWS_REGION",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_XRAY_CONTEXT_MISSING",
    "AWS_XRAY_DAEMON_ADDRESS",
    "BOTH",
    "GIVEN",
    "KAFKA_BROKERS",
    "LAMBDA_RUNTIME_DIR",
    "LAMBDA_TASK_ROOT",
    "LANG",
    "LD_LIBRARY_PATH",
    "PATH",
    "TMPDIR",
    "TZ",
    "_HANDLER",
];

#[tokio::test]
async fn an_environment_that_is_idle_for_long_ends_and_is_told_before() {
    let launch = launch().option("--reap-after", "1");
    let (simulator, mut client) = connected(launch).await;
    let files = tempfile::TempDir::new().unwrap();
    let path = files.path().join("told");
    client
        .ask(&json!({"do": "register", "path": path}).to_string())
        .await;
    eventually("no process", async || {
        simulator.function("scripted.py").is_empty().then_some(())
    })
    .await;
    assert!(path.exists(), "it was not told");
    let then = client.ask(r#"{"do":"keep"}"#).await;
    assert_eq!(then["kept"].as_array().unwrap().len(), 1, "{then}");
    simulator.stop().await;
}

/// What the Runtime API answers to a function in the middle of an invocation.
async fn check_call(method: &str, path: &str, body: &str, status: u16, error_type: &str) {
    let (simulator, mut client) = connected(launch()).await;
    let message = json!({"do": "call", "method": method, "path": path, "body": body});
    let answer = client.ask(&message.to_string()).await;
    assert_eq!(answer["status"], status, "{answer}");
    let text = answer["text"].as_str().unwrap();
    assert!(text.contains(error_type), "{text}");
    let echo = client.ask(r#"{"do":"echo"}"#).await;
    assert!(echo["pid"].is_u64(), "{echo}");
    simulator.stop().await;
}

#[tokio::test]
async fn an_unknown_request_id_is_refused() {
    let path = "/2018-06-01/runtime/invocation/8f507cfc-0000-4697-b07a-ac58fc914c95/response";
    check_call("POST", path, "{}", 400, "InvalidRequestID").await;
}

#[tokio::test]
async fn a_second_event_is_refused_while_the_first_is_under_way() {
    let path = "/2018-06-01/runtime/invocation/next";
    check_call("GET", path, "", 403, "InvalidStateTransition").await;
}

#[tokio::test]
async fn without_snap_start_there_is_no_restore() {
    check_call("GET", "/2018-06-01/runtime/restore/next", "", 404, "").await;
}

/// More connections to the Runtime API than a process needs.
const TOO_MANY: usize = 300;

#[tokio::test]
async fn what_is_no_http_hurts_nobody_and_many_connections_neither() {
    let contract = ONE.replace(
        "  $default",
        "  other: { function: other, routeResponse: true }\n  $default",
    );
    let launch = launch().contract(&contract);
    let (simulator, mut client) = connected(launch.function("other", "scripted.py")).await;
    let other = r#"{"action":"other","do":"echo"}"#;
    client.ask(other).await;
    let answer = client.ask(r#"{"do":"garbage"}"#).await;
    assert!(answer["pid"].is_u64(), "{answer}");
    let (_, before) = simulator.holds();
    let message = json!({"do": "connect", "times": TOO_MANY});
    let answer = client.ask(&message.to_string()).await;
    assert!(answer["pid"].is_u64(), "{answer}");
    let (_, after) = simulator.holds();
    assert!(after < before + TOO_MANY / 10, "{before}, then {after}");
    assert!(client.ask(other).await["pid"].is_u64());
    let again = client.ask(r#"{"do":"echo"}"#).await;
    assert_eq!(again["pid"], answer["pid"], "it has hurt itself at most");
    simulator.stop().await;
}

const SMALL: &str = "
routeSelectionExpression: $request.body.action
routes:
  $default: { function: small, routeResponse: true }
";

fn small(function: &str) -> Launch {
    let contract = format!("{SMALL}functions: {{ small: {function} }}\n");
    let launch = Launch::default().contract(&contract);
    launch.function("small", "small.sh")
}

/// Messages before memory and descriptors are looked at, and then again: more than the history keeps.
const MESSAGES: usize = 1500;
/// Messages beside them that end their process, so that the next one starts another.
const CRASHES: usize = 100;

/// Allocators keep some of what they had: far less than so many invocations would leave.
const GROWTH_KIB_MAX: u64 = 2 * 1024;

#[tokio::test]
async fn invocations_leave_neither_memory_nor_descriptors() {
    let contract = ONE.replace(
        "  $default",
        "  small: { function: small, routeResponse: true }\n  $default",
    );
    let one = "functions: { small: { reservedConcurrentExecutions: 1 },";
    let contract = contract.replace("functions: {", one);
    let launch = launch().contract(&contract).function("small", "small.sh");
    let (simulator, mut client) = connected(launch).await;
    let mut held = Vec::new();
    for _ in 0..3 {
        for _ in 0..MESSAGES {
            client.ask(r#"{"do":"echo"}"#).await;
        }
        let mut processes = BTreeSet::new();
        for _ in 0..CRASHES {
            client.send(r#"{"action":"small","do":"exit"}"#).await;
            check_frame(&client.next().await, "Internal server error");
            client.send(r#"{"action":"small"}"#).await;
            processes.insert(client.next().await);
        }
        assert_eq!(processes.len(), CRASHES, "each crash is a cold start");
        held.push(simulator.holds());
    }
    let [_, (memory, descriptors), then] = held[..] else {
        panic!("{held:?}");
    };
    assert!(then.0 < memory + GROWTH_KIB_MAX, "{held:?}");
    assert!(then.1 <= descriptors, "{held:?}");
    simulator.stop().await;
}

/// So many environments run at once.
const CROWD: usize = 200;
/// That many processes take a while to start.
const CROWD_PATIENCE: Duration = Duration::from_secs(100);

#[tokio::test]
async fn two_hundred_environments_run_at_once() {
    let launch = small("{ timeout: 100 }").option("--scale-after", "0");
    let simulator = launch.start(&[]).await;
    let files = tempfile::TempDir::new().unwrap();
    let path = files.path().join("go");
    let mut clients = Vec::new();
    for _ in 0..CROWD {
        let mut client = Client::connect(&simulator.websocket).await;
        client.send(&format!("hold {}", path.display())).await;
        clients.push(client);
    }
    eventually_in(CROWD_PATIENCE, "all processes", async || {
        (simulator.function("small.sh").len() >= CROWD).then_some(())
    })
    .await;
    fs::write(&path, "").unwrap();
    let mut processes = BTreeSet::new();
    for client in &mut clients {
        let answer = client.next().await;
        assert!(answer.parse::<u32>().is_ok(), "{answer}");
        processes.insert(answer);
    }
    assert_eq!(processes.len(), CROWD);
    simulator.stop().await;
}

/// How many processes there are while so many messages wait, which are more than are started at once.
async fn check_scale(scale_after: &str, expected: usize) {
    let simulator = small("{}")
        .option("--scale-after", scale_after)
        .start(&[])
        .await;
    let files = tempfile::TempDir::new().unwrap();
    let path = files.path().join("go");
    let mut client = Client::connect(&simulator.websocket).await;
    let messages = at_once() + 1;
    for _ in 0..messages {
        client.send(&format!("hold {}", path.display())).await;
    }
    eventually("its processes", async || {
        (simulator.function("small.sh").len() == expected).then_some(())
    })
    .await;
    fs::write(&path, "").unwrap();
    for _ in 0..messages {
        let answer = client.next().await;
        assert!(answer.parse::<u32>().is_ok(), "{answer}");
    }
    assert_eq!(simulator.function("small.sh").len(), expected);
    simulator.stop().await;
}

/// Environments that start without a wait.
fn at_once() -> usize {
    2 * std::thread::available_parallelism().unwrap().get()
}

#[tokio::test]
async fn an_invocation_waits_for_a_busy_environment_as_long_as_it_is_told() {
    check_scale("60000", at_once()).await;
}

#[tokio::test]
async fn without_patience_an_invocation_starts_an_environment_as_on_lambda() {
    check_scale("0", at_once() + 1).await;
}

/// Checks that a second message is throttled while there is one, and that this cap is named.
async fn check_throttled(launch: Launch, cap: &str) {
    let (simulator, mut client) = connected(launch).await;
    let files = tempfile::TempDir::new().unwrap();
    let path = files.path().join("go");
    client.send(&format!("hold {}", path.display())).await;
    simulator.says("START RequestId").await;
    client.send("number").await;
    check_frame(&client.next().await, "Internal server error");
    simulator.says(cap).await;
    fs::write(&path, "").unwrap();
    assert!(client.next().await.parse::<u32>().is_ok());
    simulator.stop().await;
}

#[tokio::test]
async fn the_accounts_concurrency_is_a_bound_and_is_named() {
    let launch = small("{}").option("--account-concurrency", "1");
    let cap = "small: throttled: all 1 unreserved executions of --account-concurrency are in use";
    check_throttled(launch, cap).await;
}

#[tokio::test]
async fn a_functions_concurrency_is_a_bound_and_is_named() {
    let launch = small("{ reservedConcurrentExecutions: 1 }");
    let cap = "small: throttled: all 1 of its reservedConcurrentExecutions are in use";
    check_throttled(launch, cap).await;
}

#[tokio::test]
async fn more_cannot_be_reserved_than_the_account_has() {
    let launch = small("{ reservedConcurrentExecutions: 5 }").option("--account-concurrency", "4");
    let refusal = launch.refusal(&[]).await;
    assert_eq!(refusal.status.code(), Some(1));
    let said = &refusal.stderr;
    assert!(
        said.contains("add up to 5") && said.contains("--account-concurrency"),
        "{said}"
    );
}
