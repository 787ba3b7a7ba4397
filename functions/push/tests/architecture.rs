//! Rules that the compiler does not check: which module may use which external library.

#[path = "../../tests/architecture/sources.rs"]
mod sources;

use std::{fs, path::Path};

use self::sources::{names, sources};

/// The external libraries, each with the only files that may name it.
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

/// The modules that use neither AWS, sockets, the environment nor a clock.
const CORE: &[&str] = &[
    "address.rs",
    "backoff.rs",
    "batch.rs",
    "connections.rs",
    "dedup.rs",
    "poison.rs",
    "report.rs",
    "verdict.rs",
    "work.rs",
];

/// Whether the file has unit tests, which may use any library.
fn is_test(file: &str) -> bool {
    file.ends_with("tests.rs")
}

#[test]
fn each_external_library_is_used_in_its_edge_modules_only() {
    for (file, code) in sources().iter().filter(|(file, _)| !is_test(file)) {
        for (library, edges) in EDGES {
            assert!(
                edges.contains(&file.as_str()) || !names(code, library),
                "{file} uses `{library}`; only {edges:?} may"
            );
        }
    }
}

#[test]
fn each_edge_module_still_uses_its_library() {
    let sources = sources();
    for (library, edges) in EDGES {
        for edge in *edges {
            let code = sources.iter().find(|(file, _)| file == edge);
            let code = code.map(|(_, code)| code.as_str()).unwrap_or_default();
            assert!(names(code, library), "{edge} does not use `{library}`");
        }
    }
}

#[test]
fn core_modules_use_no_edge_module() {
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
            assert!(!names(code, edge), "core module {core} uses `{edge}`");
        }
    }
}

/// The words that start the lines of a package's manifest, its dependencies among them.
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
fn no_other_package_depends_on_the_sdk() {
    for package in ["", "aws", "contract", "kafka"] {
        for name in dependencies(package) {
            assert!(!name.starts_with("aws-"), "{package} depends on {name}");
            assert_ne!(name, "sluice-push", "{package}");
        }
    }
}

#[test]
fn push_does_not_depend_on_a_kafka_client() {
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
