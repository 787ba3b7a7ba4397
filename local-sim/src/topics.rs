//! The contract's topics on a real cluster: checked, or created on request.

use std::{collections::BTreeSet, error::Error, time::Duration};

use sluice_kafka::{ConnectError, Connection, Settings, SettingsError};
use thiserror::Error;
use tokio::time::{Instant, sleep, timeout};

/// Checks that a cluster has all `topics`. With `create`, creates the missing ones with that many partitions.
///
/// It connects with the settings that functions find with `lookup`.
///
/// # Errors
/// The cluster is not reachable, or does not have the topics.
pub(crate) async fn ensure(
    brokers: &str,
    lookup: impl Fn(&str) -> Option<String>,
    topics: &BTreeSet<&str>,
    create: Option<i32>,
) -> Result<(), TopicsError> {
    let settings = Settings::from_lookup(lookup).map_err(TopicsError::Settings)?;
    let unreachable = |source| TopicsError::Unreachable {
        brokers: brokers.to_owned(),
        source: Box::new(source),
    };
    let failed = |what: String, source| TopicsError::Failed {
        brokers: brokers.to_owned(),
        what,
        source,
    };
    let client = connect(&settings).await.map_err(unreachable)?;
    let listed = bounded(client.list_topics())
        .await
        .map_err(|source| failed("cannot list its topics".into(), source))?;
    let known: BTreeSet<&str> = listed.iter().map(|topic| topic.name.as_str()).collect();
    let missing: Vec<String> = topics
        .difference(&known)
        .map(|&name| name.to_owned())
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    let Some(partitions) = create else {
        return Err(TopicsError::Missing {
            brokers: brokers.to_owned(),
            topics: missing,
        });
    };
    for topic in missing {
        bounded(client.create_topic(&topic, partitions))
            .await
            .map_err(|source| failed(format!("cannot create topic {topic}"), source))?;
    }
    Ok(())
}

/// Connects, and retries while no broker is reachable, since one may be starting. Refused credentials are final.
async fn connect(settings: &Settings) -> Result<Connection, ConnectError> {
    let end = Instant::now() + CONNECT_MAX;
    loop {
        let left = end.saturating_duration_since(Instant::now());
        match settings.connect_once(CLIENT_ID, left).await {
            Err(ConnectError::Failed { .. }) if Instant::now() + CONNECT_MIN < end => {
                sleep(PAUSE).await;
            }
            outcome => return outcome,
        }
    }
}

/// Waits for the cluster's response, with a timeout.
async fn bounded<T, E: Error + Send + Sync + 'static>(
    answer: impl Future<Output = Result<T, E>>,
) -> Result<T, Box<dyn Error + Send + Sync>> {
    Ok(timeout(ANSWER_MAX, answer).await??)
}

/// Why the contract's topics cannot be used.
#[derive(Debug, Error)]
pub enum TopicsError {
    /// A variable is missing or invalid.
    #[error("--kafka")]
    Settings(#[source] SettingsError),
    /// No broker responds.
    #[error("--kafka {brokers}: the cluster cannot be reached")]
    Unreachable {
        brokers: String,
        #[source]
        source: Box<ConnectError>,
    },
    /// The cluster answered with an error, or stopped answering.
    #[error("--kafka {brokers}: the cluster answers, but {what}")]
    Failed {
        brokers: String,
        what: String,
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
    /// The contract names topics that the cluster does not have.
    #[error("--kafka {brokers}: the cluster has no topic {}; --create-topics creates what is missing", .topics.join(", "))]
    Missing {
        brokers: String,
        topics: Vec<String>,
    },
}

/// The `client.id` that brokers see.
const CLIENT_ID: &str = "local-sim";
/// How long connecting may take in all.
const CONNECT_MAX: Duration = Duration::from_secs(4);
/// The least time left for another attempt.
const CONNECT_MIN: Duration = Duration::from_secs(1);
/// The pause between two attempts.
const PAUSE: Duration = Duration::from_millis(250);
/// How long each response may take.
const ANSWER_MAX: Duration = Duration::from_secs(10);

#[cfg(test)]
#[path = "topics/tests.rs"]
mod tests;
