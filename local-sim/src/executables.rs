//! Finds the program of each function, and builds those of the workspace ("ours").

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

/// The programs of the contract's functions.
#[derive(Debug)]
pub(crate) struct Executables {
    /// By name.
    paths: BTreeMap<String, PathBuf>,
    /// The names of ours.
    ours: BTreeSet<String>,
    /// The workspace that ours are built from; `None` if they were shipped with this program.
    source: Option<PathBuf>,
    /// The folder of this program and of ours. Cargo names it after the profile.
    folder: PathBuf,
}

impl Executables {
    /// Finds the program of each function of the contract: one of `given`, or one of ours.
    ///
    /// Ours are built from `source`, or from the workspace that this program was built from. If there is no such
    /// workspace, or this program was unpacked from a release, they are in this program's folder.
    ///
    /// # Errors
    /// The contract names a function that is neither, a route of ours has no topic, or a program cannot be run.
    pub(crate) fn find(
        contract: &Contract,
        given: &[(String, PathBuf)],
        source: Option<&Path>,
    ) -> Result<Self, ExecutableError> {
        let given = given_by_name(contract, given)?;
        let folder = program_folder().map_err(ExecutableError::Own)?;
        let source = find_source(source, &folder)?;
        let known = source.as_deref().and_then(sources).unwrap_or_else(shipped);
        let mut found = Self {
            paths: BTreeMap::new(),
            ours: BTreeSet::new(),
            source,
            folder,
        };
        for name in contract.function_names() {
            let path = match given.get(name) {
                Some(&path) => runnable(name, path)?,
                None if known.contains(name) => {
                    contract
                        .require_topics(name)
                        .map_err(ExecutableError::Contract)?;
                    found.ours.insert(name.to_owned());
                    found.own(name)?
                }
                None => return Err(unknown(contract, name, &known, given.keys())),
            };
            found.paths.insert(name.to_owned(), path);
        }
        Ok(found)
    }

    /// The program of one of ours, which exists already unless it is built.
    fn own(&self, name: &str) -> Result<PathBuf, ExecutableError> {
        let path = self.folder.join(name);
        if self.source.is_none() && !path.exists() {
            return Err(ExecutableError::NotShipped {
                name: name.to_owned(),
                folder: self.folder.clone(),
            });
        }
        Ok(path)
    }

    /// Builds ours. Cargo's output goes to standard error, or only its errors.
    ///
    /// # Errors
    /// The build failed, and cargo has printed why.
    pub(crate) async fn build(&self, is_quiet: bool) -> Result<(), ExecutableError> {
        let Some(mut command) = self.build_command() else {
            return Ok(());
        };
        command.args(is_quiet.then_some("--quiet"));
        match command.status().await {
            Ok(status) if status.success() => Ok(()),
            Ok(status) => Err(ExecutableError::Build(status)),
            Err(error) => Err(ExecutableError::Cargo(error)),
        }
    }

    /// The command that builds ours, in the profile of this program; `None` if nothing is to be built. Dropping the
    /// process kills it.
    pub(crate) fn build_command(&self) -> Option<Command> {
        let source = self.source.as_ref().filter(|_| self.needs_build())?;
        let mut command = Command::new("cargo");
        // `cargo run` sets these for this program. Build scripts that read them would run again.
        for (name, _) in env::vars_os().filter(|(name, _)| is_about_package(name)) {
            command.env_remove(name);
        }
        command
            .current_dir(source)
            .args(build_arguments(&self.ours, &profile(&self.folder)))
            .arg("--target-dir")
            .args(self.folder.parent());
        command.kill_on_drop(true);
        Some(command)
    }

    /// Whether there is something to build.
    pub(crate) fn needs_build(&self) -> bool {
        self.source.is_some() && !self.ours.is_empty()
    }

    /// The path of each function's program, which may not exist yet.
    pub(crate) fn paths(&self) -> &BTreeMap<String, PathBuf> {
        &self.paths
    }

    /// The path of a function's program, after a check that it can be run.
    ///
    /// # Errors
    /// It is missing, or not executable.
    pub(crate) fn runnable(&self, name: &str) -> Result<PathBuf, ExecutableError> {
        runnable(name, &self.paths[name])
    }

    /// The workspace that ours are built from, if they are.
    pub(crate) fn source(&self) -> Option<&Path> {
        self.source.as_deref()
    }

