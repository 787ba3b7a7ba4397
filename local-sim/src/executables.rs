//! Finds the program of each function, and builds ours.

use std::{
    collections::{BTreeMap, BTreeSet},
    env,
    ffi::OsStr,
    fs, io,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::ExitStatus,
};

use sluice_contract::{Contract, FileError};
use thiserror::Error;
use tokio::process::Command;

/// The program of each function that the contract names.
#[derive(Debug)]
pub(crate) struct Executables {
    /// By name, given ones and ours.
    paths: BTreeMap<String, PathBuf>,
    /// Those that come with the source.
    ours: BTreeSet<String>,
    /// What ours are built from: the workspace.
    source: PathBuf,
    /// Where ours are put, and in which of cargo's profiles.
    profile_folder: PathBuf,
}

impl Executables {
    /// Says what runs each function of the contract: a program of `given`, or one of ours, which are built from
    /// `source`, or else from what this program was.
    ///
    /// # Errors
    /// The contract names a function that is neither, or a route of ours has no topic, or a given program cannot
    /// be run.
    pub(crate) fn find(
        contract: &Contract,
        given: &[(String, PathBuf)],
        source: Option<&Path>,
    ) -> Result<Self, ExecutableError> {
        let given = given_by_name(contract, given)?;
        let source = source.unwrap_or_else(|| Path::new(SOURCE));
        let sources = sources(source);
        let profile_folder = profile_folder().map_err(ExecutableError::Own)?;
        let mut found = Self {
            paths: BTreeMap::new(),
            ours: BTreeSet::new(),
            source: source.to_owned(),
            profile_folder,
        };
        for name in contract.function_names() {
            let path = match given.get(name) {
                Some(&path) => runnable(name, path)?,
                None if sources.as_ref().is_some_and(|it| it.contains(name)) => {
                    contract
                        .require_topics(name)
                        .map_err(ExecutableError::Contract)?;
                    found.ours.insert(name.to_owned());
                    found.profile_folder.join(name)
                }
                None => {
                    let missing = || ExecutableError::Source(source.to_owned());
                    let sources = sources.ok_or_else(missing)?;
                    return Err(unknown(contract, name, &sources, given.keys()));
                }
            };
            found.paths.insert(name.to_owned(), path);
        }
        Ok(found)
    }

    /// Builds ours. Cargo's output goes where this program's errors go.
    ///
    /// # Errors
    /// The build failed; cargo has said why.
    pub(crate) async fn build(&self) -> Result<(), ExecutableError> {
        let Some(mut command) = self.build_command() else {
            return Ok(());
        };
        match command.status().await {
            Ok(status) if status.success() => Ok(()),
            Ok(status) => Err(ExecutableError::Build(status)),
            Err(error) => Err(ExecutableError::Cargo(error)),
        }
    }

    /// What builds ours, in the profile of this program; `None` where the contract names none of them. It ends with
    /// who no longer waits for it.
    pub(crate) fn build_command(&self) -> Option<Command> {
        if self.ours.is_empty() {
            return None;
        }
        let mut command = Command::new("cargo");
        // `cargo run` says to this program which package it is; to build scripts of others that would be news.
        for (name, _) in env::vars_os().filter(|(name, _)| is_about_package(name)) {
            command.env_remove(name);
        }
        command
            .current_dir(&self.source)
            .args(build_arguments(&self.ours, &profile(&self.profile_folder)))
            .arg("--target-dir")
            .args(self.profile_folder.parent());
        command.kill_on_drop(true);
        Some(command)
    }

    /// Where each function's program is, whether or not it is there.
    pub(crate) fn paths(&self) -> &BTreeMap<String, PathBuf> {
        &self.paths
    }

    /// A function's program, which can be run.
    ///
    /// # Errors
    /// It is missing, or no program.
    pub(crate) fn runnable(&self, name: &str) -> Result<PathBuf, ExecutableError> {
        runnable(name, &self.paths[name])
    }

    /// What ours are built from.
    pub(crate) fn source(&self) -> &Path {
        &self.source
    }

    /// The files in there that ours are built from.
    pub(crate) fn source_files(source: &Path) -> Vec<PathBuf> {
        let mut files = vec![source.join("Cargo.toml"), source.join("Cargo.lock")];
        let mut folders = vec![source.join("functions")];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
                let path = entry.path();
                let extension = path.extension().and_then(OsStr::to_str);
                if matches!(extension, Some("rs" | "toml")) {
                    files.push(path);
                } else if path.is_dir() {
                    folders.push(path);
                }
            }
        }
        files.sort();
        files
    }
}

/// The given programs. One that nothing would run is a slip.
fn given_by_name<'a>(
    contract: &Contract,
    given: &'a [(String, PathBuf)],
) -> Result<BTreeMap<&'a str, &'a PathBuf>, ExecutableError> {
    let named = contract.function_names();
    let mut by_name = BTreeMap::new();
    for (name, path) in given {
        if !named.contains(name.as_str()) {
            let named: Vec<&str> = named.into_iter().collect();
            return Err(ExecutableError::Unused {
                name: name.clone(),
                named: named.join(", "),
            });
        }
        if by_name.insert(name.as_str(), path).is_some() {
            return Err(ExecutableError::Twice { name: name.clone() });
        }
    }
    Ok(by_name)
}

