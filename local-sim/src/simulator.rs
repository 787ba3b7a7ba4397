//! Puts the parts together: starts them in order, says where they are, and ends them in order.

mod cluster;
mod endpoints;
mod error;
mod listen;
mod signals;

use std::{
    io,
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
    time::Duration,
};

use sluice_contract::Contract;
use tempfile::TempDir;
use tokio::{
    net::TcpListener,
    task::JoinSet,
    time::{Instant, timeout_at},
};
use tokio_util::sync::CancellationToken;
use tracing::warn;

pub(crate) use self::error::{StartError, report};
use self::{
    cluster::{Cluster, Subscription},
    endpoints::Endpoints,
    listen::{listen, listen_console},
    signals::Signals,
};
use crate::{
    cli::Options,
    console::{self, Console},
    executables::Executables,
    faults::{Faults, Scope, Switchboard},
    gateway::Gateway,
    kafka::Broker,
    lambda::{self, Lambda},
    stderr::Lines,
    variables::Variables,
    watch::{Programs, Watch},
};

/// Runs the simulator until a signal ends it, which may come while it still starts.
///
/// # Errors
/// Whatever keeps it from starting.
pub(crate) async fn run(options: Options, lines: Lines) -> Result<ExitCode, StartError> {
    let mut signals = Signals::new().map_err(StartError::Signals)?;
    let (simulator, endpoints, watch) = tokio::select! {
        ready = make_ready(options, lines) => ready?,
        () = signals.next() => return Ok(ExitCode::SUCCESS),
    };
    simulator.serve(&endpoints, signals, watch).await
}

/// Makes everything ready to be served; what watches the functions' programs has begun.
async fn make_ready(
    options: Options,
    lines: Lines,
) -> Result<
    (
        Simulator,
        Endpoints,
        Option<impl Future<Output = ()> + Send + 'static>,
    ),
    StartError,
> {
    lambda::raise_descriptor_limit();
    let contract = Contract::load(&options.contract)?;
    let faults = faults(&options, &contract)?;
    let task_root = task_root(&options.contract).map_err(StartError::TaskRoot)?;
    let source = options.source.as_deref();
    let executables = Executables::find(&contract, &options.functions, source)?;
    let (listener, address) = listen("--listen", options.listen).await?;
    let (console, console_address) = listen_console(options.console).await?;
    let cluster = Cluster::start(&options, &contract).await?;
    if !options.no_build {
        executables.build().await?;
    }
    let root = task_root.path().to_owned();
    let programs = options.watch.then(|| Programs::new(root.join("programs")));
    let mut programs = programs.transpose().map_err(StartError::TaskRoot)?;
    let paths = paths(&executables, programs.as_mut())?;
    let endpoints = Endpoints::new(address, &options.stage, &cluster, console_address);
    let configurations = configurations(
        &options,
        &contract,
        paths,
        &cluster.variables,
        &endpoints.stage,
    );
    let lambda = Lambda::start(configurations, lambda_settings(&options), root, lines)
        .map_err(StartError::Lambda)?;
    let lambda = Arc::new(lambda);
    let watch = programs.map(|programs| {
        Watch::new(executables, programs, Arc::clone(&lambda)).run(!options.no_build)
    });
    let subscription = Subscription::find(&options, &contract, &cluster)?;
    let gateway = Gateway::new(contract, options.gateway(), Arc::clone(&lambda))?;
    let simulator = Simulator {
        lambda,
        gateway: Arc::new(gateway),
        faults,
        subscription,
        listener,
        console,
        cluster,
        _task_root: task_root,
    };
    Ok((simulator, endpoints, watch))
}

/// What is to go wrong from the start.
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

/// The folder that functions run below, with the package that each gets unpacked: the contract.
///
/// It is a copy, so that all processes see the same contract for as long as the simulator runs.
fn task_root(contract: &Path) -> io::Result<TempDir> {
    let folder = tempfile::Builder::new().prefix("local-sim-").tempdir()?;
    let package = folder.path().join(lambda::PACKAGE);
    std::fs::create_dir(&package)?;
    std::fs::copy(contract, package.join("gateway.yaml"))?;
    Ok(folder)
}

