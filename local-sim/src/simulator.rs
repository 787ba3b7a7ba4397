//! Puts the parts together: starts them in order, says where they are, and ends them in order.

use std::{
    error::Error,
    io::{self, IsTerminal as _, Write as _},
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
    time::Duration,
};

use sluice_contract::{Contract, ContractError, Push};
use sluice_kafka::{Settings, SettingsError};
use tempfile::TempDir;
use thiserror::Error;
use tokio::{
    net::TcpListener,
    signal::unix::{Signal, SignalKind, signal},
    task::JoinSet,
    time::{Instant, timeout_at},
};
use tokio_util::sync::CancellationToken;
use tracing::warn;

use crate::{
    cli::Options,
    console::{self, Console},
    executables::{ExecutableError, Executables},
    faults::{Faults, Scope, Switchboard},
    gateway::{AccessLogError, Gateway},
    kafka::{self, Broker},
    lambda::{self, Lambda},
    mapping::{JoinError, Mapping},
    stderr::Lines,
    topics::{self, TopicsError},
    variables::{NotText, Variables},
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

async fn listen(
    flag: &'static str,
    address: SocketAddr,
) -> Result<(TcpListener, SocketAddr), StartError> {
    let bound = async {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        Ok((listener, address))
    };
    bound.await.map_err(|source| StartError::Listen {
        flag,
        address,
        hint: "",
        source,
    })
}

/// Listens where the console was asked for, else at its usual place, else at any free port: a second simulator
/// is no reason to refuse the start.
async fn listen_console(
    asked: Option<SocketAddr>,
) -> Result<(TcpListener, SocketAddr), StartError> {
    let usual = asked.unwrap_or(CONSOLE_DEFAULT);
    match listen("--console", usual).await {
        Err(StartError::Listen { source, .. })
            if asked.is_none() && source.kind() == io::ErrorKind::AddrInUse =>
        {
            let free = listen("--console", SocketAddr::new(usual.ip(), 0)).await?;
            warn!(
                "{usual} is taken, maybe by another local-sim: the console is at {}",
                free.1
            );
            Ok(free)
        }
        listening => listening,
    }
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

/// Where records go.
struct Cluster {
    brokers: String,
    variables: Variables,
    embedded: Option<Broker>,
}

impl Cluster {
    /// Starts the embedded broker, or finds the cluster that was asked for; the contract's topics are there then.
    async fn start(options: &Options, contract: &Contract) -> Result<Self, StartError> {
        let topics = contract.topics();
        if let Some(brokers) = &options.kafka {
            let variables = Variables::cluster(brokers)?;
            topics::ensure(
                brokers,
                |name| variables.find(name, &options.environment),
                &topics,
                options.create_topics.then_some(options.partitions),
            )
            .await?;
            return Ok(Self {
                brokers: brokers.clone(),
                variables,
                embedded: None,
            });
        }
        let address = options.kafka_listen;
        let settings = kafka::Options {
            partitions_default: options.partitions,
            retention_bytes: kafka::RETENTION_BYTES_DEFAULT,
        };
        let hint = if address.port() == KAFKA_PORT {
            "; is Kafka running there? --kafka uses it"
        } else {
            ""
        };
        let broker =
            Broker::bind(address, settings)
                .await
                .map_err(|source| StartError::Listen {
                    flag: "--kafka-listen",
                    address,
                    hint,
                    source,
                })?;
        for topic in topics {
            broker
                .create_topic(topic, options.partitions)
                .map_err(|source| StartError::Topic(source.into()))?;
        }
        let brokers = broker.local_addr().to_string();
        Ok(Self {
            variables: Variables::embedded(&brokers),
            brokers,
            embedded: Some(broker),
        })
    }
}

/// What the event source mapping reads, and as whom.
struct Subscription {
    push: Push,
    group: String,
    settings: Settings,
}

impl Subscription {
    /// That of the contract, if it has one. The cluster is connected with as functions do.
    fn find(
        options: &Options,
        contract: &Contract,
        cluster: &Cluster,
    ) -> Result<Option<Self>, StartError> {
        let Some(push) = contract.push.clone() else {
            return Ok(None);
        };
        let lookup = |name: &str| cluster.variables.find(name, &options.environment);
        let settings = Settings::from_lookup(lookup).map_err(StartError::Settings)?;
        Ok(Some(Self {
            group: format!("local-sim-{}-{}", options.stage, push.function),
            push,
            settings,
        }))
    }

    async fn join(self) -> Result<Mapping, JoinError> {
        Mapping::join(&self.push, &self.group, self.settings).await
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

/// What a user connects to.
struct Endpoints {
    websocket: String,
    /// What `@connections` is below of.
    stage: String,
    kafka: String,
    console: String,
}

impl Endpoints {
    fn new(address: SocketAddr, stage: &str, cluster: &Cluster, console: SocketAddr) -> Self {
        Self {
            websocket: format!("ws://{address}/{stage}"),
            stage: format!("http://{address}/{stage}"),
            kafka: cluster.brokers.clone(),
            console: format!("http://{console}"),
        }
    }

    /// Prints the lines that scripts read; on a terminal, one more that a user can paste.
    fn print(&self) {
        let Self {
            websocket,
            stage,
            kafka,
            console,
        } = self;
        let mut out = io::stdout().lock();
        let lines = format!(
            "websocket    {websocket}\nconnections  {stage}/@connections\nkafka        {kafka}\nconsole      {console}\n"
        );
        // Nobody reads: then nobody misses it.
        let _ = out.write_all(lines.as_bytes()).and_then(|()| out.flush());
        if out.is_terminal() {
            let _ = writeln!(
                io::stderr(),
                "\nSend a first message:\n  npx wscat --connect {websocket} --wait 1 --execute '{FIRST_MESSAGE}'"
            );
        }
    }
}

/// SIGINT and SIGTERM.
struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    fn new() -> io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
        })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

/// Why the simulator does not start.
#[derive(Debug, Error)]
pub(crate) enum StartError {
    /// The contract is wrong.
    #[error(transparent)]
    Contract(#[from] ContractError),
    /// The faults to start with are wrong.
    #[error(transparent)]
    Faults(ContractError),
    /// A function has no program.
    #[error(transparent)]
    Executable(#[from] ExecutableError),
    /// The access log cannot be written.
    #[error(transparent)]
    AccessLog(#[from] AccessLogError),
    /// A port cannot be had.
    #[error("cannot listen on {address}: {flag} takes another address{hint}")]
    Listen {
        flag: &'static str,
        address: SocketAddr,
        hint: &'static str,
        #[source]
        source: io::Error,
    },
    /// A variable cannot be handed on.
    #[error(transparent)]
    Variable(#[from] NotText),
    /// The cluster is not as the contract needs it.
    #[error(transparent)]
    Topics(#[from] TopicsError),
    /// The embedded broker does not take a topic.
    #[error("cannot create a topic of the contract")]
    Topic(#[source] Box<dyn Error + Send + Sync>),
    /// The event source mapping has nowhere to begin.
    #[error(transparent)]
    Mapping(#[from] JoinError),
    /// The event source mapping cannot connect as functions do.
    #[error("push")]
    Settings(#[source] SettingsError),
    /// There is no place for the functions to run in.
    #[error("cannot make a folder for the functions")]
    TaskRoot(#[source] io::Error),
    /// Lambda does not start.
    #[error("cannot start Lambda")]
    Lambda(#[source] io::Error),
    /// Signals cannot be received.
    #[error("cannot wait for signals")]
    Signals(#[source] io::Error),
}

/// Says on standard error, in one line, why the simulator does not start.
pub(crate) fn report(error: &dyn Error) {
    let mut line = format!("local-sim: {error}");
    let mut cause = error.source();
    while let Some(error) = cause {
        let text = error.to_string();
        // Libraries often repeat their own cause.
        if !line.contains(&text) {
            line = format!("{line}: {text}");
        }
        cause = error.source();
    }
    let _ = writeln!(io::stderr(), "{line}");
}

/// Connections are closed and `$disconnect`s run for this long after the first signal; then functions are killed.
const SHUTDOWN_MAX: Duration = Duration::from_millis(2200);
/// The variable with the URL of the stage, for the function of `push`.
const CALLBACK_URL: &str = "CALLBACK_URL";
/// Where Kafka usually is.
const KAFKA_PORT: u16 = 9092;
/// Where the console usually is.
const CONSOLE_DEFAULT: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 3002);
const FIRST_MESSAGE: &str = r#"{"action":"chat","room":"r1","text":"hi","id":"1"}"#;
