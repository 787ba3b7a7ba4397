//! The way from the relay to a broker.

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

/// Both ways of a connection to a broker, authenticated where that is asked for.
pub type BrokerStream = Pin<Box<dyn Duplex>>;

/// What can be read from and written to.
pub trait Duplex: AsyncRead + AsyncWrite + Send {}

impl<T: AsyncRead + AsyncWrite + Send> Duplex for T {}

/// A broker has this long to be connected with, TLS included, and then once
/// more for its first answer. Of several brokers some may be silent, and an
/// attempt to connect must live to see the next one.
pub(super) const DIAL_MAX: Duration = Duration::from_millis(800);

/// Connects with a broker, in TLS where that is given.
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
    timeout(DIAL_MAX, dialling)
        .await
        .unwrap_or(Err(LinkError::Late(DIAL_MAX)))
}

/// Connects with the broker at `HOST:PORT`, without a relay in between.
pub(crate) async fn open(
    tls: Option<Arc<ClientConfig>>,
    broker: &str,
) -> Result<BrokerStream, BrokerErrors> {
    let broker = Broker::parse(broker);
    let dialled = dial(tls.map(TlsConnector::from).as_ref(), &broker).await;
    dialled.map_err(|error| BrokerErrors::of(&broker, error))
}

/// Connects by TCP, without Nagle's algorithm.
pub(super) async fn connect(broker: &Broker) -> io::Result<TcpStream> {
    let addresses = lookup_host((broker.host.as_str(), broker.port)).await?;
    let socket = first_of(addresses.take(ADDRESSES_MAX)).await?;
    socket.set_nodelay(true)?;
    Ok(socket)
}

/// Connects with the address that answers first. Each is tried as soon as the
/// one before it has failed, or has kept us waiting: a name may have an address
/// where no broker listens, or of a kind that leads nowhere from here.
async fn first_of(mut addresses: impl Iterator<Item = SocketAddr>) -> io::Result<TcpStream> {
    let mut connecting = JoinSet::new();
    let mut error = io::Error::other("the name has no address");
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
            () = sleep(HEAD_START), if next.is_some() => {}
        }
    }
}

/// An address is alone with the network for this long before the next one is
/// tried as well: far more than a broker in the same region takes, and short
/// enough for all of them to have their turn in [`DIAL_MAX`].
const HEAD_START: Duration = Duration::from_millis(100);
/// So many addresses of a name are tried.
const ADDRESSES_MAX: usize = 6;

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use tokio::net::{TcpListener, TcpSocket};

    use super::*;

    /// An address that says neither yes nor no, as a firewall's: where a queue
    /// of accepted connections is full, Linux drops what asks for more.
    #[cfg(target_os = "linux")]
    async fn deaf() -> (SocketAddr, impl Sized) {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
        let listener = socket.listen(0).unwrap();
        let address = listener.local_addr().unwrap();
        let first = TcpStream::connect(address).await.unwrap();
        (address, (listener, first))
    }

    /// Far above what it takes to try them all, far below what it takes Linux
    /// to give up a deaf one.
    const PATIENCE: Duration = Duration::from_secs(10);

    async fn check(addresses: Vec<SocketAddr>) -> Result<SocketAddr, String> {
        let connecting = timeout(PATIENCE, first_of(addresses.into_iter()));
        match connecting.await.expect("not kept waiting by a deaf one") {
            Ok(socket) => Ok(socket.peer_addr().unwrap()),
            Err(error) => Err(error.to_string()),
        }
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn an_address_where_nobody_answers_does_not_use_up_the_time_of_the_next() {
        let (deaf, _held) = deaf().await;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let live = listener.local_addr().unwrap();
        for deaf_ones in 0..ADDRESSES_MAX {
            let addresses = std::iter::repeat_n(deaf, deaf_ones).chain([live, deaf]);
            assert_eq!(check(addresses.collect()).await, Ok(live));
        }
    }

    #[test]
    fn every_address_has_its_turn() {
        let turns = u32::try_from(ADDRESSES_MAX).unwrap();
        assert!(HEAD_START * turns < DIAL_MAX);
    }

    #[tokio::test]
    async fn an_address_that_refuses_is_followed_by_the_next_and_the_last_one_tells_why() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let live = listener.local_addr().unwrap();
        // Nobody listens there, and nobody else will.
        let reserved = TcpSocket::new_v4().unwrap();
        reserved.bind((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
        let closed = reserved.local_addr().unwrap();

        assert_eq!(check(vec![closed, live]).await, Ok(live));
        let refused = check(vec![closed, closed]).await;
        assert!(refused.is_err_and(|error| error.contains("refused")));
        let none = check(vec![]).await;
        assert_eq!(none, Err("the name has no address".to_owned()));
    }
}
