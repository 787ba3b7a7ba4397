//! Builds the release binaries under test, once per test process.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// The root of the repository.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

/// The path of `local-sim`, built in the release profile together with the functions.
///
/// # Panics
/// Panics if the build fails, after cargo's own output.
pub fn local_sim() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        let mut cargo = Command::new(env!("CARGO"));
        // `cargo test` sets these for the package it runs, which would make build scripts rerun.
        for (name, _) in std::env::vars_os() {
            if ["CARGO_MANIFEST_", "CARGO_PKG_"]
                .iter()
                .any(|about| name.to_string_lossy().starts_with(about))
            {
                cargo.env_remove(name);
            }
        }
        let status = cargo
            .args(
                "build --quiet --release --locked -p local-sim -p functions -p sluice-push"
                    .split(' '),
            )
            .current_dir(root())
            .status()
            .unwrap();
        assert!(status.success(), "cargo build: {status}");
        target().join("release/local-sim")
    })
}

/// Copies a program or script that the test will execute.
///
/// Uses `cp`: a file that this process has open for writing could be inherited by a child that is
/// being spawned, and the system does not execute a file that is open for writing (`ETXTBSY`).
pub fn copy(from: &Path, to: &Path) {
    let status = Command::new("cp").arg(from).arg(to).status().unwrap();
    assert!(status.success(), "cp: {status}");
}

/// Copies what a release has of programs into a folder.
pub fn release(folder: &Path) {
    for name in ["local-sim", "connect", "disconnect", "message", "push"] {
        copy(&local_sim().with_file_name(name), &folder.join(name));
    }
}

/// Writes an executable script.
pub fn script(text: &str, to: &Path) {
    let draft = to.with_extension("draft");
    fs::write(&draft, text).unwrap();
    fs::set_permissions(&draft, Permissions::from_mode(0o755)).unwrap();
    copy(&draft, to);
}

/// The path of a function in `tests/functions`: any program that speaks the Runtime API.
pub fn function(name: &str) -> PathBuf {
    root().join("tests/functions").join(name)
}

/// The function in Go, built from `tests/functions/go`.
///
/// # Panics
/// Panics if the build fails, after Go's own output.
pub fn go_function() -> PathBuf {
    let program = target().join("go-function");
    let status = Command::new("go")
        .args(["build", "-trimpath", "-o"])
        .arg(&program)
        .current_dir(function("go"))
        .status()
        .unwrap();
    assert!(status.success(), "go build: {status}");
    program
}

/// Cargo's target directory. The test itself runs from `<target>/<profile>/deps`.
pub fn target() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    test.ancestors().nth(3).unwrap().to_path_buf()
}
