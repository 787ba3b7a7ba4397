//! Identity sources: values that a request must contain for the authorizer to be invoked.

use std::fmt;

use sluice_contract::IdentitySource;

use crate::{event::caller::Upgrade, log::variables::Variables};

/// The first identity source that is missing or empty in a request.
pub(crate) fn first_missing<'a>(
    sources: &'a [IdentitySource],
    variables: &Variables<'_>,
    upgrade: &Upgrade,
) -> Option<Name<'a>> {
    sources
        .iter()
        .find(|source| !is_present(source, variables, upgrade))
        .map(Name)
}

fn is_present(source: &IdentitySource, variables: &Variables<'_>, upgrade: &Upgrade) -> bool {
    match source {
        IdentitySource::Header(name) => upgrade
            .headers
            .iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(name))
            .is_some_and(|(_, values)| any_non_empty(values)),
        IdentitySource::QueryString(name) => upgrade
            .query
            .iter()
            .find(|(known, _)| known == name)
            .is_some_and(|(_, values)| any_non_empty(values)),
        IdentitySource::StageVariable(name) => variables
            .stage
            .variables
            .get(name)
            .is_some_and(|value| !value.is_empty()),
        IdentitySource::Context(name) => {
            variables.find(name).is_some_and(|value| !value.is_empty())
        }
    }
}

fn any_non_empty(values: &[String]) -> bool {
    values.iter().any(|value| !value.is_empty())
}

/// Displays an identity source as the contract names it.
pub(crate) struct Name<'a>(&'a IdentitySource);

impl fmt::Display for Name<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            IdentitySource::Header(name) => write!(f, "route.request.header.{name}"),
            IdentitySource::QueryString(name) => write!(f, "route.request.querystring.{name}"),
            IdentitySource::StageVariable(name) => write!(f, "stageVariables.{name}"),
            IdentitySource::Context(name) => write!(f, "context.{name}"),
        }
    }
}
