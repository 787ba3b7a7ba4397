//! A rule that the compiler does not know: what everybody depends on depends on little.

use std::{fs, path::Path};

/// What reads YAML with its positions, and JSON.
const LIBRARIES: &[&str] = &["saphyr-parser", "serde", "serde_json"];

#[test]
fn the_contract_needs_no_library_but_the_readers_of_yaml_and_json() {
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
