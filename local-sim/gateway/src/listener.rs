//! Accepts sockets, and tells WebSocket handshakes from requests to `@connections`.

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

/// Serves every socket that comes in, each in one of the tasks of `pending` until it is `over`, or a connection.
pub(crate) async fn accept(
    api: &Arc<Api>,
    permits: &Arc<Semaphore>,
    listener: &TcpListener,
    pending: &TaskTracker,
    cancelled: &CancellationToken,
) -> Infallible {
    loop {
        // Without one, who comes waits where the system lets them.
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
            let refusal = HandshakeRefusal::new(503, "Service Unavailable", "the simulator is ending");
            refusal.send(socket).await;
        }
        Ok((head, length)) if head.is_upgrade() => {
            let early = buffer.split_off(length);
            drop(buffer);
            // The end waits for handshakes as it does for connections.
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
        Err(HeadError::UrlTooLong(bytes)) => HandshakeRefusal::url_too_long(bytes).send(socket).await,
        Err(error @ HeadError::TooLarge) => {
            let refusal = HandshakeRefusal::new(431, "Request Header Fields Too Large", error);
            refusal.send(socket).await;
        }
    }
}
