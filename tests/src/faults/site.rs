//! The Kafka that the functions use during a fault, and how they connect.

use super::fault::Fault;
use crate::admin::Admin;
use crate::cluster::Cluster;
use crate::proxy::Proxy;
use crate::secured_kafka::{Listener, SecuredKafka};
use crate::simulator::Launch;

/// The functions' user name and password.
pub(super) const USERNAME: &str = "under-load";
pub(super) const OURS: &str = "the-password-that-functions-know";

/// A Kafka cluster, with the addresses for functions and for checks.
#[derive(Debug)]
pub(super) struct Site {
    /// The bootstrap addresses for functions.
    brokers: String,
    /// Further environment variables for the connection.
    variables: Vec<(&'static str, String)>,
    /// The proxies in front of the brokers, if any.
    pub(super) proxies: Vec<Proxy>,
    /// The brokers' own addresses, to check what is stored.
    pub(super) direct: String,
    /// An admin client.
    pub(super) admin: Admin,
}

impl Site {
    /// The site for a fault: the cluster, or a secured broker.
    pub(super) async fn of(fault: Fault, cluster: &Cluster) -> Self {
        match fault {
            Fault::PasswordsChanged => Self::with_password().await,
            Fault::CertificatesBad => Self::with_certificate().await,
            _ => Self {
                brokers: cluster.brokers(),
                variables: Vec::new(),
                proxies: cluster.proxies().await,
                direct: cluster.direct(),
                admin: cluster.admin(),
            },
        }
    }

    /// A broker with SCRAM passwords and short sessions.
    async fn with_password() -> Self {
        let kafka = SecuredKafka::shared().await;
        kafka.set_password(USERNAME, OURS).await;
        Self {
            brokers: kafka.address(Listener::Brief),
            variables: vec![
                ("KAFKA_SECURITY_PROTOCOL", "SASL_PLAINTEXT".to_owned()),
                ("KAFKA_SASL_MECHANISM", "SCRAM-SHA-256".to_owned()),
                ("KAFKA_SASL_USERNAME", USERNAME.to_owned()),
                ("KAFKA_SASL_PASSWORD", OURS.to_owned()),
            ],
            proxies: Vec::new(),
            direct: kafka.address(Listener::Plaintext),
            admin: kafka.admin(),
        }
    }

    /// A broker with TLS, behind a proxy that can redirect to other listeners.
    async fn with_certificate() -> Self {
        let kafka = SecuredKafka::shared().await;
        Self {
            brokers: kafka.proxy_address(),
            variables: vec![
                ("KAFKA_SECURITY_PROTOCOL", "SSL".to_owned()),
                ("KAFKA_SSL_CA", kafka.authority.clone()),
            ],
            proxies: vec![kafka.start_proxy().await],
            direct: kafka.address(Listener::Plaintext),
            admin: kafka.admin(),
        }
    }

    /// Configures the functions of a launch to use this Kafka.
    pub(super) fn given_to(&self, launch: Launch) -> Launch {
        let launch = launch.kafka(&self.brokers);
        let variables = self.variables.iter();
        variables.fold(launch, |launch, (name, value)| launch.env(name, value))
    }
}
