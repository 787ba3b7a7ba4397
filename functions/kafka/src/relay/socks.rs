//! As much of SOCKS5 as rskafka speaks: <https://www.rfc-editor.org/rfc/rfc1928>

use std::{fmt, io, net::Ipv4Addr, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use super::{link::acknowledge_at_once, literal::revealed};

/// rskafka asks as soon as it is connected, in the same process.
pub(super) const REQUEST_MAX: Duration = Duration::from_secs(1);

const VERSION: u8 = 5;
const NO_AUTHENTICATION: u8 = 0;
const CONNECT: u8 = 1;
const RESERVED: u8 = 0;
const IPV4: u8 = 1;
const DOMAIN_NAME: u8 = 3;
const SUCCEEDED: u8 = 0;
const GENERAL_FAILURE: u8 = 1;

/// A broker as rskafka was told of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Broker {
    /// A name, or an address in digits.
    pub(super) host: String,
    pub(super) port: u16,
}

impl fmt::Display for Broker {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(formatter, "[{}]:{}", self.host, self.port)
        } else {
            write!(formatter, "{}:{}", self.host, self.port)
        }
    }
}

/// Reads which broker the client wants to be connected with.
pub(super) async fn request(client: &mut TcpStream) -> io::Result<Broker> {
    // rskafka writes its request byte by byte, with Nagle's algorithm on.
    client.set_nodelay(true)?;
    acknowledge_at_once(client);
    let [version, methods] = bytes(client).await?;
    expect("version", version, VERSION)?;
    let mut offered = vec![0; usize::from(methods)];
    client.read_exact(&mut offered).await?;
    if !offered.contains(&NO_AUTHENTICATION) {
        return Err(invalid(format!(
            "methods {offered:?}, none of them {NO_AUTHENTICATION}"
        )));
    }
    client.write_all(&[VERSION, NO_AUTHENTICATION]).await?;

    acknowledge_at_once(client);
    let [version, command, _, kind] = bytes(client).await?;
    expect("version", version, VERSION)?;
    expect("command", command, CONNECT)?;
    let host = match kind {
        IPV4 => Ipv4Addr::from(bytes::<4>(client).await?).to_string(),
        DOMAIN_NAME => {
            let mut name = vec![0; usize::from(client.read_u8().await?)];
            client.read_exact(&mut name).await?;
            revealed(String::from_utf8(name).map_err(invalid)?)
        }
        other => return Err(invalid(format!("address type {other}"))),
    };
    let port = client.read_u16().await?;
    Ok(Broker { host, port })
}

/// Tells the client that the connection is there.
pub(super) async fn accept(client: &mut TcpStream) -> io::Result<()> {
    reply(client, SUCCEEDED).await
}

/// Tells the client that there is no connection. There is no room for a reason.
pub(super) async fn refuse(client: &mut TcpStream) -> io::Result<()> {
    reply(client, GENERAL_FAILURE).await
}

/// The address bound is left empty: nobody asks for it.
async fn reply(client: &mut TcpStream, code: u8) -> io::Result<()> {
    client
        .write_all(&[VERSION, code, RESERVED, IPV4, 0, 0, 0, 0, 0, 0])
        .await
}

async fn bytes<const N: usize>(client: &mut TcpStream) -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    client.read_exact(&mut bytes).await?;
    Ok(bytes)
}

fn expect(what: &str, found: u8, expected: u8) -> io::Result<()> {
    if found == expected {
        Ok(())
    } else {
        Err(invalid(format!("{what} {found}, expected {expected}")))
    }
}

fn invalid(what: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}
