//! Connects to a broker over TCP and, if configured, TLS.

use std::{io, net::SocketAddr, pin::Pin, sync::Arc, time::Duration};

use rustls::{ClientConfig, pki_types::ServerName};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpStream, lookup_host},
    task::JoinSet,
    time::{sleep, timeout},
};
use tokio_rustls::TlsConnector;

use super::{broker_errors::BrokerErrors, error::LinkError, host::Broker};

/// A connection to a broker, already authenticated if SASL is configured.
pub type BrokerStream = Pin<Box<dyn Duplex>>;

/// A stream that can be read and written.
pub trait Duplex: AsyncRead + AsyncWrite + Send {}

impl<T: AsyncRead + AsyncWrite + Send> Duplex for T {}

/// The time limit for connecting, including TLS, and again for the first response.
///
/// It leaves time to try the next broker if one is silent.
pub(super) const DIAL_TIMEOUT: Duration = Duration::from_millis(800);

/// Connects to a broker, with TLS if `tls` is given.
pub(super) async fn dial(
    tls: Option<&TlsConnector>,
    broker: &Broker,
) -> Result<BrokerStream, LinkError> {
    let dialling = async {
        let socket = connect(broker).await.map_err(LinkError::Connect)?;
        let Some(tls) = tls else {
            return Ok(Box::pin(socket) as BrokerStream);
        };
        let name = ServerName::try_from(broker.host.clone())
            .map_err(|error| LinkError::Tls(io::Error::other(error)))?;
        let stream = tls.connect(name, socket).await.map_err(LinkError::Tls)?;
        Ok(Box::pin(stream) as BrokerStream)
    };
    timeout(DIAL_TIMEOUT, dialling)
        .await
        .unwrap_or(Err(LinkError::ConnectTimeout(DIAL_TIMEOUT)))
}

/// Connects to the broker at `HOST:PORT` directly, without a relay.
pub(crate) async fn open(
    tls: Option<Arc<ClientConfig>>,
    broker: &str,
) -> Result<BrokerStream, BrokerErrors> {
    let broker = Broker::parse(broker);
    let dialled = dial(tls.map(TlsConnector::from).as_ref(), &broker).await;
    dialled.map_err(|error| BrokerErrors::of(&broker, error))
}

/// Connects over TCP and disables Nagle's algorithm.
pub(super) async fn connect(broker: &Broker) -> io::Result<TcpStream> {
    let addresses = lookup_host((broker.host.as_str(), broker.port)).await?;
    let socket = connect_first(addresses.take(ADDRESSES_MAX)).await?;
    socket.set_nodelay(true)?;
    Ok(socket)
}

/// Connects to the first address that accepts.
///
/// Tries the next address when the previous one fails or has not responded within
/// [`ATTEMPT_DELAY`]: a name may resolve to an address without a broker, or of an unreachable
/// address family.
async fn connect_first(mut addresses: impl Iterator<Item = SocketAddr>) -> io::Result<TcpStream> {
    let mut connecting = JoinSet::new();
    let mut error = io::Error::other("the host name has no addresses");
    let mut next = addresses.next();
    loop {
        if let Some(address) = next.take() {
            connecting.spawn(TcpStream::connect(address));
            next = addresses.next();
        }
        tokio::select! {
            connected = connecting.join_next() => match connected {
                Some(Ok(Ok(socket))) => return Ok(socket),
                Some(Ok(Err(failed))) => error = failed,
                Some(Err(abandoned)) => error = abandoned.into(),
                None => return Err(error),
            },
            () = sleep(ATTEMPT_DELAY), if next.is_some() => {}
        }
    }
}

/// How long to wait for one address before trying the next one in parallel.
///
/// It is far longer than connecting within a region takes, and short enough to try all addresses
/// within [`DIAL_TIMEOUT`].
const ATTEMPT_DELAY: Duration = Duration::from_millis(100);
/// The most addresses of one host name that are tried.
const ADDRESSES_MAX: usize = 6;

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use tokio::net::{TcpListener, TcpSocket};

    use super::*;

    /// An address that neither accepts nor refuses connections, as behind a firewall: Linux drops
    /// SYN packets while the listener's accept queue is full.
    #[cfg(target_os = "linux")]
    async fn unresponsive() -> (SocketAddr, impl Sized) {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
        let listener = socket.listen(0).unwrap();
        let address = listener.local_addr().unwrap();
        let first = TcpStream::connect(address).await.unwrap();
        (address, (listener, first))
    }

    /// Far longer than trying all addresses takes, and far shorter than Linux's connect timeout.
    const CHECK_TIMEOUT: Duration = Duration::from_secs(10);

    async fn check(addresses: Vec<SocketAddr>) -> Result<SocketAddr, String> {
        let connecting = timeout(CHECK_TIMEOUT, connect_first(addresses.into_iter()));
        match connecting.await.expect("the connect does not time out") {
            Ok(socket) => Ok(socket.peer_addr().unwrap()),
            Err(error) => Err(error.to_string()),
        }
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn unresponsive_addresses_do_not_delay_the_next_one() {
        let (unresponsive, _held) = unresponsive().await;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let live = listener.local_addr().unwrap();
        for count in 0..ADDRESSES_MAX {
            let addresses = std::iter::repeat_n(unresponsive, count).chain([live, unresponsive]);
            assert_eq!(check(addresses.collect()).await, Ok(live));
        }
    }

    #[test]
    fn all_addresses_are_tried_within_the_dial_timeout() {
        let attempts = u32::try_from(ADDRESSES_MAX).unwrap();
        assert!(ATTEMPT_DELAY * attempts < DIAL_TIMEOUT);
    }

    #[tokio::test]
    async fn a_refused_address_is_followed_by_the_next_and_the_last_error_is_returned() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let live = listener.local_addr().unwrap();
        // Bound but not listening: connects are refused, and no other process can bind it.
        let reserved = TcpSocket::new_v4().unwrap();
        reserved.bind((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
        let closed = reserved.local_addr().unwrap();

        assert_eq!(check(vec![closed, live]).await, Ok(live));
        let refused = check(vec![closed, closed]).await;
        assert!(refused.is_err_and(|error| error.contains("refused")));
        let none = check(vec![]).await;
        assert_eq!(none, Err("the host name has no addresses".to_owned()));
    }
}
