//! The contract as JSON for Terraform, with every default filled in.

use std::{collections::BTreeSet, time::Duration};

use serde_json::{Map, Value, json};

use crate::{
    authorizer::{Authorizer, IdentitySource},
    contract::Contract,
    function::Function,
    push::{Push, StartingPosition},
    route::Route,
};

impl Contract {
    /// The JSON that `infra/package` writes as `contract.json`.
    ///
    /// Equal contracts give equal JSON. An omitted field without a default is null.
    pub fn deployment(&self) -> Value {
        let routes = self.routes.iter().map(|(key, value)| (key, route(value)));
        let functions = self
            .function_names()
            .into_iter()
            .map(|name| (name, function(&self.function(name), &self.topics_of(name))));
        json!({
            "route_selection_expression": self.route_selection_expression.to_string(),
            "routes": object(routes),
            "authorizer": self.authorizer.as_ref().map(authorizer),
            "stage": {
                "rate_limit": self.stage.throttling.rate_limit,
                "burst_limit": self.stage.throttling.burst_limit,
                "variables": self.stage.variables,
            },
            "functions": object(functions),
            "push": self.push.as_ref().map(push),
            "topics": self.topics(),
        })
    }

    /// The topics that a function writes to.
    fn topics_of(&self, function: &str) -> BTreeSet<&str> {
        let routes = self.routes.values();
        routes
            .filter(|route| route.function == function)
            .filter_map(|route| route.topic.as_deref())
            .collect()
    }
}

fn route(route: &Route) -> Value {
    json!({
        "function": route.function,
        "topic": route.topic,
        "route_response": route.route_response,
        "timeout_millis": route.timeout.as_millis(),
        "rate_limit": route.throttling.rate_limit,
        "burst_limit": route.throttling.burst_limit,
    })
}

fn authorizer(authorizer: &Authorizer) -> Value {
    match authorizer {
        Authorizer::Lambda {
            function,
            identity_source,
        } => json!({
            "type": "REQUEST",
            "function": function,
            "identity_sources": Vec::from_iter(identity_source.iter().map(IdentitySource::to_string)),
        }),
        Authorizer::AwsIam => json!({
            "type": "AWS_IAM",
            "function": null,
            "identity_sources": [],
        }),
    }
}

fn function(function: &Function, topics: &BTreeSet<&str>) -> Value {
    json!({
        "timeout_seconds": function.timeout.as_secs(),
        "memory_size": function.memory_size,
        "reserved": function.reserved_concurrent_executions,
        "max_concurrency": function.max_concurrency,
        "environment": function.environment,
        "topics": topics,
    })
}

/// As in Lambda's API, -1 means no limit.
fn push(push: &Push) -> Value {
    json!({
        "function": push.function,
        "topics": push.topics,
        "batch_size": push.batch_size,
        "batching_window_seconds": push.maximum_batching_window.as_secs(),
        "starting_position": match push.starting_position {
            StartingPosition::Latest => "LATEST",
            StartingPosition::TrimHorizon => "TRIM_HORIZON",
        },
        "retry_attempts": push.maximum_retry_attempts.map_or(-1, i64::from),
        "record_age_seconds": push.maximum_record_age.map_or(-1, seconds),
        "bisect": push.bisect_batch_on_function_error,
        "dead_letter": push.dead_letter,
    })
}

fn seconds(time: Duration) -> i128 {
    time.as_secs().into()
}

fn object<'a, N: ToString + 'a>(entries: impl Iterator<Item = (N, Value)>) -> Map<String, Value> {
    entries
        .map(|(name, value)| (name.to_string(), value))
        .collect()
}
