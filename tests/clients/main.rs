//! Other people's clients, unmodified: SDKs, WebSocket libraries and a browser, each driven by a script in its own
//! language that asserts for itself.

#![expect(
    clippy::unwrap_used,
    reason = "what a test relies on ends it where it fails"
)]

#[cfg(any(feature = "node-clients", feature = "python-clients"))]
mod readme;

use std::path::{Path, PathBuf};

use tests::binaries;
use tests::simulator::Launch;
use tests::wait::within;
use tokio::process::Command;

/// Messages for the probe, and nothing else.
const PROBE: &str = "
routeSelectionExpression: $request.body.action
routes:
  $connect: { function: probe }
  $default: { function: probe, routeResponse: true }
";

/// Runs a script over two simulators: one with the shipped functions, one with the probe.
async fn check(program: &Path, script: &Path) {
    let shipped = Launch::default().start(&[]).await;
    let launch = Launch::default().contract(PROBE);
    let probe = Path::new(env!("CARGO_BIN_EXE_probe"));
    let probe = launch.executable("probe", probe).start(&[]).await;
    let endpoint = probe.connections.replace("/@connections", "");
    let run = Command::new(program)
        .arg(script)
        .args([&shipped.websocket, &probe.websocket, &endpoint])
        .arg(&shipped.kafka)
        .envs(ENVIRONMENT.iter().copied())
        .kill_on_drop(true)
        .output();
    let output = within("the client's end", run).await.unwrap();
    assert!(
        output.status.success(),
        "{}: {}\n{}{}",
        script.display(),
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    shipped.stop().await;
    probe.stop().await;
}

/// Where `tests/run` has installed them: `venv` and `node_modules`.
fn installed() -> PathBuf {
    binaries::target().join("clients")
}

/// The simulator's own key, where SDKs look for one.
const ENVIRONMENT: &[(&str, &str)] = &[
    ("AWS_ACCESS_KEY_ID", "sluice"),
    ("AWS_SECRET_ACCESS_KEY", "sluice"),
    ("AWS_REGION", "us-east-1"),
    ("AWS_DEFAULT_REGION", "us-east-1"),
    ("AWS_EC2_METADATA_DISABLED", "true"),
    // The sources stay as they are.
    ("PYTHONDONTWRITEBYTECODE", "1"),
];

#[cfg(any(feature = "browser", feature = "python-clients"))]
async fn python(script: &str) {
    let script = binaries::root().join("tests/clients").join(script);
    check(&installed().join("venv/bin/python"), &script).await;
}

/// Node looks for libraries beside the script.
#[cfg(feature = "node-clients")]
async fn node(script: &str) {
    let folder = tempfile::TempDir::new().unwrap();
    let beside = folder.path().join("node_modules");
    std::os::unix::fs::symlink(installed().join("node_modules"), beside).unwrap();
    for file in [script, "common.mjs"] {
        let source = binaries::root().join("tests/clients").join(file);
        std::fs::copy(source, folder.path().join(file)).unwrap();
    }
    check(Path::new("node"), &folder.path().join(script)).await;
}

#[cfg(feature = "python-clients")]
#[tokio::test]
async fn boto3_manages_connections() {
    python("boto3_connections.py").await;
}

#[cfg(feature = "python-clients")]
#[tokio::test]
async fn websockets_of_python_connects() {
    python("websockets_client.py").await;
}

#[cfg(feature = "node-clients")]
#[tokio::test]
async fn the_aws_sdk_for_javascript_manages_connections() {
    node("aws_sdk.mjs").await;
}

#[cfg(feature = "node-clients")]
#[tokio::test]
async fn ws_of_node_connects() {
    node("ws.mjs").await;
}

#[cfg(feature = "browser")]
#[tokio::test]
async fn a_page_in_chromium_connects() {
    python("browser.py").await;
}

#[cfg(all(feature = "browser", feature = "kcat"))]
#[tokio::test]
async fn a_line_of_kcat_appears_in_a_page_in_chromium() {
    python("browser_kcat.py").await;
}
