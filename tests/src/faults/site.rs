//! Which Kafka the functions are given in a fault, and how.

use super::fault::Fault;
use crate::admin::Admin;
use crate::cluster::Cluster;
use crate::proxy::Proxy;
use crate::secured_kafka::{Listener, SecuredKafka};
use crate::simulator::Launch;

/// Who the functions say that they are, and their password.
pub(super) const USERNAME: &str = "under-load";
pub(super) const OURS: &str = "the-password-that-functions-know";

/// A Kafka, as the functions see it and as it is.
#[derive(Debug)]
pub(super) struct Site {
    /// What functions bootstrap from.
    brokers: String,
    /// How they connect.
    variables: Vec<(&'static str, String)>,
    /// Before each broker, where there are any.
    pub(super) proxies: Vec<Proxy>,
    /// The brokers themselves, for who checks what is stored.
    pub(super) direct: String,
    /// Who looks after its topics.
    pub(super) admin: Admin,
}

impl Site {
    /// Where that fault happens: to the cluster, or to a broker that is secured.
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

    /// A broker whose users have passwords, and to be asked for them time and again.
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

    /// A broker with a certificate, behind a proxy that may lead to others.
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

    /// Has functions connect with it.
    pub(super) fn given_to(&self, launch: Launch) -> Launch {
        let launch = launch.kafka(&self.brokers);
        let variables = self.variables.iter();
        variables.fold(launch, |launch, (name, value)| launch.env(name, value))
    }
}
