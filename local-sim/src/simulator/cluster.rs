//! The Kafka cluster: the embedded broker, or that of `--kafka`.

use local_sim_broker::{self as broker, Broker};
use local_sim_mapping::Mapping;
use sluice_contract::{Contract, Push};
use sluice_kafka::Settings;

use super::error::StartError;
use crate::{cli::Options, topics, variables::Variables};

/// The Kafka cluster that functions write to.
pub(super) struct Cluster {
    pub(super) brokers: String,
    pub(super) variables: Variables,
    pub(super) embedded: Option<Broker>,
}

impl Cluster {
    /// Finds the cluster of `--kafka`, which has the contract's topics afterwards; `None` without the option.
    pub(super) async fn find(
        options: &Options,
        contract: &Contract,
    ) -> Result<Option<Self>, StartError> {
        let Some(brokers) = &options.kafka else {
            return Ok(None);
        };
        let variables = Variables::cluster(brokers)?;
        topics::ensure(
            brokers,
            |name| variables.find(name, &options.environment),
            &contract.topics(),
            options.create_topics.then_some(options.partitions),
        )
        .await?;
        Ok(Some(Self {
            brokers: brokers.clone(),
            variables,
            embedded: None,
        }))
    }

    /// Starts the embedded broker, with the contract's topics.
    pub(super) async fn embedded(
        options: &Options,
        contract: &Contract,
    ) -> Result<Self, StartError> {
        let broker = bind(options).await?;
        for topic in contract.topics() {
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

/// Binds the embedded broker's address.
pub(super) async fn bind(options: &Options) -> Result<Broker, StartError> {
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
    Broker::bind(address, settings)
        .await
        .map_err(|source| StartError::Listen {
            flag: "--kafka-listen",
            address,
            hint,
            source,
        })
}

/// What the event source mapping reads, and with which settings.
pub(super) struct Subscription {
    push: Push,
    group: String,
    settings: Settings,
}

impl Subscription {
    /// The subscription of the contract's `push`, if there is one. It connects with the functions' settings.
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

    /// Starts the mapping.
    pub(super) async fn start(self) -> Result<Mapping, local_sim_mapping::StartError> {
        Mapping::start(&self.push, &self.group, self.settings).await
    }
}

/// Kafka's default port.
const KAFKA_PORT: u16 = 9092;
