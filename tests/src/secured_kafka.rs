//! One real Apache Kafka broker with a listener for each security mode, valid or misconfigured.

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Child;
use std::time::Duration;

use rskafka::client::{ClientBuilder, Credentials, SaslConfig};
use tempfile::TempDir;
use tokio::sync::OnceCell;
use tokio::time::timeout;

use crate::admin::Admin;
use crate::certificates::{Authority, Identity};
use crate::msk::{self, Msk};
use crate::proxy::Proxy;
use crate::real_kafka::{STARTS_MAX, free_ports, run_node};
use crate::wait::eventually;

/// The name that the broker's certificates are for.
pub const HOST: &str = "localhost";

/// The user of every mechanism.
pub const USERNAME: &str = "sluice";

/// A listener of the broker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listener {
    /// Plaintext, to read back records written over other listeners.
    Plaintext,
    /// TLS.
    Ssl,
    /// SASL with all mechanisms.
    SaslPlaintext,
    /// SASL over TLS with all mechanisms.
    SaslSsl,
    /// SASL with sessions of only [`SESSION_MS`].
    Brief,
    /// TLS with an expired certificate.
    Expired,
    /// TLS with a self-signed certificate.
    SelfSigned,
    /// TLS with a certificate for another name.
    OtherName,
    /// Plaintext, advertised as [`SecuredKafka::msk_address`].
    BehindMsk,
    /// TLS, advertised as [`SecuredKafka::proxy_address`].
    BehindProxy,
}

/// Each listener's name in the broker's settings, and its protocol, in the order of [`Listener`].
const LISTENERS: [(&str, &str); 10] = [
    ("PLAINTEXT", "PLAINTEXT"),
    ("SSL", "SSL"),
    ("SASL_PLAINTEXT", "SASL_PLAINTEXT"),
    ("SASL_SSL", "SASL_SSL"),
    ("BRIEF", "SASL_PLAINTEXT"),
    ("EXPIRED", "SSL"),
    ("SELF_SIGNED", "SSL"),
    ("OTHER_NAME", "SSL"),
    ("BEHIND_MSK", "PLAINTEXT"),
    ("BEHIND_PROXY", "SSL"),
];

/// How long a session of [`Listener::Brief`] lasts, in milliseconds. The broker then closes the
/// connection unless the client reauthenticates, which rskafka does not.
pub const SESSION_MS: u32 = 1000;

/// Timeout of one attempt to connect.
const CONNECT_MAX: Duration = Duration::from_secs(2);

/// The broker that all tests of this process share.
#[derive(Debug)]
pub struct SecuredKafka {
    /// The certificate authority, in PEM.
    pub authority: String,
    /// The path of the file that holds `authority`.
    pub authority_file: PathBuf,
    /// The broker's valid certificate and its key.
    pub identity: Identity,
    /// The advertised address of [`Listener::BehindMsk`].
    msk: TcpListener,
    /// The advertised port of [`Listener::BehindProxy`].
    proxy: u16,
    ports: [u16; LISTENERS.len()],
    /// Held to keep its standard input open.
    _node: Child,
}

/// The password of [`USERNAME`] with a mechanism.
pub fn password(mechanism: &str) -> String {
    format!("s3cret/of+{mechanism}")
}

impl SecuredKafka {
    /// The broker of this process, which ends with the process.
    pub async fn shared() -> &'static Self {
        static SHARED: OnceCell<SecuredKafka> = OnceCell::const_new();
        SHARED.get_or_init(Self::start).await
    }

    async fn start() -> Self {
        for _ in 0..STARTS_MAX {
            if let Some(kafka) = Self::start_node().await {
                return kafka;
            }
        }
        panic!("the Kafka broker did not start in {STARTS_MAX} attempts (see its log above)");
    }

    async fn start_node() -> Option<Self> {
        let directory = TempDir::new().unwrap().keep();
        let authority = Authority::new();
        let identity = authority.identity(HOST);
        let authority_file = directory.join("authority.pem");
        fs::write(&authority_file, &authority.certificate).unwrap();
        let keystores = [
            (Listener::Ssl, identity.clone()),
            (Listener::SaslSsl, identity.clone()),
            (Listener::Expired, authority.expired(HOST)),
            (Listener::SelfSigned, Identity::self_signed(HOST)),
            (Listener::OtherName, authority.identity("elsewhere.example")),
            (Listener::BehindProxy, identity.clone()),
        ];
        let msk = TcpListener::bind("127.0.0.1:0").unwrap();
        let [controller, proxy, ports @ ..] = free_ports::<{ LISTENERS.len() + 2 }>();
        let mut advertised = ports;
        advertised[Listener::BehindProxy as usize] = proxy;
        advertised[Listener::BehindMsk as usize] = msk.local_addr().unwrap().port();
        let mut settings = settings(&directory, controller, &ports, &advertised);
        for (listener, identity) in keystores {
            settings += &keystore(&directory, listener, &identity);
        }
        for listener in [Listener::SaslPlaintext, Listener::SaslSsl, Listener::Brief] {
            settings += &mechanisms(listener);
        }
        let addresses = ports.map(|port| format!("127.0.0.1:{port}"));
        let users = users();
        let users: Vec<&str> = users.iter().map(String::as_str).collect();
        let node = run_node(&directory, &settings, &users, &addresses).await?;
        Some(Self {
            authority: authority.certificate,
            authority_file,
            identity,
            msk,
            proxy,
            ports,
            _node: node,
        })
    }

    /// A listener's port.
    pub fn port(&self, listener: Listener) -> u16 {
        self.ports[listener as usize]
    }

    /// A listener's address, with the host name that its certificate should match.
    pub fn address(&self, listener: Listener) -> String {
        format!("{HOST}:{}", self.port(listener))
    }

    /// The address on which [`Self::start_msk`] listens.
    pub fn msk_address(&self) -> String {
        format!("{HOST}:{}", self.msk.local_addr().unwrap().port())
    }

    /// Starts an MSK IAM listener in front of the broker. Only one can run at a time, since the
    /// address is fixed.
    pub fn start_msk(&self, credentials: msk::Credentials) -> Msk {
        let listener = self.msk.try_clone().unwrap();
        let broker = self.port(Listener::BehindMsk);
        Msk::start(listener, &self.identity, credentials, broker)
    }

    /// The address on which [`Self::start_proxy`] listens.
    pub fn proxy_address(&self) -> String {
        format!("{HOST}:{}", self.proxy)
    }

    /// Starts a proxy in front of [`Listener::BehindProxy`]. Only one can run at a time, since the
    /// address is fixed.
    pub async fn start_proxy(&self) -> Proxy {
        Proxy::start(self.proxy, self.port(Listener::BehindProxy)).await
    }

    /// An admin client for topics, ACLs and passwords.
    pub fn admin(&self) -> Admin {
        Admin::new([self.port(Listener::Plaintext)])
    }

    /// Sets a user's SCRAM-SHA-256 password and waits until the broker accepts it.
    pub async fn set_password(&self, username: &str, password: &str) {
        self.admin().set_password(username, password).await;
        let address = self.address(Listener::SaslPlaintext);
        eventually("the broker takes a password", async || {
            let credentials = Credentials::new(username.to_owned(), password.to_owned());
            let connecting = ClientBuilder::new(vec![address.clone()])
                .sasl_config(SaslConfig::ScramSha256(credentials))
                .build();
            // rskafka retries a refused login forever.
            let connected = timeout(CONNECT_MAX, Box::pin(connecting)).await;
            connected.is_ok_and(|it| it.is_ok()).then_some(())
        })
        .await;
    }
}

