//! The lifecycle of execution environments, tested with a scripted function.

use std::{
    collections::BTreeSet,
    fs,
    time::{Duration, Instant},
};

use rustix::process::Signal;
use serde_json::{Value, json};
use tests::{
    client::Client,
    process::Process,
    simulator::{Launch, Simulator},
    wait::{eventually, eventually_in},
};

use crate::routes::check_error_frame;

/// A contract with a single environment, so that every message goes to the same one.
const ONE_ENVIRONMENT: &str = "
routeSelectionExpression: $request.body.action
routes:
  $default: { function: scripted, routeResponse: true }
functions: { scripted: { timeout: 3, reservedConcurrentExecutions: 1, environment: { GIVEN: contract, BOTH: contract } } }
";

/// How long a test watches a frozen process.
const FROZEN_FOR: Duration = Duration::from_millis(300);

fn launch() -> Launch {
    Launch::default()
        .contract(ONE_ENVIRONMENT)
        .function("scripted", "scripted.py")
}

async fn connected(launch: Launch) -> (Simulator, Client) {
    let simulator = launch.start(&[]).await;
    let client = Client::connect(&simulator.websocket).await;
    (simulator, client)
}

/// Sends a message, and returns the process that answered once it is frozen.
async fn frozen_process(simulator: &Simulator, client: &mut Client) -> Process {
    let pid = client.ask(r#"{"do":"gap"}"#).await["pid"].take();
    let mut processes = simulator.processes();
    processes.retain(|process| pid == process.pid);
    let process = processes.remove(0);
    eventually("the process is frozen", async || {
        process.is_stopped().then_some(())
    })
    .await;
    process
}

#[tokio::test]
async fn between_invocations_a_process_uses_no_cpu_and_its_clock_jumps() {
    let (simulator, mut client) = connected(launch()).await;
    let process = frozen_process(&simulator, &mut client).await;
    let (before, since) = (process.ticks(), Instant::now());
    eventually("the process was watched long enough", async || {
        assert!(process.is_stopped());
        (since.elapsed() > FROZEN_FOR).then_some(())
    })
    .await;
    assert_eq!(process.ticks(), before, "the frozen process ran");
    let answer = client.ask(r#"{"do":"gap"}"#).await;
    assert_eq!(answer["pid"], process.pid);
    let gap = answer["gap"].as_f64().unwrap();
    assert!(gap >= FROZEN_FOR.as_secs_f64(), "{gap} s");
    simulator.stop().await;
}

#[tokio::test]
async fn a_busy_process_is_never_frozen() {
    let (simulator, mut client) = connected(launch()).await;
    let process = frozen_process(&simulator, &mut client).await;
    let files = tempfile::TempDir::new().unwrap();
    let path = files.path().join("go");
    client
        .send(&json!({"do": "wait", "path": path}).to_string())
        .await;
    eventually("the process is thawed", async || {
        (!process.is_stopped()).then_some(())
    })
    .await;
    let since = Instant::now();
    eventually("the process was watched long enough", async || {
        assert!(!process.is_stopped());
        (since.elapsed() > FROZEN_FOR).then_some(())
    })
    .await;
    fs::write(&path, "").unwrap();
    assert_eq!(client.next_json().await["pid"], process.pid);
    simulator.stop().await;
}

/// Checks that a fresh process runs after the message `end`, and finds the old files.
async fn check_replaced(end: &str) {
    let (simulator, mut client) = connected(launch()).await;
    let first = client.ask(r#"{"do":"keep"}"#).await["pid"].take();
    client.send(end).await;
    check_error_frame(&client.next().await, "Internal server error");
    let then = client.ask(r#"{"do":"keep"}"#).await;
    assert_ne!(then["pid"], first);
    let kept: BTreeSet<String> = serde_json::from_value(then["kept"].clone()).unwrap();
    let both = [&first, &then["pid"]].map(Value::to_string);
    assert_eq!(kept, BTreeSet::from(both));
    simulator.stop().await;
}

#[tokio::test]
async fn after_a_crash_a_fresh_process_finds_the_old_files() {
    check_replaced(r#"{"do":"exit"}"#).await;
}

#[tokio::test]
async fn after_a_timeout_a_fresh_process_finds_the_old_files() {
    check_replaced(r#"{"do":"hang"}"#).await;
}

#[tokio::test]
async fn killing_a_busy_process_fails_its_invocation() {
    let (simulator, mut client) = connected(launch()).await;
    let process = frozen_process(&simulator, &mut client).await;
    client.send(r#"{"do":"hang"}"#).await;
    eventually("the process is thawed", async || {
        (!process.is_stopped()).then_some(())
    })
    .await;
    process.signal(Signal::KILL);
    check_error_frame(&client.next().await, "Internal server error");
    let then = client.ask(r#"{"do":"gap"}"#).await;
    assert!(then["pid"].is_u64() && then["pid"] != process.pid, "{then}");
    let expected = "Error: Runtime exited with error: signal: killed";
    simulator.says(expected).await;
    simulator.stop().await;
}

#[tokio::test]
async fn a_failed_init_is_retried_in_the_invocation() {
    let (simulator, mut client) = connected(launch().env("INIT", "fail once")).await;
    let answer = client.ask(r#"{"do":"echo"}"#).await;
    assert!(answer["pid"].is_u64(), "{answer}");
    let expected = "\tPhase: init\tStatus: error\tError Type: Runtime.ExitError";
    simulator.says(expected).await;
    simulator.stop().await;
}

#[tokio::test]
async fn an_init_that_fails_twice_is_an_internal_server_error() {
    let (simulator, mut client) = connected(launch().env("INIT", "fail")).await;
    for _ in 0..2 {
        client.send(r#"{"do":"echo"}"#).await;
        check_error_frame(&client.next().await, "Internal server error");
    }
    let expected = "Error: Runtime exited with error: exit status 3";
    simulator.says(expected).await;
    simulator.stop().await;
}

#[tokio::test]
async fn functions_get_the_variables_of_lambda_the_contract_and_the_flags_only() {
    let launch = launch()
        .env("ALSO_GIVEN", "flag")
        .env("BOTH", "flag")
        .inherits("OF_THE_SIMULATOR", "1");
    let (simulator, mut client) = connected(launch).await;
    let answer = client.ask(r#"{"do":"environment"}"#).await;
    let variables = answer["variables"].as_object().unwrap();
    let names: BTreeSet<&str> = variables.keys().map(String::as_str).collect();
    // The interpreter and its launcher may set these themselves.
    let is_passed_on = |name: &&str| {
        !name.contains("PYENV") && !matches!(*name, "LC_CTYPE" | "PWD" | "SHLVL" | "_" | "OLDPWD")
    };
    let names: Vec<&str> = names.into_iter().filter(is_passed_on).collect();
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
async fn an_environment_that_is_idle_too_long_gets_sigterm_and_ends() {
    let launch = launch().option("--reap-after", "1");
    let (simulator, mut client) = connected(launch).await;
    let files = tempfile::TempDir::new().unwrap();
    let path = files.path().join("sigterm");
    client
        .ask(&json!({"do": "register", "path": path}).to_string())
        .await;
    eventually("the process has exited", async || {
        simulator.function("scripted.py").is_empty().then_some(())
    })
    .await;
    assert!(path.exists(), "the function got no SIGTERM");
    let then = client.ask(r#"{"do":"keep"}"#).await;
    assert_eq!(then["kept"].as_array().unwrap().len(), 1, "{then}");
    simulator.stop().await;
}

/// Checks the Runtime API's response to a request from a function in mid-invocation.
///
/// The function must survive the response and answer the next message.
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
async fn a_second_event_is_refused_while_the_first_is_in_progress() {
    let path = "/2018-06-01/runtime/invocation/next";
    check_call("GET", path, "", 403, "InvalidStateTransition").await;
}

#[tokio::test]
async fn without_snap_start_restore_is_not_found() {
    check_call("GET", "/2018-06-01/runtime/restore/next", "", 404, "").await;
}

/// Connections that one process opens to the Runtime API: far more than it needs.
const TOO_MANY_CONNECTIONS: usize = 300;

#[tokio::test]
async fn garbage_and_many_connections_to_the_runtime_api_affect_no_environment() {
    let contract = ONE_ENVIRONMENT.replace(
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
    let message = json!({"do": "connect", "times": TOO_MANY_CONNECTIONS});
    let answer = client.ask(&message.to_string()).await;
    assert!(answer["pid"].is_u64(), "{answer}");
    let (_, after) = simulator.holds();
    assert!(
        after < before + TOO_MANY_CONNECTIONS / 10,
        "{before}, then {after}"
    );
    assert!(client.ask(other).await["pid"].is_u64());
    let again = client.ask(r#"{"do":"echo"}"#).await;
    assert_eq!(again["pid"], answer["pid"], "the process was replaced");
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

/// Messages between two measurements: more than the history keeps.
const MESSAGES: usize = 1500;
/// Crashes between two measurements, each followed by a cold start.
const CRASHES: usize = 100;

/// Growth that counts as an allocator's slack: far less than these invocations would leak.
const GROWTH_KIB_MAX: u64 = 2 * 1024;

#[tokio::test]
async fn invocations_leak_neither_memory_nor_descriptors() {
    let contract = ONE_ENVIRONMENT.replace(
        "  $default",
        "  small: { function: small, routeResponse: true }\n  $default",
    );
    let functions = "functions: { small: { reservedConcurrentExecutions: 1 },";
    let contract = contract.replace("functions: {", functions);
    let launch = launch().contract(&contract).function("small", "small.sh");
    let (simulator, mut client) = connected(launch).await;
    let mut usage = Vec::new();
    for _ in 0..3 {
        for _ in 0..MESSAGES {
            client.ask(r#"{"do":"echo"}"#).await;
        }
        let mut processes = BTreeSet::new();
        for _ in 0..CRASHES {
            client.send(r#"{"action":"small","do":"exit"}"#).await;
            check_error_frame(&client.next().await, "Internal server error");
            client.send(r#"{"action":"small"}"#).await;
            processes.insert(client.next().await);
        }
        assert_eq!(processes.len(), CRASHES, "each crash is a cold start");
        usage.push(simulator.holds());
    }
    let [_, (memory, descriptors), (memory_after, descriptors_after)] = usage[..] else {
        panic!("{usage:?}");
    };
    assert!(memory_after < memory + GROWTH_KIB_MAX, "{usage:?}");
    assert!(descriptors_after <= descriptors, "{usage:?}");
    simulator.stop().await;
}

/// Environments that run concurrently.
const CROWD: usize = 200;
/// How long a test waits for all of them to start.
const CROWD_PATIENCE: Duration = Duration::from_secs(100);

#[tokio::test]
async fn two_hundred_environments_run_concurrently() {
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
    eventually_in(CROWD_PATIENCE, "every process has started", async || {
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

/// Checks how many environments run for one message more than [`at_once`].
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
    eventually("the expected number of processes", async || {
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

/// The number of environments that start without waiting for `--scale-after`.
fn at_once() -> usize {
    2 * std::thread::available_parallelism().unwrap().get()
}

#[tokio::test]
async fn an_invocation_waits_for_a_busy_environment_until_scale_after() {
    check_scale("60000", at_once()).await;
}

#[tokio::test]
async fn with_scale_after_0_an_invocation_starts_an_environment_at_once() {
    check_scale("0", at_once() + 1).await;
}

/// Checks that a second concurrent message is throttled, and that the log contains `cap`.
async fn check_throttled(launch: Launch, cap: &str) {
    let (simulator, mut client) = connected(launch).await;
    let files = tempfile::TempDir::new().unwrap();
    let path = files.path().join("go");
    client.send(&format!("hold {}", path.display())).await;
    simulator.says("START RequestId").await;
    client.send("number").await;
    check_error_frame(&client.next().await, "Internal server error");
    simulator.says(cap).await;
    fs::write(&path, "").unwrap();
    assert!(client.next().await.parse::<u32>().is_ok());
    simulator.stop().await;
}

#[tokio::test]
async fn the_accounts_concurrency_is_a_limit_that_the_log_names() {
    let launch = small("{}").option("--account-concurrency", "1");
    let cap = "small: throttled: all 1 unreserved executions of --account-concurrency are in use";
    check_throttled(launch, cap).await;
}

#[tokio::test]
async fn a_functions_concurrency_is_a_limit_that_the_log_names() {
    let launch = small("{ reservedConcurrentExecutions: 1 }");
    let cap = "small: throttled: all 1 of its reservedConcurrentExecutions are in use";
    check_throttled(launch, cap).await;
}

#[tokio::test]
async fn functions_cannot_reserve_more_concurrency_than_the_account_has() {
    let launch = small("{ reservedConcurrentExecutions: 5 }").option("--account-concurrency", "4");
    let refusal = launch.refusal(&[]).await;
    assert_eq!(refusal.status.code(), Some(1));
    let stderr = &refusal.stderr;
    assert!(
        stderr.contains("add up to 5") && stderr.contains("--account-concurrency"),
        "{stderr}"
    );
}
