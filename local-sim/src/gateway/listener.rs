//! Accepts sockets, and tells WebSocket handshakes from requests to `@connections`.

use std::{convert::Infallible, net::SocketAddr, sync::Arc};

use bytes::BytesMut;
use tokio::{
    net::{TcpListener, TcpStream},
    time::sleep,
};
use tracing::{debug, warn};

use super::{
    Gateway, handshake,
    head::{self, HeadError},
    limits::{ACCEPT_PAUSE, READ_BUFFER_BYTES},
    management,
    refusal::Refusal,
};

/// Serves every socket that comes in, each in a task of its own.
pub(super) async fn accept(gateway: &Arc<Gateway>, listener: &TcpListener) -> Infallible {
    loop {
        match listener.accept().await {
            Ok((socket, peer)) => {
                let gateway = Arc::clone(gateway);
                gateway.tasks.clone().spawn(serve(gateway, socket, peer));
            }
            Err(error) => {
                warn!("cannot accept a connection: {error}");
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

async fn serve(gateway: Arc<Gateway>, mut socket: TcpStream, peer: SocketAddr) {
    if let Err(error) = socket.set_nodelay(true) {
        debug!("{peer}: {error}");
        return;
    }
    let mut buffer = BytesMut::with_capacity(READ_BUFFER_BYTES);
    let read = tokio::select! {
        () = gateway.shutdown.cancelled() => return,
        read = head::read(&mut socket, &mut buffer) => read,
    };
    match read {
        Ok((head, length)) if head.is_upgrade() => {
            let early = buffer.split_off(length);
            drop(buffer);
            handshake::run(gateway, socket, peer, head, early).await;
        }
        Ok(_) => management::serve(gateway, socket, buffer).await,
        Err(HeadError::Gone(error)) => debug!("{peer}: {error}"),
        Err(error @ HeadError::Malformed(_)) => {
            let refusal = Refusal::new(400, "Bad Request", error);
            refusal.send(socket).await;
        }
        Err(HeadError::UrlTooLong(bytes)) => Refusal::url_too_long(bytes).send(socket).await,
        Err(error @ HeadError::TooLarge) => {
            let refusal = Refusal::new(431, "Request Header Fields Too Large", error);
            refusal.send(socket).await;
        }
    }
}
