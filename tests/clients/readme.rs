//! Tests of users, with the fixtures that `local-sim/README.md` shows, over an unpacked release.

use std::env;
use std::fs;
use std::path::Path;
use std::process::Output;

use tempfile::TempDir;
use tests::binaries;
use tests::readme;
use tests::wait::within;
use tokio::process::Command;

/// A folder with a release, `gateway.yaml`, and files of `tests/clients/readme`.
fn project(files: &[&str]) -> TempDir {
    let folder = TempDir::new().unwrap();
    binaries::release(folder.path());
    let copy = |from: &Path, name| fs::copy(from.join(name), folder.path().join(name)).unwrap();
    copy(binaries::root(), "gateway.yaml");
    for file in files {
        copy(&binaries::root().join("tests/clients/readme"), file);
    }
    folder
}

/// Writes the block of the README that begins with this file's name in a comment.
fn write_block(folder: &TempDir, comment: &str, file: &str) {
    let block = readme::block(&format!("{comment} {file}\n"));
    assert!(block.lines().count() <= 15, "{block}");
    fs::write(folder.path().join(file), block).unwrap();
}

/// Runs a command in a folder where `local-sim` is found.
async fn run(folder: &TempDir, program: &Path, arguments: &[&str]) {
    #[expect(clippy::disallowed_methods, reason = "PATH is extended, not a setting")]
    let path = env::var_os("PATH").unwrap_or_default();
    let all = [folder.path().to_owned()];
    let path = env::join_paths(all.into_iter().chain(env::split_paths(&path))).unwrap();
    let command = Command::new(program)
        .args(arguments)
        .current_dir(folder.path())
        .env("PATH", path)
        .kill_on_drop(true)
        .output();
    let output: Output = within("the tests' end", command).await.unwrap();
    let printed = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{printed}\n{errors}");
    assert!(printed.contains("1 passed"), "{printed}\n{errors}");
}

#[cfg(feature = "python-clients")]
#[tokio::test]
async fn the_pytest_fixture_works() {
    let folder = project(&["test_sluice.py"]);
    write_block(&folder, "#", "conftest.py");
    let python = super::installed().join("venv/bin/python");
    run(
        &folder,
        &python,
        &["-m", "pytest", "-q", "-p", "no:cacheprovider"],
    )
    .await;
}

#[cfg(feature = "node-clients")]
#[tokio::test]
async fn the_vitest_setup_works() {
    let folder = project(&["sluice.test.js", "vitest.config.js"]);
    write_block(&folder, "//", "sluice.setup.js");
    fs::write(folder.path().join("package.json"), r#"{"type": "module"}"#).unwrap();
    let modules = super::installed().join("node_modules");
    std::os::unix::fs::symlink(&modules, folder.path().join("node_modules")).unwrap();
    let vitest = modules.join("vitest/vitest.mjs").display().to_string();
    run(&folder, Path::new("node"), &[&vitest, "run", "--no-color"]).await;
}
