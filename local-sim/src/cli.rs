//! The command line.

mod values;

use std::{net::SocketAddr, path::PathBuf, sync::Arc};

use clap::Parser;
use local_sim_gateway::{
    self as gateway, AuthorizerContext, ConnectionsAuth, InvalidUtf8, JsonReading, Observer,
    PlainGet,
};

use crate::log::LogFormat;

/// Runs API Gateway's WebSocket APIs, Lambda and Kafka on this machine, for the functions of a contract.
#[derive(Debug, Parser)]
#[command(version, max_term_width = 100)]
pub struct Options {
    /// The contract
    #[arg(long, value_name = "PATH", default_value = "gateway.yaml")]
    pub contract: PathBuf,
    /// The address of WebSockets and `@connections`; port 0 selects a free port
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:3001", value_parser = values::address)]
    pub listen: SocketAddr,
    /// The API's stage
    #[arg(long, value_name = "NAME", default_value = "dev", value_parser = values::stage)]
    pub stage: String,
    /// A custom domain: requests with this `Host` have no stage in their path
    #[arg(long, value_name = "NAME", value_parser = values::domain_name)]
    pub domain_name: Option<String>,
    /// The address of the console; without this option a free port is used if the default is taken
    /// [default: 127.0.0.1:3002]
    #[arg(long, value_name = "ADDR", value_parser = values::address)]
    pub console: Option<SocketAddr>,
    /// Faults from the start, in YAML, as for `/api/faults` of the console
    #[arg(long, value_name = "FILE")]
    pub faults: Option<PathBuf>,
    /// How messages are parsed to select their route: `lenient` (names need no quotes) or `strict`
    #[arg(long, value_name = "HOW", default_value = "lenient", value_parser = values::json)]
    pub json: JsonReading,
    /// How events show numbers and booleans of an authorizer's context: `strings` or `typed`
    #[arg(long, value_name = "AS", default_value = "strings", value_parser = values::authorizer_context)]
    pub authorizer_context: AuthorizerContext,
    /// Which requests `@connections` accepts: `signed` (any key with a well-formed, fresh signature; the
    /// simulator's own key must sign correctly), `strict` (the simulator's own key only) or `off` (all)
    #[arg(long, value_name = "MODE", default_value = "signed", value_parser = values::connections_auth)]
    pub connections_auth: ConnectionsAuth,
    /// Enforces an account's quotas: 500 new connections a second, 10,000 requests a second with a burst of 5,000
    #[arg(long)]
    pub account_quotas: bool,
    /// Writes an access log to this file; `-` is standard error
    #[arg(long, value_name = "PATH")]
    pub access_log: Option<PathBuf>,
    /// The format of the access log, with `$context` variables [default: JSON]
    #[arg(long, value_name = "FORMAT", requires = "access_log")]
    pub access_log_format: Option<String>,
    /// Whether a client's pings and pongs reset the idle timeout
    #[arg(long, value_name = "BOOL", default_value_t = true, action = clap::ArgAction::Set)]
    pub ping_resets_idle: bool,
    /// The text sent to a client whose message is throttled
    #[arg(long, value_name = "TEXT", default_value = "Too Many Requests")]
    pub throttled_message: String,
    /// How invalid UTF-8 posted to a client is handled: `replace` (with U+FFFD) or `refuse` (400)
    #[arg(long, value_name = "HOW", default_value = "replace", value_parser = values::invalid_utf8)]
    pub invalid_utf8: InvalidUtf8,
    /// The status of a GET of the WebSocket URL without an upgrade: 426 or 403
    #[arg(long, value_name = "STATUS", default_value = "426", value_parser = values::plain_get)]
    pub plain_get: PlainGet,
    /// Uses this cluster instead of the embedded broker, with the `KAFKA_…` settings of --env or of the
    /// environment
    #[arg(long, value_name = "HOST:PORT,...", value_parser = values::brokers, conflicts_with_all = ["kafka_listen"])]
    pub kafka: Option<String>,
    /// Creates the contract's missing topics on that cluster, with its default replication
    #[arg(long, requires = "kafka")]
    pub create_topics: bool,
    /// The address of the embedded broker; port 0 selects a free port
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:9092", value_parser = values::kafka_listen)]
    pub kafka_listen: SocketAddr,
    /// The number of partitions of topics that local-sim creates
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(i32).range(1..=1000))]
    pub partitions: i32,
    /// Runs this executable as function NAME of the contract: any program that speaks the Runtime API
    /// (repeatable)
    #[arg(long = "function", value_name = "NAME=PATH", value_parser = values::function)]
    pub functions: Vec<(String, PathBuf)>,
    /// An environment variable for every function; overrides those that local-sim sets, AWS_* too (repeatable)
    #[arg(long = "env", value_name = "NAME=VALUE", value_parser = values::variable)]
    pub environment: Vec<(String, String)>,
    /// The maximum of concurrent invocations of all functions; more are throttled
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = values::concurrency)]
    pub account_concurrency: usize,
    /// How long an invocation waits for one of a few busy environments before another is started; 0 starts
    /// one at once, as Lambda does
    #[arg(long, value_name = "MS", default_value_t = 5, value_parser = clap::value_parser!(u64).range(0..=60_000))]
    pub scale_after: u64,
    /// Ends environments that are idle for this long
    #[arg(long, value_name = "SECONDS", default_value_t = 600, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub reap_after: u64,
    /// The source tree of our functions [default: the one that local-sim was built from]
    #[arg(long, value_name = "PATH")]
    pub source: Option<PathBuf>,
    /// Uses the existing binaries of the functions
    #[arg(long)]
    pub no_build: bool,
    /// Reloads functions when their executable changes, and builds ours when their source changes (unless
    /// --no-build)
    #[arg(long)]
    pub watch: bool,
    /// The format of the log on standard error: `events` (one line each), `lambda` (the lines of Lambda and of
    /// functions) or `json` (one object a line)
    #[arg(long, value_name = "FORMAT", default_value = "events", value_parser = values::log)]
    pub log: LogFormat,
    /// Logs warnings only
    #[arg(long)]
    pub quiet: bool,
    /// Prints the endpoints as one JSON object in one line, once clients can connect
    #[arg(long)]
    pub ready_json: bool,
}

