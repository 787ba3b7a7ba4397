//! Where records go, and where those that are pushed come from.

use local_sim_broker::{self as broker, Broker};
use local_sim_mapping::Mapping;
use sluice_contract::{Contract, Push};
use sluice_kafka::Settings;

use super::error::StartError;
use crate::{cli::Options, topics, variables::Variables};

/// Where records go.
pub(super) struct Cluster {
    pub(super) brokers: String,
    pub(super) variables: Variables,
    pub(super) embedded: Option<Broker>,
}

impl Cluster {
    /// Starts the embedded broker, or finds the cluster that was asked for; the contract's topics are there then.
    pub(super) async fn start(options: &Options, contract: &Contract) -> Result<Self, StartError> {
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
        let settings = broker::Options {
            partitions_default: options.partitions,
            retention_bytes: broker::RETENTION_BYTES_DEFAULT,
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
pub(super) struct Subscription {
    push: Push,
    group: String,
    settings: Settings,
}

impl Subscription {
    /// That of the contract, if it has one. The cluster is connected with as functions do.
    pub(super) fn find(
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

    /// Joins the consumer group.
    pub(super) async fn start(self) -> Result<Mapping, local_sim_mapping::StartError> {
        Mapping::start(&self.push, &self.group, self.settings).await
    }
}

/// Where Kafka usually is.
const KAFKA_PORT: u16 = 9092;
