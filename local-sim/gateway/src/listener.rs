//! Accepts sockets and dispatches them: WebSocket handshakes, and requests to `@connections`.

use std::{convert::Infallible, net::SocketAddr, sync::Arc};

use bytes::BytesMut;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    time::sleep,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::{debug, warn};

use crate::{
    api::Api,
    handshake,
    http::{
        head::{self, HeadError},
        refusal::HandshakeRefusal,
    },
    limits::{ACCEPT_PAUSE, READ_BUFFER_BYTES},
    management,
};

/// Accepts sockets and serves each one in a task of `pending`.
///
/// A task ends when the socket is closed or has become a WebSocket connection, or when `cancelled`
/// is cancelled.
pub(crate) async fn accept(
    api: &Arc<Api>,
    permits: &Arc<Semaphore>,
    listener: &TcpListener,
    pending: &TaskTracker,
    cancelled: &CancellationToken,
) -> Infallible {
    loop {
        // Without a permit, new connections wait in the listener's backlog.
        let permit = Arc::clone(permits).acquire_owned().await;
        match listener.accept().await {
            Ok((socket, peer)) => {
                let serving = serve(Arc::clone(api), socket, peer);
                let cancelled = cancelled.clone();
                pending.spawn(async move {
                    cancelled.run_until_cancelled(serving).await;
                    drop(permit);
                });
            }
            Err(error) => {
                warn!("cannot accept a connection: {error}");
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

async fn serve(api: Arc<Api>, mut socket: TcpStream, peer: SocketAddr) {
    if let Err(error) = socket.set_nodelay(true) {
        debug!("{peer}: {error}");
        return;
    }
    let mut buffer = BytesMut::with_capacity(READ_BUFFER_BYTES);
    let read = head::read(&mut socket, &mut buffer).await;
    match read {
        Ok((head, _)) if head.is_upgrade() && api.shutdown.is_cancelled() => {
            let why = "the simulator is shutting down";
            let refusal = HandshakeRefusal::new(503, "Service Unavailable", why);
            refusal.send(socket).await;
        }
        Ok((head, length)) if head.is_upgrade() => {
            let early = buffer.split_off(length);
            drop(buffer);
            // Shutdown waits for handshakes as well as for connections.
            let tasks = api.tasks.clone();
            let handshake = handshake::run(api, socket, peer, head, early);
            tasks.track_future(handshake).await;
        }
        Ok(_) => management::serve(api, socket, buffer).await,
        Err(HeadError::Gone(error)) => debug!("{peer}: {error}"),
        Err(error @ HeadError::Malformed(_)) => {
            let refusal = HandshakeRefusal::new(400, "Bad Request", error);
            refusal.send(socket).await;
        }
        Err(HeadError::UrlTooLong(bytes)) => {
            HandshakeRefusal::url_too_long(bytes).send(socket).await;
        }
        Err(error @ HeadError::TooLarge) => {
            let refusal = HandshakeRefusal::new(431, "Request Header Fields Too Large", error);
            refusal.send(socket).await;
        }
    }
}
