//! What `cargo run -p local-sim` compiles, and what the build of the functions that follows compiles beyond it.

use std::{collections::BTreeMap, process};

use serde::Deserialize;

use super::*;

/// What cargo would compile, by its own account.
/// <https://doc.rust-lang.org/cargo/reference/unstable.html#unit-graph>
#[derive(Debug, Deserialize)]
struct Graph {
    units: Vec<Unit>,
}

/// One call of the compiler, or one run of a build script.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
struct Unit {
    pkg_id: String,
    target: Target,
    mode: String,
    profile: Profile,
    features: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
struct Target {
    name: String,
    kind: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
struct Profile {
    name: String,
    /// 0 for what runs while others are compiled: cargo's own choice.
    opt_level: String,
    lto: String,
    codegen_units: Option<u32>,
    panic: String,
}

fn graph(arguments: &[String]) -> BTreeSet<Unit> {
    let output = process::Command::new(env!("CARGO"))
        .args(arguments)
        .args(["--offline", "--unit-graph", "-Zunstable-options"])
        // Only what is printed is unstable.
        .env("RUSTC_BOOTSTRAP", "1")
        .current_dir(SOURCE)
        .output()
        .expect("cargo");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    let graph: Graph = serde_json::from_slice(&output.stdout).expect("a unit graph");
    graph.units.into_iter().collect()
}

/// What a run of the program compiles, and what the build of these functions does.
fn graphs(functions: &[&str]) -> (BTreeSet<Unit>, BTreeSet<Unit>) {
    let own = ["build", "--locked", "--release", "-p", "local-sim"].map(str::to_owned);
    let functions = functions.iter().map(|&name| name.to_owned()).collect();
    (graph(&own), graph(&build_arguments(&functions, "release")))
}

impl Unit {
    fn is_ours(&self) -> bool {
        self.pkg_id.starts_with("path+")
    }
}

#[test]
fn no_crate_is_compiled_twice() {
    for functions in [
        &["connect", "disconnect", "message", "push"][..],
        &["connect", "disconnect", "message"],
        &["message"],
    ] {
        let (own, built) = graphs(functions);
        let mut compiled = BTreeMap::<_, Vec<&Unit>>::new();
        for unit in own.union(&built) {
            let key = (
                &unit.pkg_id,
                &unit.target,
                &unit.mode,
                &unit.profile.opt_level,
            );
            compiled.entry(key).or_default().push(unit);
        }
        let twice: Vec<_> = compiled.values().filter(|units| units.len() > 1).collect();
        assert!(twice.is_empty(), "for {functions:?}: {twice:#?}");
    }
}

#[test]
fn few_crates_of_others_are_compiled() {
    let (own, built) = graphs(&["connect", "disconnect", "message", "push"]);
    let others = own.union(&built).filter(|unit| !unit.is_ours()).count();
    assert!((200..OTHERS_MAX).contains(&others), "{others}");
}

/// Compilations of other people's crates, and runs of their build scripts, in a user's first minutes.
const OTHERS_MAX: usize = 275;

#[test]
fn a_release_has_every_function_of_the_workspace() {
    assert_eq!(Some(shipped()), sources(Path::new(SOURCE)));
}
