//! A relay on loopback between rskafka and the brokers, one per connection to
//! a cluster.
//!
//! ```text
//! rskafka ─SOCKS5▶ Relay ─request──▶ TCP, NODELAY ─[TLS]▶ broker
//!                    ◀────answer────
//!                    │ throttled until, credentials refused or how long they
//!                    ▼ last, links that were cut, topics
//!                  State
//! ```
//!
//! rskafka opens its sockets itself and leaves Nagle's algorithm on, so that a
//! request over 8 KiB, which it writes in two pieces, waits for a delayed
//! acknowledgement (40 ms). It takes a throttled produce, which the broker
//! has stored before it throttles (KIP-219), for one to be sent again. It lets
//! brokers create each topic that it asks about. It drops the reason that a
//! broker gives for refusing credentials. The relay cures all of this on the
//! way, since rskafka has no other seam than a proxy: it reads whole frames and
//! edits them. It also keeps the list of topics that rskafka asks for as it
//! connects, so that it need not be asked for again.
//!
//! Any process of the machine may use the relay while it lives. It reaches
//! nothing through it that it could not reach itself: what authenticates a
//! client is sent by rskafka, never by the relay. But what a broker of its choice
//! says on throttles and, while rskafka connects, on topics is taken for the
//! cluster's answer: processes beside a function are trusted so far.

mod answer;
mod api_versions;
mod broker_errors;
mod dial;
mod error;
mod fields;
mod frame;
mod host;
mod link;
mod metadata;
mod quickack;
mod request;
mod sasl;
mod socks;
mod state;

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
use tokio_rustls::TlsConnector;

pub use self::{
    broker_errors::BrokerErrors,
    dial::{BrokerStream, Duplex},
    metadata::PartitionCounts,
    sasl::Refusal,
};
use self::{dial::dial, error::LinkError};
pub(crate) use self::{dial::open, frame::FRAME_BYTES_MAX, host::encode_host, state::State};

/// Relays until it is dropped, and closes all of its sockets then.
#[derive(Debug)]
pub(crate) struct Relay {
    /// Where the relay takes SOCKS5 requests.
    pub(crate) address: SocketAddr,
    /// What the relay finds out that rskafka does not tell.
    pub(crate) state: Arc<State>,
    /// The task that accepts, which owns all others. It ends where there is a
    /// single connection.
    accepting: JoinSet<Option<BrokerStream>>,
}

impl Relay {
    /// Listens on loopback, and speaks to brokers in TLS where that is given.
    pub(crate) async fn start(tls: Option<Arc<ClientConfig>>) -> io::Result<Self> {
        Self::listen(tls, State::listing(), false).await
    }

    /// Listens likewise for a single connection. A client that tries again is
    /// refused.
    pub(crate) async fn start_single(tls: Option<Arc<ClientConfig>>) -> io::Result<Self> {
        Self::listen(tls, State::default(), true).await
    }

    async fn listen(
        tls: Option<Arc<ClientConfig>>,
        state: State,
        is_single: bool,
    ) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let (tls, state) = (tls.map(TlsConnector::from), Arc::new(state));
        let mut accepting = JoinSet::new();
        accepting.spawn(accept(listener, tls, Arc::clone(&state), is_single));
        Ok(Self {
            address,
            state,
            accepting,
        })
    }

    /// The single connection with a broker, once the client that opened it has
    /// been dropped; none where it broke.
    ///
    /// rskafka knows every mechanism of SASL, and keeps its connections to
    /// itself. When its client is dropped with nothing under way, a connection
    /// is left that the broker trusts.
    pub(crate) async fn into_stream(mut self) -> Option<BrokerStream> {
        self.accepting.join_next().await?.ok()?
    }
}

/// Each link takes three file descriptors (the two ends on loopback, the one to
/// the broker), of the 1,024 that Lambda gives to a process.
const LINKS_MAX: usize = 256;

/// Most likely there are no file descriptors left: wait for some to be freed.
const ACCEPT_PAUSE: Duration = Duration::from_millis(10);

async fn accept(
    listener: TcpListener,
    tls: Option<TlsConnector>,
    state: Arc<State>,
    is_single: bool,
) -> Option<BrokerStream> {
    let mut links = JoinSet::new();
    loop {
        while links.try_join_next().is_some() {}
        let Ok((client, _)) = listener.accept().await else {
            sleep(ACCEPT_PAUSE).await;
            continue;
        };
        let is_full = links.len() >= LINKS_MAX;
        let served = serve(client, is_full, tls.clone(), Arc::clone(&state));
        if is_single {
            drop(listener);
            return served.await;
        }
        links.spawn(async move { drop(served.await) });
    }
}

/// Serves one connection of rskafka from its first byte to its last. The
/// connection with the broker is left, unless it broke.
async fn serve(
    mut client: TcpStream,
    is_full: bool,
    tls: Option<TlsConnector>,
    state: Arc<State>,
) -> Option<BrokerStream> {
    // On loopback the peer is rskafka, or a process that needs no answer.
    let asked = timeout(socks::REQUEST_MAX, socks::request(&mut client)).await;
    let broker = asked.ok()??;
    let dialled = if is_full {
        Err(LinkError::TooMany(LINKS_MAX))
    } else {
        dial(tls.as_ref(), &broker).await
    };
    // An error is noted before `client` is answered or closed, so that it is
    // there once rskafka fails.
    let mut upstream = match dialled {
        Ok(upstream) => upstream,
        Err(error) => {
            state.failed(&broker, error);
            // The client may be gone by now.
            let _ = socks::reply(&mut client, socks::GENERAL_FAILURE).await;
            return None;
        }
    };
    state.reached(&broker);
    let accepted = socks::reply(&mut client, socks::SUCCEEDED).await;
    accepted.ok()?;
    let ended = link::relay(&mut client, &mut upstream, &state).await;
    ended.map_err(|error| state.failed(&broker, error)).ok()?;
    Some(upstream)
}

#[cfg(test)]
mod tests;
