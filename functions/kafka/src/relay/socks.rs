//! As much of SOCKS5 as rskafka speaks: <https://www.rfc-editor.org/rfc/rfc1928>

use std::{io, net::Ipv4Addr, time::Duration};

use bytes::{Buf, BytesMut};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use super::{
    host::{Broker, decode_host},
    quickack::acknowledge_at_once,
};

/// rskafka asks as soon as it is connected, in the same process.
pub(super) const REQUEST_MAX: Duration = Duration::from_secs(1);

/// Tells that the connection is there.
pub(super) const SUCCEEDED: u8 = 0;
/// Tells that there is no connection. There is no room for a reason.
pub(super) const GENERAL_FAILURE: u8 = 1;

/// What rskafka can say, first and then: a version, a count and methods; a
/// version, a command, and a name of at most 255 bytes with its port.
const REQUEST_BYTES_MAX: usize = 2 + 255 + 4 + 1 + 255 + 2;

const VERSION: u8 = 5;
const NO_AUTHENTICATION: u8 = 0;
const CONNECT: u8 = 1;
const RESERVED: u8 = 0;
const IPV4: u8 = 1;
const DOMAIN_NAME: u8 = 3;

/// Reads which broker the client wants to be connected with; none where it says
/// anything else.
pub(super) async fn request(client: &mut TcpStream) -> Option<Broker> {
    client.set_nodelay(true).ok()?;
    let unread = BytesMut::with_capacity(REQUEST_BYTES_MAX);
    let mut asked = Asked { client, unread };
    let greeting = asked.take(2).await?;
    let methods = asked.take(greeting[1].into()).await?;
    if greeting[0] != VERSION || !methods.contains(&NO_AUTHENTICATION) {
        return None;
    }
    let accepted = [VERSION, NO_AUTHENTICATION];
    asked.client.write_all(&accepted).await.ok()?;

    let command = asked.take(4).await?;
    if command[..2] != [VERSION, CONNECT] {
        return None;
    }
    let host = match command[3] {
        IPV4 => Ipv4Addr::from(asked.take(4).await?.get_u32()).to_string(),
        DOMAIN_NAME => {
            let length = asked.take(1).await?.get_u8();
            let name = asked.take(length.into()).await?;
            decode_host(String::from_utf8(name.into()).ok()?)
        }
        _ => return None,
    };
    let port = asked.take(2).await?.get_u16();
    Some(Broker { host, port })
}

/// Tells the client how its request ended. The address bound is left empty:
/// rskafka does not read it.
pub(super) async fn reply(client: &mut TcpStream, code: u8) -> io::Result<()> {
    client
        .write_all(&[VERSION, code, RESERVED, IPV4, 0, 0, 0, 0, 0, 0])
        .await
}

/// The client's bytes, read as they come: it writes them one by one, with
/// Nagle's algorithm on, so that most of them wait until the first is
/// acknowledged, and then come at once.
struct Asked<'a> {
    client: &'a mut TcpStream,
    /// What has come and was not taken yet. Nothing is read too early, since the
    /// client goes on once it is answered.
    unread: BytesMut,
}

impl Asked<'_> {
    async fn take(&mut self, count: usize) -> Option<BytesMut> {
        while self.unread.len() < count {
            if self.client.read_buf(&mut self.unread).await.ok()? == 0 {
                return None;
            }
            acknowledge_at_once(self.client);
        }
        Some(self.unread.split_to(count))
    }
}
