//! Rules that the compiler does not know: which part of the simulator may name which other, and which library.

use std::{fs, path::Path};

/// Each outside library of an edge, and the only files or folders below `src` that may name it.
const EDGES: &[(&str, &[&str])] = &[
    ("base64", &["gateway/", "mapping/event.rs"]),
    ("clap", &["cli.rs", "main.rs"]),
    ("crc32c", &["kafka/", "mapping/batch.rs"]),
    ("flate2", &["decompress.rs"]),
    ("form_urlencoded", &["console/invocations.rs", "gateway/"]),
    ("futures_util", &["gateway/frames.rs"]),
    ("httparse", &["gateway/head.rs"]),
    ("hyper", &["console/", "gateway/", "lambda/runtime_api.rs"]),
    (
        "kafka_protocol",
        &["decompress.rs", "kafka/", "mapping/", "topics/tests.rs"],
    ),
    ("lz4", &["decompress.rs"]),
    ("rskafka", &["kafka/tests"]),
    (
        "percent_encoding",
        &[
            "console/router.rs",
            "gateway/management",
            "gateway/signature/",
        ],
    ),
    ("rustix", &["lambda/output.rs", "lambda/process.rs"]),
    ("snap", &["decompress.rs"]),
    (
        "sluice_kafka",
        &["mapping/", "simulator/", "topics.rs", "variables.rs"],
    ),
    (
        "sluice_sigv4",
        &[
            "gateway/authorizer/iam.rs",
            "gateway/management.rs",
            "gateway/signature",
        ],
    ),
    (
        "tempfile",
        &[
            "faults/reader/tests.rs",
            "gateway/access_log/writer.rs",
            "lambda/",
            "simulator.rs",
            "watch.rs",
        ],
    ),
    ("tokio_tungstenite", &["gateway/"]),
    ("tracing_subscriber", &["main.rs"]),
    ("zstd", &["decompress.rs"]),
];

/// Which folders may name something of another one, and what.
const SEAMS: &[(&str, &str, &[&str])] = &[
    ("console/", "faults", &["Faults", "Switchboard"]),
    (
        "console/",
        "gateway",
        &["Clock", "ConnectionChange", "Gateway", "View"],
    ),
    ("console/", "kafka", &["Control", "Place"]),
    ("console/", "mapping", &[]),
    (
        "console/",
        "lambda",
        &["Change", "Lambda", "Record", "View"],
    ),
    ("faults/", "console", &[]),
    ("faults/", "gateway", &["Gateway", "REORDER_MAX", "Reorder"]),
    (
        "faults/",
        "kafka",
        &["Control", "FAULT_WAIT_MAX", "Fault", "Kind"],
    ),
    ("faults/", "lambda", &["LATENCY_MAX", "Lambda"]),
    ("faults/", "mapping", &[]),
    ("faults/pause.rs", "gateway", &[]),
    ("faults/pause.rs", "kafka", &[]),
    ("faults/pause.rs", "lambda", &[]),
    ("faults/trigger.rs", "gateway", &[]),
    ("faults/trigger.rs", "kafka", &[]),
    ("faults/trigger.rs", "lambda", &[]),
    ("gateway/", "console", &[]),
    (
        "gateway/",
        "faults",
        &["Pause", "Striking", "Trigger", "chance"],
    ),
    ("gateway/", "lambda", &["InvokeError", "Lambda"]),
    ("gateway/", "kafka", &[]),
    ("gateway/", "mapping", &[]),
    ("lambda/", "console", &[]),
    ("lambda/", "faults", &["Pause", "Striking", "Trigger"]),
    ("lambda/", "gateway", &[]),
    ("lambda/", "kafka", &[]),
    ("lambda/", "mapping", &[]),
    ("kafka/", "console", &[]),
    ("kafka/", "faults", &["Pause", "Striking", "Trigger"]),
    ("kafka/", "gateway", &[]),
    ("kafka/", "lambda", &[]),
    ("kafka/", "mapping", &[]),
    ("mapping/", "gateway", &[]),
    ("mapping/", "kafka", &[]),
    ("mapping/", "lambda", &["InvokeError", "Lambda"]),
];

/// Every file below `src`, by its path from there, without its comments.
fn sources() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut folders = vec![root.clone()];
    let mut sources = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("a source") {
            let path = entry.expect("a source").path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let text = fs::read_to_string(&path).expect("a source");
            let code: Vec<&str> = text
                .lines()
                .map(|line| line.split("//").next().unwrap_or_default())
                .collect();
            sources.push((
                path.strip_prefix(&root)
                    .expect("below src")
                    .display()
                    .to_string(),
                code.join("\n"),
            ));
        }
    }
    assert!(sources.len() > 20, "{sources:?}");
    sources
}

fn is_below(file: &str, places: &[&str]) -> bool {
    places.iter().any(|place| file.starts_with(place))
}

/// Whether code uses a crate: `hyper::…` or `use hyper;`, but neither `my_hyper::…` nor `hyper_util::…`.
fn uses(code: &str, library: &str) -> bool {
    let is_path = |(at, rest): (usize, &str)| {
        rest.starts_with("::") || code[..at].ends_with("use ") && !rest.starts_with(is_word)
    };
    occurrences(code, library).any(is_path)
}