    /// The source files of ours in a workspace.
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

/// The given programs by function name.
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
    /// The function is unknown, or a route of ours has no topic.
    #[error(transparent)]
    Contract(FileError),
    /// A program was given for a function that no route names.
    #[error("--function {name}: the contract has no such function (it has {named})")]
    Unused { name: String, named: String },
    /// Two programs were given for one function.
    #[error("--function {name}: given twice (expected one program for each function)")]
    Twice { name: String },
    /// The given folder is not the workspace.
    #[error("--source {}: no functions/src/bin in there (expected the workspace of local-sim)", .0.display())]
    Source(PathBuf),
    /// The function is neither shipped nor can it be built.
    #[error(
        "function {name}: not found in {}, the folder of local-sim, and there is no source tree at {SOURCE} to build it \
         from; --function {name}=PATH runs another program, --source PATH names the source tree",
        .folder.display()
    )]
    NotShipped { name: String, folder: PathBuf },
    /// There is no such file.
    #[error("function {name}: {} is missing (--function {name}=PATH runs another program; without --no-build, local-sim builds it)", .path.display())]
    Missing { name: String, path: PathBuf },
    /// The file is not executable.
    #[error("function {name}: {} is not executable (expected a program that speaks the Runtime API)", .path.display())]
    NotExecutable { name: String, path: PathBuf },
    /// Cargo could not be started.
    #[error("cannot run cargo to build the functions (--no-build uses existing binaries)")]
    Cargo(#[source] io::Error),
    /// Cargo has printed why.
    #[error("cannot build the functions: cargo ended with {0}")]
    Build(ExitStatus),
    /// The path of this program is unknown.
    #[error("cannot find the path of this program")]
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

/// Cargo's arguments to build these functions.
///
/// They name this program's package too, although nothing of it is built: cargo then selects the same features of each
/// library as for this program, and does not compile it again.
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

/// The workspace to build from: `given`, or the one that this program was built from.
fn find_source(given: Option<&Path>, folder: &Path) -> Result<Option<PathBuf>, ExecutableError> {
    if let Some(given) = given {
        let found = sources(given).map(|_| Some(given.to_owned()));
        return found.ok_or_else(|| ExecutableError::Source(given.to_owned()));
    }
    let is_release = !is_cargos(folder) && shipped().iter().all(|it| folder.join(it).exists());
    let source = Path::new(SOURCE);
    let is_there = !is_release && sources(source).is_some();
    Ok(is_there.then(|| source.to_owned()))
}

/// Whether a folder is in a target directory of cargo.
fn is_cargos(folder: &Path) -> bool {
    folder
        .parent()
        .is_some_and(|target| target.join(".rustc_info.json").exists())
}

/// The functions of a release.
fn shipped() -> BTreeSet<String> {
    let own = OWN_PACKAGES.iter().map(|(name, _)| *name);
    let all = ["connect", "disconnect", "message"].into_iter().chain(own);
    all.map(str::to_owned).collect()
}

/// The functions of a workspace, as cargo would find them.
fn sources(source: &Path) -> Option<BTreeSet<String>> {
    let entries = fs::read_dir(source.join("functions/src/bin"))
        .ok()?
        .flatten();
    let names = entries
        .filter_map(|entry| Some(entry.file_name().to_str()?.strip_suffix(".rs")?.to_owned()))
        .chain(OWN_PACKAGES.iter().map(|(name, _)| (*name).to_owned()));
    Some(names.collect())
}

/// The folder of this program. Cargo puts all programs of a profile there, and tests into a folder in it.
fn program_folder() -> io::Result<PathBuf> {
    let own = env::current_exe()?;
    let mut folders = own.ancestors().skip(1);
    let folder = folders.next().filter(|it| !it.ends_with("deps"));
    folder
        .or_else(|| folders.next())
        .map(Path::to_owned)
        .ok_or_else(|| io::ErrorKind::NotFound.into())
}

/// Whether cargo sets the variable for the current package.
fn is_about_package(name: &OsStr) -> bool {
    let prefixes = ["CARGO_MANIFEST_", "CARGO_PKG_"];
    prefixes
        .iter()
        .any(|prefix| name.as_encoded_bytes().starts_with(prefix.as_bytes()))
}

/// The profile of a folder: cargo names the folder after it, except for `dev`.
fn profile(folder: &Path) -> String {
    match folder.file_name().and_then(|name| name.to_str()) {
        Some("debug") | None => "dev".to_owned(),
        Some(name) => name.to_owned(),
    }
}

/// The functions with a package of their own, which keeps their dependencies out of the others.
const OWN_PACKAGES: &[(&str, &str)] = &[("push", "sluice-push")];

/// The workspace that this program was built from.
const SOURCE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

#[cfg(test)]
mod tests;