/// The program of each function: where it lies, or a copy of it, where it may be replaced while functions run.
fn paths(
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

fn configurations(
    options: &Options,
    contract: &Contract,
    paths: Vec<(String, PathBuf)>,
    variables: &Variables,
    stage: &str,
) -> Vec<lambda::Configuration> {
    // It is told where the connections are, as a deployment tells it.
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

fn lambda_settings(options: &Options) -> lambda::Settings {
    lambda::Settings {
        account_concurrency: options.account_concurrency,
        scale_after: Duration::from_millis(options.scale_after),
        reap_after: Duration::from_secs(options.reap_after),
    }
}

/// Everything that runs.
struct Simulator {
    lambda: Arc<Lambda>,
    gateway: Arc<Gateway>,
    /// At the start.
    faults: Faults,
    subscription: Option<Subscription>,
    listener: TcpListener,
    console: TcpListener,
    cluster: Cluster,
    /// Removed with the simulator.
    _task_root: TempDir,
}

impl Simulator {
    /// Serves until the first signal, then ends in order; the second signal ends at once.
    async fn serve(
        self,
        endpoints: &Endpoints,
        mut signals: Signals,
        watch: Option<impl Future<Output = ()> + Send + 'static>,
    ) -> Result<ExitCode, StartError> {
        let stop = CancellationToken::new();
        let stop_broker = CancellationToken::new();
        let stop_console = CancellationToken::new();
        let mut broker = JoinSet::new();
        let control = self.cluster.embedded.as_ref().map(Broker::control);
        if let Some(embedded) = self.cluster.embedded {
            broker.spawn(embedded.serve(stop_broker.clone()));
        }
        let mut mapping = JoinSet::new();
        if let Some(subscription) = self.subscription {
            let joined = tokio::select! {
                joined = subscription.join() => joined?,
                () = signals.next() => return Ok(ExitCode::SUCCESS),
            };
            mapping.spawn(joined.serve(Arc::clone(&self.lambda), stop.clone()));
        }
        let mut watching = JoinSet::new();
        if let Some(watch) = watch {
            watching.spawn(watch);
        }
        let mut console = JoinSet::new();
        let switchboard = Switchboard::new(
            Arc::clone(&self.lambda),
            Arc::clone(&self.gateway),
            control.clone(),
            self.faults,
        );
        // Before the first client is let in, but not in the way of the start itself.
        switchboard.reset();
        let controls = Console::new(
            Arc::clone(&self.gateway),
            Arc::clone(&self.lambda),
            control,
            switchboard,
        );
        console.spawn(console::serve(controls, self.console, stop_console.clone()));
        let mut gateway = JoinSet::new();
        gateway.spawn(self.gateway.serve(self.listener, stop.clone()));
        endpoints.print();
        signals.next().await;
        drop(watching);
        let deadline = Instant::now() + SHUTDOWN_MAX;
        stop.cancel();
        let ending = async {
            let (disconnected, pushed) = tokio::join!(
                timeout_at(deadline, gateway.join_next()),
                timeout_at(deadline, mapping.join_next()),
            );
            if disconnected.is_err() {
                warn!("not every $disconnect has run in time");
            }
            if pushed.is_err() {
                warn!("not every batch of records is done with in time: they will come again");
            }
            self.lambda.end().await;
            stop_broker.cancel();
            broker.join_next().await;
            stop_console.cancel();
            console.join_next().await;
        };
        Ok(tokio::select! {
            () = ending => ExitCode::SUCCESS,
            () = signals.next() => ExitCode::FAILURE,
        })
    }
}

/// Connections are closed and `$disconnect`s run for this long after the first signal; then functions are killed.
const SHUTDOWN_MAX: Duration = Duration::from_millis(2200);
/// The variable with the URL of the stage, for the function of `push`.
const CALLBACK_URL: &str = "CALLBACK_URL";
