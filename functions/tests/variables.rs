//! Every environment variable that the functions know is in `functions/README.md`.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

/// Where functions read variables, from this crate's folder.
const SOURCES: [&str; 4] = ["src", "aws/src", "kafka/src", "push/src"];

/// The texts in the code that look like a variable's name: capital letters and
/// digits in at least two words. Values such as `SASL_SSL` do, too, and have to
/// be documented as well. Cargo's are left out: those are the compiler's.
fn names() -> BTreeSet<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut folders: Vec<PathBuf> = SOURCES.map(|folder| root.join(folder)).into();
    let mut names = BTreeSet::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.file_name().is_some_and(|name| name != "tests.rs") {
                let text = fs::read_to_string(&path).expect("a source");
                let code = text.split("#[cfg(test)]").next().unwrap_or_default();
                let found = code.split('"').filter(|text| is_name(text));
                names.extend(
                    found
                        .filter(|name| !name.starts_with("CARGO_"))
                        .map(str::to_owned),
                );
            }
        }
    }
    names
}

fn is_name(text: &str) -> bool {
    let mut words = text.split('_');
    let is_word = |word: &str| {
        let mut chars = word.chars();
        chars.next().is_some_and(|c| c.is_ascii_uppercase())
            && chars.all(|c| c.is_ascii_uppercase() || c.is_ascii_digit())
    };
    text.contains('_') && words.all(is_word)
}

#[test]
fn every_variable_is_in_the_readme() {
    let readme = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let readme = fs::read_to_string(readme).expect("functions/README.md");
    let missing: Vec<String> = names()
        .into_iter()
        .filter(|name| !readme.contains(&format!("`{name}`")))
        .collect();
    assert!(
        missing.is_empty(),
        "not in functions/README.md: {missing:?}"
    );
}

#[test]
fn variables_are_found_where_they_are() {
    let names = names();
    for name in [
        "KAFKA_BROKERS",
        "KAFKA_SASL_SECRET_ARN",
        "SLUICE_CONTRACT",
        "AWS_REGION",
    ] {
        assert!(names.contains(name), "{name} is not in {names:?}");
    }
}