/// Where code has a path that begins so, and what comes behind it.
fn occurrences<'a>(code: &'a str, path: &'a str) -> impl Iterator<Item = (usize, &'a str)> {
    code.match_indices(path)
        .filter(|(at, _)| !code[..*at].ends_with(is_word))
        .map(|(at, path)| (at, &code[at + path.len()..]))
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// A path of a part that this test would not see through: many names at once, a part as a whole, or one that is
/// found from the top of the crate without saying so.
fn hidden(file: &str, code: &str) -> Option<String> {
    if occurrences(code, "crate::").any(|(_, rest)| rest.starts_with(['{', '*'])) {
        return Some("crate::{…}".to_owned());
    }
    let others = SEAMS.iter().filter(|(folder, ..)| file.starts_with(folder));
    let parts = others.map(|(_, part, _)| format!("crate::{part}"));
    let mut whole = parts.filter(|part| {
        occurrences(code, part)
            .any(|(_, rest)| !rest.starts_with(is_word) && !rest.starts_with("::"))
    });
    let depth = Path::new(file).iter().count() - usize::from(file.ends_with("/mod.rs"));
    // The module of the tests in a file is one level deeper, which is no reason to go so far up.
    let up = "super::".repeat(depth);
    whole.next().or_else(|| code.contains(&up).then_some(up))
}

#[test]
fn each_outside_library_is_named_at_its_edge_only() {
    let sources = sources();
    for (library, places) in EDGES {
        let users: Vec<&str> = sources
            .iter()
            .filter(|(_, code)| uses(code, library))
            .map(|(file, _)| file.as_str())
            .collect();
        assert!(
            !users.is_empty(),
            "nobody names `{library}`, and {places:?} may"
        );
        for file in users {
            assert!(
                is_below(file, places),
                "{file} names `{library}`; only {places:?} may"
            );
        }
    }
}

#[test]
fn parts_know_of_each_other_only_what_they_must() {
    for (file, code) in sources() {
        let is_part = SEAMS.iter().any(|(folder, ..)| file.starts_with(folder));
        let hidden = is_part.then(|| hidden(&file, &code)).flatten();
        assert_eq!(
            hidden, None,
            "{file}: write `crate::`, the part and what of it"
        );
        for (folder, other, known) in SEAMS.iter().filter(|(folder, ..)| file.starts_with(folder)) {
            for (at, path) in code.match_indices(&format!("crate::{other}::")) {
                let rest = &code[at + path.len()..];
                let named = rest.split(';').next().unwrap_or_default();
                let words = named
                    .split(|c: char| !c.is_alphanumeric() && c != '_')
                    .filter(|word| !word.is_empty());
                for word in words {
                    assert!(
                        known.contains(&word),
                        "{file}: {folder} names {other}::{word}; it may name {known:?}"
                    );
                }
            }
        }
    }
}

#[test]
fn no_path_hides_which_part_it_names() {
    let check = |file: &str, code: &str| hidden(file, code).is_some();
    for code in [
        "use crate::{lambda::Lambda, gateway::Gateway};",
        "use crate::*;",
        "use crate::lambda;",
        "use crate::lambda as other;",
        "use super::super::lambda::Lambda;",
        "super::super::lambda::invoke()",
    ] {
        assert!(check("gateway/frames.rs", code), "{code}");
    }
    for code in [
        "use crate::lambda::Lambda;",
        "use crate::lambda_like::Lambda;",
        "use super::{Gateway, frames};",
        "mod tests { use super::*; }",
    ] {
        assert!(!check("gateway/frames.rs", code), "{code}");
    }
    assert!(check("gateway/mod.rs", "use super::lambda::Lambda;"));
    assert!(!check(
        "gateway/frames/fuzz.rs",
        "use super::super::Gateway;"
    ));
    let uses = |code| uses(code, "hyper");
    assert!(uses("hyper::Method") && uses("use hyper;") && uses("use hyper as http;"));
    assert!(!uses("my_hyper::Method") && !uses("use hyper_util::rt;") && !uses("let hyper = 1;"));
}

#[test]
fn what_differs_between_systems_is_in_one_module() {
    for (file, code) in sources() {
        let named = ["\"/proc", "target_os"]
            .iter()
            .find(|it| code.contains(**it));
        let may = is_below(&file, &["lambda/process", "lambda/tests"]);
        assert!(may || named.is_none(), "{file} names {named:?}");
    }
}

#[test]
fn of_the_functions_only_their_libraries_are_named() {
    let manifest =
        fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml")).unwrap();
    let dependencies = manifest
        .lines()
        .filter(|line| line.starts_with("sluice") || line.starts_with("functions"));
    let names: Vec<&str> = dependencies
        .map(|line| line.split(['.', ' ', '=']).next().unwrap_or_default())
        .collect();
    assert_eq!(names, ["sluice-contract", "sluice-kafka", "sluice-sigv4"]);
    for (file, code) in sources() {
        assert!(!uses(&code, "functions"), "{file} names the functions");
    }
}