impl Options {
    /// The options of the gateway.
    pub(crate) fn gateway(&self, observer: Arc<dyn Observer>) -> gateway::Options {
        gateway::Options {
            stage: self.stage.clone(),
            domain_name: self.domain_name.clone(),
            access_log: self.access_log.clone(),
            access_log_format: self.access_log_format.clone(),
            authorizer_context: self.authorizer_context,
            json: self.json,
            connections_auth: self.connections_auth,
            account_quotas: self.account_quotas,
            ping_resets_idle: self.ping_resets_idle,
            throttled_message: self.throttled_message.clone(),
            invalid_utf8: self.invalid_utf8,
            plain_get: self.plain_get,
            observer: Some(observer),
        }
    }
}

impl Default for Options {
    /// The options of a command line without arguments.
    fn default() -> Self {
        Self::parse_from(["local-sim"])
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    fn check(arguments: &[&str]) -> Result<Options, String> {
        let all = ["local-sim"].iter().chain(arguments);
        Options::try_parse_from(all).map_err(|error| error.to_string())
    }

    #[test]
    fn the_command_line_is_consistent() {
        Options::command().debug_assert();
    }

    #[test]
    fn every_flag_is_in_the_readme_with_its_default() {
        let readme = include_str!("../README.md");
        for argument in Options::command().get_arguments() {
            let long = argument.get_long().expect("there are only flags");
            let line = readme
                .lines()
                .find(|line| line.trim_start().starts_with(&format!("--{long} ")))
                .unwrap_or_else(|| panic!("--{long} is not in local-sim/README.md"));
            for default in argument.get_default_values() {
                let default = default.to_str().unwrap();
                assert!(
                    line.contains(default) || default == "false",
                    "{line} lacks {default}"
                );
            }
        }
    }

    #[test]
    fn functions_and_variables_are_repeatable() {
        let options = check(&[
            "--function",
            "a=/bin/a",
            "--function",
            "b=b",
            "--env",
            "X=1=2",
            "--env",
            "Y=",
        ])
        .unwrap();
        assert_eq!(
            options.functions,
            [
                ("a".to_owned(), "/bin/a".into()),
                ("b".to_owned(), "b".into())
            ]
        );
        let variables =
            [("X", "1=2"), ("Y", "")].map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(options.environment, variables);
    }

    #[test]
    fn what_cannot_be_is_refused_by_name() {
        for (arguments, named) in [
            (["--listen", "nowhere"], "--listen"),
            (["--stage", "a b"], "--stage"),
            (["--stage", "ping"], "--stage"),
            (["--partitions", "0"], "--partitions"),
            (["--account-concurrency", "many"], "--account-concurrency"),
            (["--scale-after", "1s"], "--scale-after"),
            (["--reap-after", "0"], "--reap-after"),
            (["--function", "message"], "NAME=PATH"),
            (["--env", "=1"], "NAME=VALUE"),
            (["--create-topics", "--no-build"], "--kafka"),
            (["--console", "example.com:3002"], "--console"),
            (["--domain-name", "http://a"], "--domain-name"),
            (["--domain-name", "a:3001"], "--domain-name"),
            (["--connections-auth", "on"], "--connections-auth"),
            (["--invalid-utf8", "drop"], "--invalid-utf8"),
            (["--plain-get", "404"], "--plain-get"),
            (["--ping-resets-idle", "1"], "--ping-resets-idle"),
            (["--access-log-format", "$context.stage"], "--access-log"),
        ] {
            let error = check(&arguments).unwrap_err();
            assert!(error.contains(named), "{error}");
        }
    }
}
