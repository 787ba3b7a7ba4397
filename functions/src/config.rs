//! The configuration, read once from the environment.

use std::path::{Path, PathBuf};

use sluice_aws::{NotInLambda, NotText, function_name, require_text, variable};
use sluice_contract::{Contract, FileError};
use sluice_kafka::{Settings, SettingsError};
use thiserror::Error;

/// The file name of the contract beside `bootstrap`.
const CONTRACT_FILE: &str = "gateway.yaml";

/// The variables that determine its path.
const CONTRACT: &str = "SLUICE_CONTRACT";
const TASK_ROOT: &str = "LAMBDA_TASK_ROOT";

/// The configuration of a function.
#[derive(Debug, Clone)]
pub struct Config {
    /// `SLUICE_CONTRACT`: the path of the contract. The default is `gateway.yaml` in
    /// `LAMBDA_TASK_ROOT`, where Lambda unpacks the function, or in the working directory if that
    /// is unset.
    pub contract: PathBuf,
    /// The variable that determined the path.
    contract_variable: &'static str,
    /// `AWS_LAMBDA_FUNCTION_NAME`: the `client.id` that brokers see.
    pub client_id: String,
    /// `KAFKA_*`: the cluster, and how to connect to it.
    pub kafka: Settings,
}

impl Config {
    /// Reads the process's environment.
    ///
    /// # Errors
    /// The first variable that is missing or cannot be used.
    pub fn from_env() -> Result<Self, ConfigError> {
        require_text()?;
        Self::from_lookup(variable)
    }

    /// Reads the variables with `lookup`. An empty variable counts as unset, unless it is required.
    ///
    /// # Errors
    /// The first variable that is missing or cannot be used.
    pub fn from_lookup(lookup: impl Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        let set = |name| lookup(name).filter(|value| !value.is_empty());
        let client_id = function_name(&lookup)?;
        let (contract_variable, contract) = match set(CONTRACT) {
            Some(file) => (CONTRACT, PathBuf::from(file)),
            None => (
                TASK_ROOT,
                Path::new(&set(TASK_ROOT).unwrap_or_default()).join(CONTRACT_FILE),
            ),
        };
        Ok(Self {
            contract,
            contract_variable,
            client_id,
            kafka: Settings::from_lookup(&lookup)?,
        })
    }

    /// Reads the contract, which defines where the records of this function go.
    ///
    /// # Errors
    /// The contract is missing or wrong, or a route of this function has no topic.
    pub fn load_contract(&self, function: &str) -> Result<Contract, ConfigError> {
        let refused = |source| ConfigError::Contract {
            variable: self.contract_variable,
            source,
        };
        let contract = Contract::load(&self.contract).map_err(refused)?;
        contract.require_topics(function).map_err(refused)?;
        Ok(contract)
    }
}

/// A variable that is missing or invalid.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ConfigError {
    /// A variable of Lambda is missing: this is not Lambda.
    #[error(transparent)]
    NotInLambda(#[from] NotInLambda),
    /// A variable is not UTF-8.
    #[error(transparent)]
    NotText(#[from] NotText),
    /// The contract at the path of a variable is missing or invalid.
    #[error("{variable}: {source}")]
    Contract {
        /// The variable's name.
        variable: &'static str,
        /// The error.
        source: FileError,
    },
    /// A `KAFKA_*` variable.
    #[error(transparent)]
    Kafka(#[from] SettingsError),
}

#[cfg(test)]
mod tests {
    use super::*;

    const LAMBDA: [(&str, &str); 5] = [
        ("AWS_LAMBDA_RUNTIME_API", "127.0.0.1:9001"),
        ("AWS_LAMBDA_FUNCTION_NAME", "message"),
        ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST"),
        ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256"),
        ("KAFKA_BROKERS", "a:1"),
    ];

    /// Lambda's environment, with these variables set besides; an empty one replaces.
    fn check(more: &[(&str, &str)]) -> Result<Config, String> {
        let find = |variables: &[(&str, &str)], name: &str| {
            let found = variables.iter().find(|(found, _)| *found == name);
            found.map(|(_, value)| (*value).to_owned())
        };
        Config::from_lookup(|name| find(more, name).or_else(|| find(&LAMBDA, name)))
            .map_err(|err| err.to_string())
    }

    fn contract(more: &[(&str, &str)]) -> PathBuf {
        check(more).expect("a config").contract
    }

    #[test]
    fn a_contract_that_cannot_be_read_is_named_with_its_variable() {
        let config = check(&[("SLUICE_CONTRACT", "/nowhere/c.yaml")]).expect("a config");
        let error = config
            .load_contract("message")
            .expect_err("nothing there")
            .to_string();
        assert!(
            error.starts_with("SLUICE_CONTRACT: /nowhere/c.yaml"),
            "{error}"
        );
    }

    #[test]
    fn what_is_no_address_is_no_runtime_api() {
        let error = check(&[("AWS_LAMBDA_RUNTIME_API", "not an address")]).expect_err("blanks");
        assert!(error.contains("AWS_LAMBDA_RUNTIME_API"), "{error}");
    }

    #[test]
    fn the_contract_is_beside_bootstrap_unless_told_otherwise() {
        let root = ("LAMBDA_TASK_ROOT", "/var/task");
        assert_eq!(contract(&[]), Path::new("gateway.yaml"));
        assert_eq!(contract(&[root]), Path::new("/var/task/gateway.yaml"));
        assert_eq!(
            contract(&[root, ("SLUICE_CONTRACT", "/tmp/c.yaml")]),
            Path::new("/tmp/c.yaml")
        );
        assert_eq!(
            contract(&[root, ("SLUICE_CONTRACT", "")]),
            Path::new("/var/task/gateway.yaml")
        );
    }

    #[test]
    fn brokers_see_the_functions_name() {
        let config = check(&[]).expect("a config");
        assert_eq!(config.client_id, "message");
        assert_eq!(config.kafka.brokers, ["a:1"]);
    }

    #[test]
    fn a_wrong_variable_is_named() {
        for name in LAMBDA.map(|(name, _)| name) {
            let error = check(&[(name, "")]).expect_err("a missing variable");
            assert!(error.starts_with(name), "{error}");
        }
        let memory = ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "much");
        assert!(check(&[memory]).is_err_and(|err| err.starts_with(memory.0)));
    }
}
