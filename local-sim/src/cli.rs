//! The command line.

use std::{net::SocketAddr, path::PathBuf};

use clap::Parser;

/// Runs API Gateway's WebSocket APIs, Lambda and Kafka on this machine, for the functions of a contract.
#[derive(Debug, Parser)]
#[command(version, max_term_width = 100)]
pub(crate) struct Options {
    /// The contract: which routes there are, and what serves them
    #[arg(long, value_name = "PATH", default_value = "gateway.yaml")]
    pub(crate) contract: PathBuf,
    /// Where WebSockets and `@connections` are served; port 0 takes any free one
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:3001")]
    pub(crate) listen: SocketAddr,
    /// The API's stage
    #[arg(long, value_name = "NAME", default_value = "dev", value_parser = stage)]
    pub(crate) stage: String,
    /// Uses this cluster instead of the embedded broker, with the `KAFKA_…` settings of --env, else of
    /// the environment
    #[arg(long, value_name = "HOST:PORT,...", conflicts_with_all = ["kafka_listen"])]
    pub(crate) kafka: Option<String>,
    /// Creates the contract's topics on that cluster where they are missing (its default replication)
    #[arg(long, requires = "kafka")]
    pub(crate) create_topics: bool,
    /// Where the embedded broker listens; port 0 takes any free one
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:9092")]
    pub(crate) kafka_listen: SocketAddr,
    /// Partitions of topics that local-sim creates
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(i32).range(1..=1000))]
    pub(crate) partitions: i32,
    /// Runs this executable as function NAME: one of ours, or a new name for the contract to use
    /// (any program that speaks the Runtime API; repeatable)
    #[arg(long = "function", value_name = "NAME=PATH", value_parser = function)]
    pub(crate) functions: Vec<(String, PathBuf)>,
    /// An environment variable for every function; wins over what local-sim itself would set, AWS_* too (repeatable)
    #[arg(long = "env", value_name = "NAME=VALUE", value_parser = variable)]
    pub(crate) environment: Vec<(String, String)>,
    /// Invocations that may be under way at once, of all functions; beyond, they are throttled
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = concurrency)]
    pub(crate) account_concurrency: usize,
    /// Where a few environments are busy, an invocation waits this long for one of them before another is
    /// started; 0 starts one at once, as Lambda does
    #[arg(long, value_name = "MS", default_value_t = 5, value_parser = clap::value_parser!(u64).range(0..=60_000))]
    pub(crate) scale_after: u64,
    /// Ends an environment that is idle for so long
    #[arg(long, value_name = "SECONDS", default_value_t = 600, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub(crate) reap_after: u64,
    /// Uses the functions' binaries that are there
    #[arg(long)]
    pub(crate) no_build: bool,
    /// Reloads functions while it runs: ours when their source has changed, which builds them (but with
    /// --no-build), others when their executable has
    #[arg(long)]
    pub(crate) watch: bool,
}

fn stage(text: &str) -> Result<String, String> {
    let legal = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if matches!(text, "ping" | "sping") {
        return Err("`ping` and `sping` are API Gateway's own".to_owned());
    }
    if text.is_empty() || text.len() > STAGE_NAME_MAX || !text.chars().all(legal) {
        return Err(format!(
            "expected 1 to {STAGE_NAME_MAX} of letters, digits, `-` and `_`"
        ));
    }
    Ok(text.to_owned())
}

fn function(text: &str) -> Result<(String, PathBuf), String> {
    let (name, path) = assignment(text, "NAME=PATH")?;
    Ok((name, path.into()))
}

fn variable(text: &str) -> Result<(String, String), String> {
    assignment(text, "NAME=VALUE")
}

fn concurrency(text: &str) -> Result<usize, String> {
    let count = text.parse().ok().filter(|it| *it <= CONCURRENCY_MAX);
    count.ok_or_else(|| format!("expected a whole number up to {CONCURRENCY_MAX}"))
}

fn assignment(text: &str, expected: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() && !text.contains('\0') => {
            Ok((name.to_owned(), value.to_owned()))
        }
        _ => Err(format!("expected {expected}")),
    }
}

/// <https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-execution-service-websocket-limits-table.html>
const STAGE_NAME_MAX: usize = 128;
/// More processes than any machine takes; catches slips.
const CONCURRENCY_MAX: usize = 100_000;

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
        let readme = include_str!("../../README.md");
        for argument in Options::command().get_arguments() {
            let long = argument.get_long().expect("there are only flags");
            let line = readme
                .lines()
                .find(|line| line.trim_start().starts_with(&format!("--{long} ")))
                .unwrap_or_else(|| panic!("--{long} is not in README.md"));
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
        ] {
            let error = check(&arguments).unwrap_err();
            assert!(error.contains(named), "{error}");
        }
    }
}
