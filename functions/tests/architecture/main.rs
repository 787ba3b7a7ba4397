//! Rules that the compiler does not know: who may name which library.

mod sources;

use std::{fs, path::Path};

use self::sources::{names, sources};

/// Each outside library of an edge, and the only files that may name it. A
/// name that ends in `/` is a folder.
const EDGES: &[(&str, &[&str])] = &[
    ("aws_lambda_events", &["apigw_event.rs"]),
    ("base64", &["apigw_event.rs"]),
    ("fastrand", &["kafka.rs", "kafka/"]),
    ("lambda_runtime", &["lambda.rs"]),
    ("parking_lot", &["kafka.rs", "kafka/"]),
    ("rskafka", &["kafka.rs", "kafka/"]),
    ("serde_path_to_error", &["apigw_event.rs"]),
    (
        "sluice_aws",
        &["config.rs", "handler.rs", "kafka.rs", "kafka/", "lambda.rs"],
    ),
    ("sluice_kafka", &["config.rs", "kafka.rs", "kafka/"]),
    ("tokio", &["kafka.rs", "kafka/", "bin/"]),
];

/// What is decided without AWS, Kafka, environment or clock.
const CORE: &[&str] = &[
    "body.rs",
    "credentials.rs",
    "document.rs",
    "event.rs",
    "failure.rs",
    "partition.rs",
    "record.rs",
    "reply.rs",
    "sink.rs",
    "trace.rs",
];

/// A binary says its name and nothing else.
const BINARY_LINES_MAX: usize = 10;

#[test]
fn each_outside_library_is_named_at_its_edge_only() {
    for (file, code) in sources() {
        for (library, edges) in EDGES {
            let may = edges
                .iter()
                .any(|edge| file == *edge || edge.ends_with('/') && file.starts_with(edge));
            assert!(
                may || !names(&code, library),
                "{file} names `{library}`; only {edges:?} may"
            );
        }
    }
}

#[test]
fn each_edge_still_names_its_library() {
    let sources = sources();
    for (library, edges) in EDGES {
        assert!(
            sources.iter().any(|(_, code)| names(code, library)),
            "nobody names `{library}`, and {edges:?} may"
        );
    }
}

#[test]
fn the_core_names_no_edge() {
    for (file, code) in sources()
        .iter()
        .filter(|(file, _)| CORE.contains(&file.as_str()))
    {
        for edge in [
            "config",
            "apigw_event",
            "kafka",
            "lambda",
            "sluice_aws",
            "SystemTime",
        ] {
            assert!(!names(code, edge), "{file} is core and names `{edge}`");
        }
    }
}

#[test]
fn the_core_is_where_it_is_said_to_be() {
    let sources = sources();
    for core in CORE {
        assert!(
            sources.iter().any(|(file, _)| file == core),
            "there is no {core}"
        );
    }
}

#[test]
fn a_binary_says_its_name_and_nothing_else() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/bin");
    let mut found = Vec::new();
    for entry in fs::read_dir(root).unwrap() {
        let path = entry.unwrap().path();
        let text = fs::read_to_string(&path).unwrap();
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        assert!(text.lines().count() <= BINARY_LINES_MAX, "{path:?} is long");
        assert!(
            text.contains(&format!("run({name:?})")),
            "{path:?} runs another function"
        );
        found.push(name);
    }
    found.sort();
    assert_eq!(found, ["connect", "disconnect", "message"]);
}
