//! The `KAFKA_…` variables, which functions get and topics are checked with.

use std::{
    collections::BTreeMap,
    env,
    ffi::{OsStr, OsString},
};

use sluice_kafka::BROKERS;
use thiserror::Error;

/// The `KAFKA_…` variables of every function, unless the contract or `--env` overrides them.
///
/// They may hold a password, so nothing prints them.
pub(crate) struct Variables(BTreeMap<String, String>);

impl Variables {
    /// The variables for the embedded broker. Those of local-sim's environment belong to another cluster.
    pub(crate) fn embedded(broker: &str) -> Self {
        Self(BTreeMap::from([(BROKERS.to_owned(), broker.to_owned())]))
    }

    /// The variables for a cluster: its brokers, and every other `KAFKA_…` of local-sim's environment.
    ///
    /// # Errors
    /// A variable is not UTF-8.
    pub(crate) fn cluster(brokers: &str) -> Result<Self, NotText> {
        Self::inheriting(brokers, env::vars_os())
    }

    fn inheriting(
        brokers: &str,
        own: impl Iterator<Item = (OsString, OsString)>,
    ) -> Result<Self, NotText> {
        let Self(mut variables) = Self::embedded(brokers);
        for (name, value) in own {
            let Some(name) = name.to_str().filter(|name| name.starts_with(PREFIX)) else {
                continue;
            };
            if !variables.contains_key(name) {
                let value = text(name, &value)?;
                variables.insert(name.to_owned(), value);
            }
        }
        Ok(Self(variables))
    }

    /// The value that a function finds, unless the contract overrides it: the last one of `--env`, else ours.
    ///
    /// `--env` does not override the brokers here, since the topics of the `--kafka` cluster are checked.
    pub(crate) fn find(&self, name: &str, given: &[(String, String)]) -> Option<String> {
        let given = given
            .iter()
            .rfind(|(given, _)| given == name && name != BROKERS)
            .map(|(_, value)| value);
        given.or_else(|| self.0.get(name)).cloned()
    }

    /// All variables, for a function.
    pub(crate) fn all(&self) -> impl Iterator<Item = (String, String)> {
        self.0.clone().into_iter()
    }
}

/// A variable that cannot be passed to a function. Its value may be secret and is not shown.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{0} in the environment is not UTF-8")]
pub struct NotText(String);

fn text(name: &str, value: &OsStr) -> Result<String, NotText> {
    value
        .to_str()
        .map(str::to_owned)
        .ok_or_else(|| NotText(name.to_owned()))
}

/// The prefix of all settings.
const PREFIX: &str = "KAFKA_";

#[cfg(test)]
mod tests {
    use std::os::unix::ffi::OsStringExt as _;

    use super::*;

    const OWN: [(&str, &str); 4] = [
        ("HOME", "/root"),
        ("KAFKA_BROKERS", "other:1"),
        ("KAFKA_SASL_PASSWORD", "own"),
        ("KAFKA_SASL_USERNAME", "own"),
    ];

    fn inherited() -> Variables {
        let own = OWN.map(|(name, value)| (name.into(), value.into()));
        Variables::inheriting("b:1", own.into_iter()).expect("texts")
    }

    /// The value of a variable, with these in `--env`.
    fn check(name: &str, given: &[(&str, &str)]) -> Option<String> {
        let given: Vec<_> = given
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        inherited().find(name, &given)
    }

    fn found(value: &str) -> Option<String> {
        Some(value.to_owned())
    }

    #[test]
    fn a_variable_is_that_of_env_before_that_of_the_environment() {
        let given = [
            ("KAFKA_SASL_PASSWORD", "given"),
            ("KAFKA_SASL_PASSWORD", "last"),
            ("AWS_REGION", "eu-west-1"),
        ];
        assert_eq!(check("KAFKA_SASL_PASSWORD", &[]), found("own"));
        assert_eq!(check("KAFKA_SASL_PASSWORD", &given), found("last"));
        assert_eq!(check("KAFKA_SASL_USERNAME", &given), found("own"));
        assert_eq!(check("AWS_REGION", &given), found("eu-west-1"));
        assert_eq!(
            check("KAFKA_SASL_PASSWORD", &[("KAFKA_SASL_PASSWORD", "")]),
            found("")
        );
    }

    #[test]
    fn the_brokers_are_those_of_the_flag() {
        assert_eq!(check("KAFKA_BROKERS", &[]), found("b:1"));
        assert_eq!(
            check("KAFKA_BROKERS", &[("KAFKA_BROKERS", "proxy:1")]),
            found("b:1")
        );
    }

    #[test]
    fn of_the_environment_functions_get_what_is_kafkas() {
        assert_eq!(check("HOME", &[]), None);
        let all: Vec<_> = inherited().all().collect();
        let expected = [
            ("KAFKA_BROKERS", "b:1"),
            ("KAFKA_SASL_PASSWORD", "own"),
            ("KAFKA_SASL_USERNAME", "own"),
        ];
        assert_eq!(
            all,
            expected.map(|(name, value)| (name.to_owned(), value.to_owned()))
        );
    }

    #[test]
    fn with_the_embedded_broker_the_environment_does_not_count() {
        let all: Vec<_> = Variables::embedded("b:1").all().collect();
        assert_eq!(all, [("KAFKA_BROKERS".to_owned(), "b:1".to_owned())]);
    }

    #[test]
    fn what_is_no_text_is_named_where_it_matters() {
        let check = |name: &str| {
            let own = [(OsString::from(name), OsString::from_vec(vec![b'p', 0xff]))];
            Variables::inheriting("b:1", own.into_iter())
                .err()
                .map(|error| error.to_string())
        };
        assert_eq!(
            check("KAFKA_SASL_PASSWORD"),
            Some("KAFKA_SASL_PASSWORD in the environment is not UTF-8".to_owned())
        );
        assert_eq!(check("KAFKA_BROKERS"), None);
        assert_eq!(check("EDITOR"), None);
    }
}
