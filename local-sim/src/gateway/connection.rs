//! An open connection, as the rest of the gateway sees it.

use std::sync::{
    Arc, OnceLock,
    atomic::{AtomicI32, AtomicI64, Ordering},
};

use bytes::BytesMut;
use tokio::{
    net::TcpStream,
    sync::{Notify, mpsc},
};
use tokio_tungstenite::tungstenite::Utf8Bytes;

use super::{
    Gateway,
    close::Closed,
    event::{self, Caller},
    frames,
    id::Id,
    limits::{FLOOD_MAX, OUTBOUND_QUEUE_MAX},
    throttle::{Throttle, Throttled},
    time::now_ms,
};

/// A connection between its 101 and its close.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) caller: Caller,
    /// Text frames on their way to the client.
    outbound: mpsc::Sender<Utf8Bytes>,
    /// How the gateway wants it to end, if it does.
    end: OnceLock<Closed>,
    ending: Notify,
    /// By how much its throttled messages outnumber the others.
    flood: AtomicI32,
    /// Milliseconds since the epoch.
    last_active_at: AtomicI64,
}

impl Connection {
    pub(super) fn id(&self) -> &Id {
        &self.caller.connection_id
    }

    /// When something last came from or went to the client, in milliseconds since the epoch.
    pub(super) fn last_active_at(&self) -> i64 {
        self.last_active_at.load(Ordering::Relaxed)
    }

    /// Takes note that something comes from or goes to the client.
    pub(super) fn touch(&self) {
        self.last_active_at.store(now_ms(), Ordering::Relaxed);
    }

    /// Queues a text frame.
    ///
    /// # Errors
    /// The client reads too slowly, or has gone.
    pub(super) fn post(&self, text: String) -> Result<(), PostError> {
        self.outbound
            .try_send(text.into())
            .map_err(|error| match error {
                mpsc::error::TrySendError::Full(_) => PostError::Full,
                mpsc::error::TrySendError::Closed(_) => PostError::Gone,
            })
    }

    /// Queues the reply to a message, as soon as there is room. A client that has gone gets none.
    pub(super) async fn reply(&self, text: String) {
        let _ = self.outbound.send(text.into()).await;
    }

    /// Asks for tokens for one message, of a route unless none takes it.
    ///
    /// # Errors
    /// There are none, which the client is to be told; one that keeps sending is closed.
    pub(super) fn admit(
        &self,
        throttle: &Throttle,
        route_key: Option<&str>,
    ) -> Result<(), Throttled> {
        let admitted = throttle.message(route_key);
        let step = if admitted.is_ok() { -1 } else { 1 };
        let flood = |before: i32| Some((before + step).clamp(0, FLOOD_MAX));
        let before = self
            .flood
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, flood);
        if admitted.is_err() && before.is_ok_and(|before| before + step >= FLOOD_MAX) {
            self.close(Closed::flood());
        }
        admitted
    }

    /// Asks for the connection to be closed, behind what is queued. Who asks first says how.
    pub(super) fn close(&self, closed: Closed) {
        // Somebody else was first.
        let _ = self.end.set(closed);
        self.ending.notify_one();
    }

    /// Waits until somebody wants the connection closed.
    pub(super) async fn closing(&self) -> Closed {
        loop {
            if let Some(closed) = self.end.get() {
                return closed.clone();
            }
            self.ending.notified().await;
        }
    }
}

/// Why nothing can be queued for a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PostError {
    /// The client reads too slowly.
    Full,
    /// The connection has closed.
    Gone,
}

/// Serves a connection whose 101 is out, until it is closed and its `$disconnect` has run.
pub(super) async fn run(gateway: Arc<Gateway>, socket: TcpStream, caller: Caller, early: BytesMut) {
    let (sender, outbound) = mpsc::channel(OUTBOUND_QUEUE_MAX);
    let connection = Arc::new(Connection {
        caller,
        outbound: sender,
        end: OnceLock::new(),
        ending: Notify::new(),
        flood: AtomicI32::new(0),
        last_active_at: AtomicI64::new(now_ms()),
    });
    gateway.connections.insert(Arc::clone(&connection));
    let closed = frames::talk(&gateway, &connection, socket, early, outbound).await;
    gateway.connections.remove(connection.id());
    disconnect(&gateway, &connection.caller, &closed).await;
}

/// Runs `$disconnect`, where there is one. Its result concerns nobody any more.
async fn disconnect(gateway: &Gateway, caller: &Caller, closed: &Closed) {
    let Some(route) = gateway.contract.routes.get("$disconnect") else {
        return;
    };
    let event = event::disconnect(&gateway.stage, caller, &gateway.request(), closed);
    if let Err(error) = gateway.integrate(route, event).await {
        error.log(&route.function);
    }
}
