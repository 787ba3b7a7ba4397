//! The part of SOCKS5 that rskafka uses: <https://www.rfc-editor.org/rfc/rfc1928>

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

/// The time limit for the request. rskafka, in the same process, sends it as soon as it connects.
pub(super) const REQUEST_TIMEOUT: Duration = Duration::from_secs(1);

/// The reply code for an open connection.
pub(super) const SUCCEEDED: u8 = 0;
/// The reply code for a failed connect. The reply has no field for a reason.
pub(super) const GENERAL_FAILURE: u8 = 1;

/// The largest greeting (version, count, methods) plus the largest request (version, command,
/// reserved byte, address type, a name of up to 255 bytes with its length, port).
const REQUEST_BYTES_MAX: usize = 2 + 255 + 4 + 1 + 255 + 2;

const VERSION: u8 = 5;
const NO_AUTHENTICATION: u8 = 0;
const CONNECT: u8 = 1;
const RESERVED: u8 = 0;
const IPV4: u8 = 1;
const DOMAIN_NAME: u8 = 3;

/// Reads which broker to connect to; `None` if the request is invalid or unsupported.
pub(super) async fn request(client: &mut TcpStream) -> Option<Broker> {
    client.set_nodelay(true).ok()?;
    let unread = BytesMut::with_capacity(REQUEST_BYTES_MAX);
    let mut reader = Reader { client, unread };
    let greeting = reader.take(2).await?;
    let methods = reader.take(greeting[1].into()).await?;
    if greeting[0] != VERSION || !methods.contains(&NO_AUTHENTICATION) {
        return None;
    }
    let accepted = [VERSION, NO_AUTHENTICATION];
    reader.client.write_all(&accepted).await.ok()?;

    let command = reader.take(4).await?;
    if command[..2] != [VERSION, CONNECT] {
        return None;
    }
    let host = match command[3] {
        IPV4 => Ipv4Addr::from(reader.take(4).await?.get_u32()).to_string(),
        DOMAIN_NAME => {
            let length = reader.take(1).await?.get_u8();
            let name = reader.take(length.into()).await?;
            decode_host(String::from_utf8(name.into()).ok()?)
        }
        _ => return None,
    };
    let port = reader.take(2).await?.get_u16();
    Some(Broker { host, port })
}

/// Sends the reply to a request. The bound address is all zeros, since rskafka ignores it.
pub(super) async fn reply(client: &mut TcpStream, code: u8) -> io::Result<()> {
    client
        .write_all(&[VERSION, code, RESERVED, IPV4, 0, 0, 0, 0, 0, 0])
        .await
}

/// Reads the client's bytes and acknowledges them at once.
///
/// rskafka writes the request byte by byte with Nagle's algorithm on, so most bytes wait until the
/// first one is acknowledged.
struct Reader<'a> {
    client: &'a mut TcpStream,
    /// Bytes that were received but not taken yet. They never include bytes after the request,
    /// since the client waits for the reply.
    unread: BytesMut,
}

impl Reader<'_> {
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