/// The settings of one node that is broker and controller, without its listeners' security.
///
/// Topics without ACLs are open to all users, and the anonymous user may do everything.
fn settings(directory: &Path, controller: u16, ports: &[u16], advertised: &[u16]) -> String {
    let addresses = |host: &str, ports: &[u16]| {
        let named = LISTENERS.iter().zip(ports);
        let addresses: Vec<_> = named
            .map(|((name, _), port)| format!("{name}://{host}:{port}"))
            .collect();
        addresses.join(",")
    };
    let protocols: Vec<_> = LISTENERS
        .iter()
        .map(|(name, protocol)| format!("{name}:{protocol}"))
        .collect();
    format!(
        "process.roles=broker,controller\n\
         node.id=1\n\
         controller.quorum.voters=1@127.0.0.1:{controller}\n\
         listeners={},CONTROLLER://127.0.0.1:{controller}\n\
         advertised.listeners={}\n\
         listener.security.protocol.map={},CONTROLLER:PLAINTEXT\n\
         inter.broker.listener.name=PLAINTEXT\n\
         controller.listener.names=CONTROLLER\n\
         log.dirs={}\n\
         auto.create.topics.enable=false\n\
         offsets.topic.replication.factor=1\n\
         group.initial.rebalance.delay.ms=0\n\
         authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer\n\
         allow.everyone.if.no.acl.found=true\n\
         super.users=User:ANONYMOUS\n\
         listener.name.brief.scram-sha-256.connections.max.reauth.ms={SESSION_MS}\n",
        addresses("127.0.0.1", ports),
        addresses(HOST, advertised),
        protocols.join(","),
        directory.join("data").display(),
    )
}

/// The settings that give a TLS listener this identity.
fn keystore(directory: &Path, listener: Listener, identity: &Identity) -> String {
    let name = LISTENERS[listener as usize].0.to_lowercase();
    let file = directory.join(&name).with_extension("pem");
    fs::write(&file, identity.key.clone() + &identity.certificate).unwrap();
    format!(
        "listener.name.{name}.ssl.keystore.type=PEM\n\
         listener.name.{name}.ssl.keystore.location={}\n",
        file.display()
    )
}

/// The settings that enable all mechanisms on a SASL listener. They contain the PLAIN user; SCRAM
/// users are in the cluster's metadata.
fn mechanisms(listener: Listener) -> String {
    const MODULES: &str = "org.apache.kafka.common.security";
    let name = LISTENERS[listener as usize].0.to_lowercase();
    let plain = password("PLAIN");
    format!(
        "listener.name.{name}.sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256,SCRAM-SHA-512\n\
         listener.name.{name}.plain.sasl.jaas.config=\
         {MODULES}.plain.PlainLoginModule required user_{USERNAME}=\"{plain}\";\n\
         listener.name.{name}.scram-sha-256.sasl.jaas.config=\
         {MODULES}.scram.ScramLoginModule required;\n\
         listener.name.{name}.scram-sha-512.sasl.jaas.config=\
         {MODULES}.scram.ScramLoginModule required;\n"
    )
}

/// The arguments of `StorageTool format` that set the SCRAM passwords of [`USERNAME`].
fn users() -> Vec<String> {
    let argument = |mechanism: &str| {
        let password = password(mechanism);
        format!("{mechanism}=[name={USERNAME},password={password}]")
    };
    ["SCRAM-SHA-256", "SCRAM-SHA-512"]
        .into_iter()
        .flat_map(|mechanism| ["--add-scram".to_owned(), argument(mechanism)])
        .collect()
}
