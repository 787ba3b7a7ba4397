//! A relay on loopback between rskafka and the brokers, one per connection to
//! a cluster.
//!
//! ```text
//! rskafka ─SOCKS5▶ Relay ─TCP, NODELAY─[TLS]▶ broker
//!                    │ tells: throttled until, credentials refused or how long
//!                    │ they last, what broke, which topics there are
//!                    ▼
//!                   Seen
//! ```
//!
//! rskafka opens its sockets itself and leaves Nagle's algorithm on, so that a
//! request over 8 KiB, which it writes in two pieces, waits for a delayed
//! acknowledgement (40 ms). It takes a throttled produce, which the broker
//! has stored before it throttles (KIP-219), for one to be sent again. It lets
//! brokers create each topic that it asks about. And of what a broker says
//! about refused credentials it passes nothing on. All of this is cured here,
//! on the way, where rskafka offers the one seam it has: a proxy. What it hears
//! of topics as it connects, and keeps to itself, is told as well, so that nobody
//! has to ask for all of them once more.
//!
//! Any process of the machine may use the relay while it lives. It reaches
//! nothing through it that it could not reach itself: what authenticates a
//! client is sent by rskafka, never by the relay. What a broker of its choice
//! says to it is taken for the cluster's word, though, on throttles and, while
//! rskafka connects, on topics: who runs beside a function is trusted so far.

mod answers;
mod api_versions;
mod dial;
mod fields;
mod frames;
mod handover;
mod link;
mod literal;
mod metadata;
mod requests;
mod sasl;
mod seen;
mod socks;

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use rustls::ClientConfig;
use tokio::{
    net::{TcpListener, TcpStream},
    task::JoinSet,
    time::{sleep, timeout},
};

use self::{
    dial::{Dialler, LinkError},
    socks::Broker,
};
pub(crate) use self::{
    dial::{Upstream, open},
    frames::ANSWER_BYTES_MAX,
    handover::Handover,
    literal::disguised,
    seen::Seen,
};
pub use self::{
    metadata::PartitionCounts,
    seen::{Refusal, Troubles},
};

/// Relays until it is dropped, and all of its sockets with it.
#[derive(Debug)]
pub(crate) struct Relay {
    address: SocketAddr,
    seen: Arc<Seen>,
    /// The task that accepts, which owns all others.
    _accepting: JoinSet<()>,
}

impl Relay {
    /// Listens on loopback, and speaks to brokers in TLS where that is given.
    pub(crate) async fn start(tls: Option<Arc<ClientConfig>>) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let seen = Arc::new(Seen::listing());
        let mut accepting = JoinSet::new();
        accepting.spawn(accept(listener, Dialler::new(tls), Arc::clone(&seen)));
        Ok(Self {
            address,
            seen,
            _accepting: accepting,
        })
    }

    /// Where the relay takes SOCKS5 requests.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// What the relay saw that rskafka does not tell.
    pub(crate) fn seen(&self) -> &Seen {
        &self.seen
    }
}

/// Each link takes three file descriptors (the two ends on loopback, the one to
/// the broker), of the 1,024 that Lambda gives to a process.
const LINKS_MAX: usize = 256;

/// Most likely there are no file descriptors left: wait for some to be freed.
const ACCEPT_PAUSE: Duration = Duration::from_millis(10);

async fn accept(listener: TcpListener, dialler: Dialler, seen: Arc<Seen>) {
    let mut links = JoinSet::new();
    loop {
        while links.try_join_next().is_some() {}
        match listener.accept().await {
            Ok((client, _)) => {
                let is_full = links.len() >= LINKS_MAX;
                links.spawn(link(client, is_full, dialler.clone(), Arc::clone(&seen)));
            }
            Err(_) => sleep(ACCEPT_PAUSE).await,
        }
    }
}

/// Serves one connection of rskafka from its first byte to its last.
async fn link(mut client: TcpStream, is_full: bool, dialler: Dialler, seen: Arc<Seen>) {
    // On loopback the peer is rskafka, or nobody that is owed an answer.
    let Ok(Ok(broker)) = timeout(socks::REQUEST_MAX, socks::request(&mut client)).await else {
        return;
    };
    // What broke is told before `client` is answered or closed, so that who
    // learns from that finds out why.
    match dialled(&broker, is_full, &dialler).await {
        Ok(upstream) => {
            seen.reached(&broker);
            if socks::accept(&mut client).await.is_ok()
                && let Err(error) = upstream.relay(&mut client, &seen).await
            {
                seen.broke(&broker, error);
                seen.cut();
            }
        }
        Err(error) => {
            seen.broke(&broker, error);
            // The client may be gone by now, which is as well.
            let _ = socks::refuse(&mut client).await;
        }
    }
}

async fn dialled(broker: &Broker, is_full: bool, dialler: &Dialler) -> Result<Upstream, LinkError> {
    if is_full {
        return Err(LinkError::TooMany(LINKS_MAX));
    }
    dialler.dial(broker).await
}

#[cfg(test)]
mod tests;
