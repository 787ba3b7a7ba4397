//! Checks that this crate has few dependencies, since most other crates depend on it.

use std::{fs, path::Path};

/// The allowed dependencies: parsers for YAML (with positions) and JSON.
const LIBRARIES: &[&str] = &["saphyr-parser", "serde", "serde_json"];

#[test]
fn the_contract_depends_only_on_yaml_and_json_parsers() {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml");
    let manifest = fs::read_to_string(manifest).unwrap();
    let mut section = "";
    let mut libraries = Vec::new();
    for line in manifest.lines().filter(|line| !line.is_empty()) {
        if line.starts_with('[') {
            section = line;
        } else if section.contains("dependencies") && section != "[dev-dependencies]" {
            libraries.extend(line.split(['.', ' ', '=']).next());
        }
    }
    assert_eq!(libraries, LIBRARIES);
}