/// Why there is no program for a function.
#[derive(Debug, Error)]
pub enum ExecutableError {
    /// Nobody provides the function, or it lacks a topic.
    #[error(transparent)]
    Contract(FileError),
    /// A program was given for a function that no route names.
    #[error("--function {name}: the contract names no such function, only {named}")]
    Unused { name: String, named: String },
    /// Two programs were given for one function.
    #[error("--function {name}: given twice, expected one program for each function")]
    Twice { name: String },
    /// Ours are not there.
    #[error("--source: found no functions/src/bin in {}, expected the folder that local-sim comes from", .0.display())]
    Source(PathBuf),
    /// There is no such file.
    #[error("function {name}: {} is missing; --function {name}=PATH names another, and without --no-build ours are built", .path.display())]
    Missing { name: String, path: PathBuf },
    /// A file, but none that can be run.
    #[error("function {name}: {} is not executable, expected a program that speaks the Runtime API", .path.display())]
    NotExecutable { name: String, path: PathBuf },
    /// Cargo could not be started.
    #[error("cannot run cargo to build the functions; --no-build uses the binaries that are there")]
    Cargo(#[source] io::Error),
    /// Cargo said why.
    #[error("cannot build the functions: cargo ended with {0}")]
    Build(ExitStatus),
    /// This program's own path is unknown.
    #[error("cannot tell where this program is")]
    Own(#[source] io::Error),
}

fn unknown<'a>(
    contract: &Contract,
    name: &str,
    sources: &'a BTreeSet<String>,
    given: impl Iterator<Item = &'a &'a str>,
) -> ExecutableError {
    let known: BTreeSet<&str> = sources
        .iter()
        .map(String::as_str)
        .chain(given.copied())
        .collect();
    let known: Vec<&str> = known.into_iter().collect();
    let expected = format!(
        "one of {}, or another one given with --function {name}=PATH",
        known.join(", ")
    );
    ExecutableError::Contract(contract.refuse_function(name, &expected))
}

/// The absolute path of a program that can be run.
fn runnable(name: &str, path: &Path) -> Result<PathBuf, ExecutableError> {
    let missing = || ExecutableError::Missing {
        name: name.to_owned(),
        path: path.to_owned(),
    };
    let absolute = path.canonicalize().map_err(|_| missing())?;
    let metadata = absolute.metadata().map_err(|_| missing())?;
    if !metadata.is_file() || metadata.permissions().mode() & 0o111 == 0 {
        return Err(ExecutableError::NotExecutable {
            name: name.to_owned(),
            path: path.to_owned(),
        });
    }
    Ok(absolute)
}

/// What cargo is told to build these functions. This program's own package is named although none of it is built: cargo
/// then chooses the features of each library as it did for this program, and need not compile it a second time.
fn build_arguments(ours: &BTreeSet<String>, profile: &str) -> Vec<String> {
    let mut packages: BTreeSet<&str> = ours.iter().map(|name| package(name)).collect();
    packages.insert(env!("CARGO_PKG_NAME"));
    let packages = packages.iter().flat_map(|name| ["--package", name]);
    let programs = ours.iter().flat_map(|name| ["--bin", name.as_str()]);
    ["build", "--locked", "--profile", profile]
        .into_iter()
        .chain(packages)
        .chain(programs)
        .map(str::to_owned)
        .collect()
}

/// The package of one of ours.
fn package(name: &str) -> &'static str {
    let own = OWN_PACKAGES.iter().find(|(own, _)| *own == name);
    own.map_or("functions", |(_, package)| package)
}

/// The functions that come with the source: those that cargo would find.
fn sources(source: &Path) -> Option<BTreeSet<String>> {
    let entries = fs::read_dir(source.join("functions/src/bin"))
        .ok()?
        .flatten();
    let names = entries
        .filter_map(|entry| Some(entry.file_name().to_str()?.strip_suffix(".rs")?.to_owned()))
        .chain(OWN_PACKAGES.iter().map(|(name, _)| (*name).to_owned()));
    Some(names.collect())
}

/// Cargo puts all programs of a profile side by side, and tests in a folder beside them.
fn profile_folder() -> io::Result<PathBuf> {
    let own = env::current_exe()?;
    let mut folders = own.ancestors().skip(1);
    let folder = folders.next().filter(|it| !it.ends_with("deps"));
    folder
        .or_else(|| folders.next())
        .map(Path::to_owned)
        .ok_or_else(|| io::ErrorKind::NotFound.into())
}

/// Whether cargo sets the variable for the package at hand.
fn is_about_package(name: &OsStr) -> bool {
    let prefixes = ["CARGO_MANIFEST_", "CARGO_PKG_"];
    prefixes
        .iter()
        .any(|prefix| name.as_encoded_bytes().starts_with(prefix.as_bytes()))
}

/// Cargo names a profile's folder after it, but for `dev`.
fn profile(folder: &Path) -> String {
    match folder.file_name().and_then(|name| name.to_str()) {
        Some("debug") | None => "dev".to_owned(),
        Some(name) => name.to_owned(),
    }
}

/// The functions with a package of their own, so that what they need is built for them only.
const OWN_PACKAGES: &[(&str, &str)] = &[("push", "sluice-push")];

/// The workspace that this program was built from.
const SOURCE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

#[cfg(test)]
mod tests;
