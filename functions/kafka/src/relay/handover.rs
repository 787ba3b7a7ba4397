//! A connection that rskafka opens and authenticates, and another takes over.
//!
//! ```text
//! rskafka ─SOCKS5▶ Handover ─TCP─[TLS]▶ broker     until rskafka is done
//! another ─────────────────────────────▶ broker     from then on
//! ```
//!
//! rskafka knows every mechanism of SASL, and keeps its connections to itself.
//! It is let connect through here, and once it is dropped, with nothing under
//! way, what is left is a connection that the broker trusts.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
};

use rustls::ClientConfig;
use tokio::{
    net::{TcpListener, TcpStream},
    task::JoinSet,
    time::timeout,
};

use super::{
    dial::{Dialler, Upstream},
    link,
    seen::Seen,
    socks,
};

/// Waits for the one connection that it hands over.
pub(crate) struct Handover {
    address: SocketAddr,
    seen: Arc<Seen>,
    /// The one task, which ends with the connection.
    relaying: JoinSet<Option<Upstream>>,
}

impl Handover {
    /// Listens on loopback, and speaks to the broker in TLS where that is given.
    pub(crate) async fn start(tls: Option<Arc<ClientConfig>>) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let seen = Arc::new(Seen::default());
        let mut relaying = JoinSet::new();
        relaying.spawn(relay_one(listener, Dialler::new(tls), Arc::clone(&seen)));
        Ok(Self {
            address,
            seen,
            relaying,
        })
    }

    /// Where it takes a SOCKS5 request.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// What it saw that rskafka does not tell.
    pub(crate) fn seen(&self) -> &Seen {
        &self.seen
    }

    /// The connection, once the client that opened it has been dropped; none
    /// where it broke.
    pub(crate) async fn taken(mut self) -> Option<Upstream> {
        self.relaying.join_next().await?.ok()?
    }
}

/// Serves the first connection until its client is dropped. There is no second
/// one: a client that tries again is refused by then.
async fn relay_one(listener: TcpListener, dialler: Dialler, seen: Arc<Seen>) -> Option<Upstream> {
    let (mut client, _) = listener.accept().await.ok()?;
    drop(listener);
    let broker = timeout(socks::REQUEST_MAX, socks::request(&mut client))
        .await
        .ok()?
        .ok()?;
    let relayed = async {
        let mut upstream = dialler.dial(&broker).await?;
        // A client that is gone shows when its bytes are read.
        let _ = socks::accept(&mut client).await;
        relay(&mut client, &mut upstream, &seen).await?;
        Ok(upstream)
    };
    match relayed.await {
        Ok(upstream) => Some(upstream),
        Err(error) => {
            seen.broke(&broker, error);
            let _ = socks::refuse(&mut client).await;
            None
        }
    }
}

async fn relay(
    client: &mut TcpStream,
    upstream: &mut Upstream,
    seen: &Seen,
) -> Result<(), super::LinkError> {
    match upstream {
        Upstream::Plain(broker) => link::relay(client, broker, seen).await,
        Upstream::Tls(broker) => link::relay(client, broker, seen).await,
    }
}
