//! The configuration of the contract's functions in Lambda.

use std::{
    io,
    path::{Path, PathBuf},
    time::Duration,
};

use local_sim_lambda as lambda;
use sluice_contract::Contract;
use tempfile::TempDir;

use super::error::StartError;
use crate::{cli::Options, executables::Executables, variables::Variables, watch::Programs};

/// Creates the folder that functions run in, with their package: a copy of the contract.
///
/// With a copy, all processes see the same contract while the simulator runs.
pub(super) fn task_root(contract: &Path) -> io::Result<TempDir> {
    let folder = tempfile::Builder::new().prefix("local-sim-").tempdir()?;
    let package = folder.path().join(lambda::PACKAGE);
    std::fs::create_dir(&package)?;
    std::fs::copy(contract, package.join("gateway.yaml"))?;
    Ok(folder)
}

/// The path of each function's program, or of a copy if the program may be replaced while functions run.
pub(super) fn paths(
    executables: &Executables,
    mut programs: Option<&mut Programs>,
) -> Result<Vec<(String, PathBuf)>, StartError> {
    let mut paths = Vec::new();
    for name in executables.paths().keys() {
        let mut path = executables.runnable(name)?;
        if let Some(programs) = &mut programs {
            path = programs.keep(name, &path).map_err(StartError::TaskRoot)?;
        }
        paths.push((name.clone(), path));
    }
    Ok(paths)
}

/// The configuration of each function, in Lambda's terms.
pub(super) fn configurations(
    options: &Options,
    contract: &Contract,
    paths: Vec<(String, PathBuf)>,
    variables: &Variables,
    stage: &str,
) -> Vec<lambda::Configuration> {
    // A deployment sets this variable too.
    let callback_url = |name: &str| {
        let push = contract.push.as_ref().filter(|push| push.function == name);
        push.map(|_| (CALLBACK_URL.to_owned(), stage.to_owned()))
    };
    let configure = |(name, executable): (String, PathBuf)| {
        let settings = contract.function(&name);
        lambda::Configuration {
            executable,
            timeout: settings.timeout,
            memory_size: settings.memory_size,
            reserved_concurrent_executions: settings.reserved_concurrent_executions,
            max_concurrency: settings.max_concurrency,
            environment: variables
                .all()
                .chain(callback_url(&name))
                .chain(settings.environment)
                .chain(options.environment.clone())
                .collect(),
            name,
        }
    };
    paths.into_iter().map(configure).collect()
}

/// Lambda's own settings.
pub(super) fn settings(options: &Options) -> lambda::Settings {
    lambda::Settings {
        account_concurrency: options.account_concurrency,
        scale_after: Duration::from_millis(options.scale_after),
        reap_after: Duration::from_secs(options.reap_after),
    }
}

/// The variable with the URL of the stage, for `push`.
const CALLBACK_URL: &str = "CALLBACK_URL";
