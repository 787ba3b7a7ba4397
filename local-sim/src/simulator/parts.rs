//! The parts of the simulator, ready to be served.

use std::sync::Arc;

use local_sim_gateway::Gateway;
use local_sim_lambda::{self as lambda, Lambda};
use sluice_contract::Contract;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tracing::info;

use super::{
    cluster::{self, Cluster, Subscription},
    endpoints::Endpoints,
    error::StartError,
    functions,
    listen::{listen, listen_console},
};
use crate::{
    cli::Options,
    executables::Executables,
    faults::{Faults, Scope},
    log::{Log, LogFormat},
    watch::{Programs, Watch},
};

/// The parts of the simulator, not served yet.
pub(super) struct Parts {
    pub(super) lambda: Arc<Lambda>,
    pub(super) gateway: Arc<Gateway>,
    /// The faults of `--faults`.
    pub(super) faults: Faults,
    pub(super) subscription: Option<Subscription>,
    pub(super) listener: TcpListener,
    pub(super) console: TcpListener,
    pub(super) cluster: Cluster,
    /// `None` without `--watch`.
    pub(super) watch: Option<Watch>,
    /// Removes the folder when dropped.
    pub(super) task_root: TempDir,
}

impl Parts {
    /// Reads the contract, builds the functions, starts the broker unless there is a cluster, and listens.
    ///
    /// Nothing listens while the functions are built, so that no client waits for minutes.
    ///
    /// # Errors
    /// One of these fails.
    pub(super) async fn prepare(
        options: &Options,
        log: Log,
    ) -> Result<(Self, Endpoints), StartError> {
        lambda::raise_descriptor_limit();
        let contract = Contract::load(&options.contract)?;
        let faults = faults(options, &contract)?;
        let task_root = functions::task_root(&options.contract).map_err(StartError::TaskRoot)?;
        let source = options.source.as_deref();
        let executables = Executables::find(&contract, &options.functions, source)?;
        let cluster = Cluster::find(options, &contract).await?;
        if !options.no_build && executables.needs_build() {
            check_addresses(options).await?;
            info!("building the functions (first time: a few minutes)");
            // Before cargo's own output.
            log.flush();
            // Cargo's progress is not JSON.
            let is_quiet = options.quiet || options.log == LogFormat::Json;
            executables.build(is_quiet).await?;
        }
        let (listener, address) = listen("--listen", options.listen).await?;
        let (console, console_address) = listen_console(options.console).await?;
        let cluster = match cluster {
            Some(cluster) => cluster,
            None => Cluster::embedded(options, &contract).await?,
        };
        if let Some(broker) = &cluster.embedded {
            log.find_records(&contract, broker.control());
        }
        let root = task_root.path().to_owned();
        let programs = options
            .watch
            .then(|| Programs::new(root.join("programs")))
            .transpose();
        let mut programs = programs.map_err(StartError::TaskRoot)?;
        let paths = functions::paths(&executables, programs.as_mut())?;
        let endpoints = Endpoints::new(address, &options.stage, &cluster, console_address);
        let configurations = functions::configurations(
            options,
            &contract,
            paths,
            &cluster.variables,
            &endpoints.stage,
        );
        let lambda = Lambda::start(
            configurations,
            functions::settings(options),
            root,
            Arc::new(log.clone()),
        );
        let lambda = Arc::new(lambda.map_err(StartError::Lambda)?);
        let watch = programs.map(|programs| {
            Watch::new(
                executables,
                programs,
                Arc::clone(&lambda),
                !options.no_build,
            )
        });
        let subscription = Subscription::find(options, &contract, &cluster)?;
        let gateway = Gateway::new(
            contract,
            options.gateway(Arc::new(log)),
            Arc::clone(&lambda),
        )?;
        let parts = Self {
            lambda,
            gateway: Arc::new(gateway),
            faults,
            subscription,
            listener,
            console,
            cluster,
            watch,
            task_root,
        };
        Ok((parts, endpoints))
    }
}

/// Reports an address that is taken before the functions are built, which may take minutes.
async fn check_addresses(options: &Options) -> Result<(), StartError> {
    listen("--listen", options.listen).await?;
    if let Some(console) = options.console {
        listen("--console", console).await?;
    }
    if options.kafka.is_none() {
        cluster::bind(options).await?;
    }
    Ok(())
}

/// Reads the faults of `--faults`.
fn faults(options: &Options, contract: &Contract) -> Result<Faults, StartError> {
    let Some(path) = &options.faults else {
        return Ok(Faults::default());
    };
    let functions = contract.function_names();
    let scope = Scope {
        functions: functions.into_iter().map(str::to_owned).collect(),
        has_broker: options.kafka.is_none(),
    };
    Faults::load(path, &scope).map_err(StartError::Faults)
}
