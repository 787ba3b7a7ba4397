//! Rules that the compiler does not know: who may name which library.

#[path = "../../tests/architecture/sources.rs"]
mod sources;

use std::{fs, path::Path};

use self::sources::{names, sources};

/// Each outside library of an edge, and the only files that may name it.
const EDGES: &[(&str, &[&str])] = &[
    ("aws_credential_types", &["sdk.rs"]),
    ("aws_sdk_apigatewaymanagement", &["sdk.rs"]),
    ("aws_smithy_runtime_api", &["http.rs", "sdk.rs"]),
    ("aws_smithy_types", &["http.rs"]),
    ("base64", &["event.rs"]),
    ("fastrand", &["delivery.rs"]),
    ("futures_util", &["delivery.rs"]),
    ("hyper", &["config.rs", "http.rs", "http/pool_timer.rs"]),
    ("hyper_rustls", &["http.rs"]),
    ("hyper_util", &["http.rs", "http/pool_timer.rs"]),
    ("lambda_runtime", &["lambda.rs"]),
    ("rustls", &["http.rs"]),
    (
        "sluice_aws",
        &["config.rs", "handler.rs", "lambda.rs", "sdk.rs"],
    ),
    ("tokio", &["delivery.rs", "handler.rs", "main.rs"]),
    ("CALLBACK_URL", &["config.rs"]),
];

/// What is decided without AWS, socket, environment or clock.
const CORE: &[&str] = &[
    "address.rs",
    "backoff.rs",
    "batch.rs",
    "connections.rs",
    "memory.rs",
    "poison.rs",
    "report.rs",
    "verdict.rs",
    "work.rs",
];

/// The tests beside the code, which stand in for the edges.
fn is_test(file: &str) -> bool {
    file.ends_with("tests.rs")
}

#[test]
fn each_outside_library_is_named_at_its_edge_only() {
    for (file, code) in sources().iter().filter(|(file, _)| !is_test(file)) {
        for (library, edges) in EDGES {
            assert!(
                edges.contains(&file.as_str()) || !names(code, library),
                "{file} names `{library}`; only {edges:?} may"
            );
        }
    }
}

#[test]
fn each_edge_still_names_its_library() {
    let sources = sources();
    for (library, edges) in EDGES {
        for edge in *edges {
            let code = sources.iter().find(|(file, _)| file == edge);
            let code = code.map(|(_, code)| code.as_str()).unwrap_or_default();
            assert!(names(code, library), "{edge} does not name `{library}`");
        }
    }
}

#[test]
fn the_core_names_no_edge() {
    let sources = sources();
    for core in CORE {
        let found = sources.iter().find(|(file, _)| file == core);
        let (_, code) = found.unwrap_or_else(|| panic!("there is no {core}"));
        let code = code.split("#[cfg(test)]").next().unwrap_or_default();
        for edge in [
            "config",
            "event",
            "http",
            "lambda",
            "sdk",
            "Instant::now",
            "SystemTime",
        ] {
            assert!(!names(code, edge), "{core} is core and names `{edge}`");
        }
    }
}

/// What a function depends on, in all.
fn dependencies(package: &str) -> Vec<String> {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("..")
        .join(package);
    let manifest = fs::read_to_string(manifest.join("Cargo.toml")).expect("a manifest");
    let lines = manifest
        .lines()
        .map(|line| line.split(['.', ' ']).next().unwrap_or_default());
    lines.map(str::to_owned).collect()
}

#[test]
fn the_sdk_costs_the_other_functions_nothing() {
    for package in ["", "aws", "contract", "kafka"] {
        for name in dependencies(package) {
            assert!(!name.starts_with("aws-"), "{package} depends on {name}");
            assert_ne!(name, "sluice-push", "{package}");
        }
    }
}

#[test]
fn push_never_speaks_to_kafka() {
    let found = dependencies("push");
    assert!(
        found
            .iter()
            .any(|name| name == "aws-sdk-apigatewaymanagement"),
        "{found:?}"
    );
    for kafka in ["rskafka", "kafka-protocol", "sluice-kafka", "functions"] {
        assert!(
            !found.iter().any(|name| name == kafka),
            "push depends on {kafka}"
        );
    }
}
