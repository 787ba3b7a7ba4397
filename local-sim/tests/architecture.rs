//! Rules that the compiler does not enforce, on crate dependencies and library use.

use std::{fs, path::Path};

/// External libraries, and the only files or folders that may use each.
const EDGES: &[(&str, &[&str])] = &[
    ("base64", &["gateway/", "mapping/src/event.rs"]),
    (
        "clap",
        &["src/cli.rs", "src/cli/", "src/log/", "src/main.rs"],
    ),
    (
        "form_urlencoded",
        &["console/src/invocations.rs", "gateway/"],
    ),
    ("futures_util", &["gateway/src/socket/"]),
    ("httparse", &["gateway/src/http/head.rs"]),
    (
        "hyper",
        &["console/", "gateway/", "lambda/src/runtime_api.rs"],
    ),
    (
        "kafka_protocol",
        &["broker/", "mapping/", "records/", "src/topics/tests.rs"],
    ),
    (
        "percent_encoding",
        &[
            "console/src/router.rs",
            "gateway/src/management",
            "gateway/src/signature/",
        ],
    ),
    ("rskafka", &["broker/src/tests"]),
    ("rustix", &["lambda/src/output.rs", "lambda/src/process"]),
    (
        "sluice_kafka",
        &[
            "mapping/",
            "src/simulator/",
            "src/topics.rs",
            "src/variables.rs",
        ],
    ),
    (
        "sluice_sigv4",
        &[
            "gateway/src/authorizer/iam.rs",
            "gateway/src/management.rs",
            "gateway/src/signature",
        ],
    ),
    ("tracing_subscriber", &["src/log/", "src/main.rs"]),
];

/// The workspace crates that each crate of the simulator may depend on.
const DEPENDENCIES: &[(&str, &[&str])] = &[
    ("broker", &["local-sim-faults", "local-sim-records"]),
    (
        "console",
        &["local-sim-broker", "local-sim-gateway", "local-sim-lambda"],
    ),
    ("faults", &[]),
    (
        "gateway",
        &[
            "local-sim-faults",
            "local-sim-lambda",
            "sluice-contract",
            "sluice-sigv4",
        ],
    ),
    ("lambda", &["local-sim-faults"]),
    (
        "mapping",
        &[
            "local-sim-lambda",
            "local-sim-records",
            "sluice-contract",
            "sluice-kafka",
        ],
    ),
    ("records", &[]),
    (
        "",
        &[
            "local-sim-broker",
            "local-sim-console",
            "local-sim-faults",
            "local-sim-gateway",
            "local-sim-lambda",
            "local-sim-mapping",
            "sluice-contract",
            "sluice-kafka",
        ],
    ),
];

/// Reads every source file of the simulator: its path, and its code without comments.
fn sources() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let crates = DEPENDENCIES.iter().map(|(folder, _)| folder);
    let mut folders: Vec<_> = crates.map(|folder| root.join(folder).join("src")).collect();
    let mut sources = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("cannot list the sources") {
            let path = entry.expect("cannot list the sources").path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let text = fs::read_to_string(&path).expect("cannot read the source");
            let code: Vec<&str> = text
                .lines()
                .map(|line| line.split("//").next().unwrap_or_default())
                .collect();
            let path = path
                .strip_prefix(root)
                .expect("the source is below the root");
            sources.push((path.display().to_string(), code.join("\n")));
        }
    }
    assert!(sources.len() > 100, "{sources:?}");
    sources
}

fn is_below(file: &str, places: &[&str]) -> bool {
    places.iter().any(|place| file.starts_with(place))
}

/// Whether code uses a library: `hyper::…` or `use hyper;`, but not `hyper_util::…`.
fn uses(code: &str, library: &str) -> bool {
    let is_path = |(at, rest): (usize, &str)| {
        rest.starts_with("::") || code[..at].ends_with("use ") && !rest.starts_with(is_word)
    };
    occurrences(code, library).any(is_path)
}

/// Finds where `path` begins a path in the code: the position, and the code after it.
fn occurrences<'a>(code: &'a str, path: &'a str) -> impl Iterator<Item = (usize, &'a str)> {
    code.match_indices(path)
        .filter(|(at, _)| !code[..*at].ends_with(is_word))
        .map(|(at, path)| (at, &code[at + path.len()..]))
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

#[test]
fn each_external_library_is_used_only_where_allowed() {
    let sources = sources();
    for (library, places) in EDGES {
        let users: Vec<&str> = sources
            .iter()
            .filter(|(_, code)| uses(code, library))
            .map(|(file, _)| file.as_str())
            .collect();
        assert!(
            !users.is_empty(),
            "no file uses `{library}`: remove it from EDGES, where {places:?} may use it"
        );
        for file in users {
            assert!(
                is_below(file, places),
                "{file} uses `{library}`; only {places:?} may"
            );
        }
    }
}

#[test]
fn platform_specific_code_is_in_one_module() {
    for (file, code) in sources() {
        let named = ["\"/proc", "target_os"]
            .iter()
            .find(|it| code.contains(**it));
        let is_allowed = is_below(&file, &["lambda/src/process", "lambda/src/tests"]);
        assert!(is_allowed || named.is_none(), "{file} contains {named:?}");
    }
}

#[test]
fn crates_depend_only_on_allowed_crates() {
    for (folder, allowed) in DEPENDENCIES {
        let manifest = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join(folder)
            .join("Cargo.toml");
        let manifest = fs::read_to_string(manifest).expect("cannot read the manifest");
        let ours = manifest.lines().filter(|line| {
            ["local-sim-", "sluice-", "functions"]
                .iter()
                .any(|it| line.starts_with(it))
        });
        let named: Vec<&str> = ours
            .map(|line| line.split(['.', ' ', '=']).next().unwrap_or_default())
            .collect();
        assert_eq!(named, *allowed, "{folder}/Cargo.toml");
    }
}

#[test]
fn a_library_is_found_only_where_its_name_begins_a_path() {
    let uses = |code| uses(code, "hyper");
    assert!(uses("hyper::Method") && uses("use hyper;") && uses("use hyper as http;"));
    assert!(!uses("my_hyper::Method") && !uses("use hyper_util::rt;") && !uses("let hyper = 1;"));
}
