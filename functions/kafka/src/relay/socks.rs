//! As much of SOCKS5 as rskafka speaks: <https://www.rfc-editor.org/rfc/rfc1928>

use std::{fmt, io, net::Ipv4Addr, time::Duration};

use bytes::BytesMut;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use super::{link::acknowledge_at_once, literal::revealed};

/// rskafka asks as soon as it is connected, in the same process.
pub(super) const REQUEST_MAX: Duration = Duration::from_secs(1);

/// What rskafka can say, first and then: a version, a count and methods; a
/// version, a command, and a name of at most 255 bytes with its port.
const REQUEST_BYTES_MAX: usize = 2 + 255 + 4 + 1 + 255 + 2;

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
    client.set_nodelay(true)?;
    let mut asked = Asked {
        client,
        unread: BytesMut::with_capacity(REQUEST_BYTES_MAX),
    };
    let [version, methods] = asked.bytes().await?;
    expect("version", version, VERSION)?;
    let offered = asked.take(methods.into()).await?;
    if !offered.contains(&NO_AUTHENTICATION) {
        return Err(invalid(format!(
            "methods {:?}, none of them {NO_AUTHENTICATION}",
            &offered[..]
        )));
    }
    asked
        .client
        .write_all(&[VERSION, NO_AUTHENTICATION])
        .await?;

    let [version, command, _, kind] = asked.bytes().await?;
    expect("version", version, VERSION)?;
    expect("command", command, CONNECT)?;
    let host = match kind {
        IPV4 => Ipv4Addr::from(asked.bytes::<4>().await?).to_string(),
        DOMAIN_NAME => {
            let [length] = asked.bytes().await?;
            let name = asked.take(length.into()).await?;
            revealed(String::from_utf8(name.into()).map_err(invalid)?)
        }
        other => return Err(invalid(format!("address type {other}"))),
    };
    let port = u16::from_be_bytes(asked.bytes().await?);
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

/// What the client has to say, read as it comes: it writes byte by byte, with
/// Nagle's algorithm on, so that most of it waits until the first byte is
/// acknowledged, and then comes at once.
struct Asked<'a> {
    client: &'a mut TcpStream,
    /// What has come and was not taken yet. Nothing is read too early, since the
    /// client goes on once it is answered.
    unread: BytesMut,
}

impl Asked<'_> {
    async fn bytes<const N: usize>(&mut self) -> io::Result<[u8; N]> {
        let mut bytes = [0; N];
        bytes.copy_from_slice(&self.take(N).await?);
        Ok(bytes)
    }

    async fn take(&mut self, count: usize) -> io::Result<BytesMut> {
        while self.unread.len() < count {
            if self.client.read_buf(&mut self.unread).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            acknowledge_at_once(self.client);
        }
        Ok(self.unread.split_to(count))
    }
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
