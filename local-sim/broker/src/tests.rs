//! Tests the broker over a socket, as clients use it.

mod client;
mod control;
mod faults;
mod fetch;
mod groups;
mod produce;
mod protocol;
pub(super) mod samples;
mod topics;
mod wire;

use std::{
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};

use tokio::{task::JoinSet, time::timeout};
use tokio_util::sync::CancellationToken;

use self::wire::Wire;
use super::{Broker, Options, RETENTION_BYTES_DEFAULT, control::Control};

/// A broker that runs until it is dropped.
struct Running {
    address: SocketAddr,
    control: Control,
    shutdown: CancellationToken,
    serving: JoinSet<()>,
}

const OPTIONS: Options = Options {
    partitions_default: 3,
    retention_bytes: RETENTION_BYTES_DEFAULT,
};
const ANY_PORT: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);
/// No operation takes this long unless it hangs.
const TIMEOUT: Duration = Duration::from_secs(20);

impl Running {
    async fn start() -> Self {
        Self::start_with(OPTIONS).await
    }

    /// Starts a broker with the topic `t` of two partitions.
    async fn start_with(options: Options) -> Self {
        let broker = Broker::bind(ANY_PORT, options).await.unwrap();
        broker.create_topic("t", 2).unwrap();
        let address = broker.local_addr();
        let control = broker.control();
        let shutdown = CancellationToken::new();
        let mut serving = JoinSet::new();
        serving.spawn(broker.serve(shutdown.clone()));
        Self {
            address,
            control,
            shutdown,
            serving,
        }
    }

    async fn connect(&self) -> Wire {
        Wire::connect(self.address).await
    }
}

#[tokio::test]
async fn binding_a_port_in_use_fails_with_addr_in_use() {
    let first = Running::start().await;
    let second = Broker::bind(first.address, OPTIONS).await;
    assert_eq!(second.unwrap_err().kind(), std::io::ErrorKind::AddrInUse);
}

#[tokio::test]
async fn shutdown_closes_idle_connections_and_waiting_fetches() {
    let mut broker = Running::start().await;
    let mut idle = broker.connect().await;
    let mut waiting = broker.connect().await;
    waiting
        .send(11, &samples::fetch(0, 0).with_max_wait_ms(60_000))
        .await;
    idle.list_offset(0, -1).await;

    broker.shutdown.cancel();

    timeout(TIMEOUT, broker.serving.join_next())
        .await
        .unwrap()
        .unwrap()
        .unwrap();
    assert!(idle.is_closed().await);
    assert!(waiting.is_closed().await);
}
