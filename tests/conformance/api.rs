//! The APIs that rows are tested on: each a contract, started in a simulator or deployed elsewhere.

use std::path::Path;
use std::time::Duration;

use serde_json::json;
use sluice_sigv4::query_string;
use tests::http::{Response, connection_url, send};
use tests::probe::Step;
use tests::sigv4::Signer;
use tests::simulator::{Launch, Simulator};

use crate::socket::{Handshake, Socket};

/// An API as a contract describes it.
#[derive(Debug)]
pub(crate) struct Deployment {
    /// The contract's file, without its ending.
    pub(crate) name: &'static str,
    contract: &'static str,
    /// The functions, all of which are the probe.
    functions: &'static [&'static str],
}

macro_rules! deployment {
    ($name:literal, $functions:expr) => {
        Deployment {
            name: $name,
            contract: include_str!(concat!("contracts/", $name, ".yaml")),
            functions: &$functions,
        }
    };
}

pub(crate) const STANDARD: &Deployment =
    &deployment!("standard", ["probe", "probe-brief", "probe-refused"]);
pub(crate) const BARE: &Deployment = &deployment!("bare", ["probe"]);
pub(crate) const CONSTANT: &Deployment = &deployment!("constant", ["probe"]);
pub(crate) const AUTHORIZER: &Deployment =
    &deployment!("authorizer", ["probe", "probe-authorizer"]);
pub(crate) const IAM: &Deployment = &deployment!("iam", ["probe"]);
pub(crate) const HASTY: &Deployment = &deployment!("hasty", ["probe"]);
pub(crate) const BRIEF: &Deployment = &deployment!("brief", ["probe-brief"]);
pub(crate) const REFUSED: &Deployment = &deployment!("refused", ["probe-refused"]);
pub(crate) const THROTTLED: &Deployment = &deployment!("throttled", ["probe"]);

impl Deployment {
    /// The variables that say where it is deployed: the URL for clients, the one for `@connections`.
    pub(crate) fn variables(&self) -> [String; 2] {
        let infix = match self.name {
            "standard" => String::new(),
            name => format!("{}_", name.to_ascii_uppercase()),
        };
        ["WS", "HTTP"].map(|kind| format!("CONFORMANCE_{infix}{kind}"))
    }

    fn launch(&self, contract: &str, program: &Path) -> Launch {
        let launch = Launch::default().contract(contract);
        self.functions
            .iter()
            .fold(launch, |launch, name| launch.executable(name, program))
    }

    /// Starts a simulator of it for one test, which looks for new versions of this program in the probe's place.
    pub(crate) async fn simulate_watched(&self, program: &Path) -> Api {
        let launch = self.launch(self.contract, program);
        Api::of(launch.start(&["--watch"]).await, Signer::default())
    }

    /// Starts a simulator of it for one test, with these flags.
    pub(crate) async fn simulate(&self, flags: &[&str]) -> Api {
        self.simulate_with(&[], flags).await
    }

    /// Starts a simulator of it for one test, with texts of the contract replaced.
    pub(crate) async fn simulate_with(&self, changes: &[(&str, &str)], flags: &[&str]) -> Api {
        let contract = changes
            .iter()
            .fold(self.contract.to_owned(), |contract, (from, to)| {
                assert!(contract.contains(from), "{from} is not in {}", self.name);
                contract.replace(from, to)
            });
        let simulator = self.launch(&contract, Path::new(PROBE)).start(flags).await;
        Api::of(simulator, Signer::default())
    }
}

/// The function of every deployment.
pub(crate) const PROBE: &str = env!("CARGO_BIN_EXE_probe");

/// An API that runs.
#[derive(Debug)]
pub(crate) struct Api {
    /// What clients connect to, the stage included.
    pub(crate) websocket: String,
    /// What `@connections` is below of, the stage included.
    pub(crate) endpoint: String,
    pub(crate) signer: Signer,
    /// None where it is deployed elsewhere.
    pub(crate) simulator: Option<Simulator>,
}

impl Api {
    /// Whether the suite is aimed at another gateway than the simulator.
    pub(crate) fn is_elsewhere() -> bool {
        variable("CONFORMANCE_WS").is_some()
    }

    /// Starts the API, or finds it elsewhere, where it may be missing.
    pub(crate) async fn find(deployment: &Deployment, signer: &Signer) -> Option<Self> {
        if !Self::is_elsewhere() {
            return Some(deployment.simulate(&[]).await);
        }
        let [websocket, endpoint] = deployment.variables().map(|name| variable(&name));
        Some(Self {
            websocket: websocket?,
            endpoint: endpoint?.trim_end_matches("/@connections").to_owned(),
            signer: signer.clone(),
            simulator: None,
        })
    }

    fn of(simulator: Simulator, signer: Signer) -> Self {
        Self {
            websocket: simulator.websocket.clone(),
            endpoint: simulator.connections.replace("/@connections", ""),
            signer,
            simulator: Some(simulator),
        }
    }

    /// What its simulator has said.
    pub(crate) fn log(&self) -> Option<String> {
        self.simulator.as_ref().map(Simulator::stderr)
    }

    /// The stage, which the URLs end with.
    pub(crate) fn stage(&self) -> &str {
        self.websocket.rsplit('/').next().unwrap()
    }

    /// A handshake that has not been sent yet.
    pub(crate) fn handshake(&self) -> Handshake {
        Handshake::new(&self.websocket)
    }

    /// A handshake whose query has these parameters.
    pub(crate) fn asking(&self, parameters: &[(&str, &str)]) -> Handshake {
        Handshake::new(&format!("{}?{}", self.websocket, query_string(parameters)))
    }

    /// A handshake whose `$connect` does this.
    pub(crate) fn doing(&self, steps: &[Step]) -> Handshake {
        self.asking(&[("do", &json!(steps).to_string())])
    }

    /// Opens a connection.
    pub(crate) async fn connect(&self) -> Socket {
        self.handshake().open().await
    }

    /// A connection that is told of events, and its id.
    pub(crate) async fn witness(&self) -> (Socket, String) {
        let mut socket = self.connect().await;
        let id = socket.connection_id().await;
        (socket, id)
    }

    /// The URL of a connection.
    pub(crate) fn connection_url(&self, id: &str) -> String {
        connection_url(&format!("{}/@connections", self.endpoint), id)
    }

    /// Calls `@connections` with a good signature.
    pub(crate) async fn manage(&self, method: &str, id: &str, body: &[u8]) -> Response {
        self.call(method, &self.connection_url(id), body).await
    }

    /// Sends a request with a good signature.
    pub(crate) async fn call(&self, method: &str, url: &str, body: &[u8]) -> Response {
        let headers = self.signer.headers(method, url, body);
        send(method, url, &headers, body).await
    }

    /// Moves the time of the simulator's timers.
    pub(crate) async fn advance(&self, by: Duration) {
        let simulator = self.simulator.as_ref().unwrap();
        simulator.advance(by.as_secs()).await;
    }

    /// Posts a text to a connection.
    ///
    /// # Panics
    /// Panics where it is not taken.
    pub(crate) async fn post(&self, id: &str, text: &str) {
        let response = self.manage("POST", id, text.as_bytes()).await;
        assert_eq!(response.status, 200, "{response:?}");
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "this module owns the settings of where APIs are"
)]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}
