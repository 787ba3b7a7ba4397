//! An open connection, as the rest of the gateway sees it.

use std::sync::{
    Arc, OnceLock,
    atomic::{AtomicI32, AtomicI64, Ordering},
};

use bytes::BytesMut;
use tokio::{io::AsyncWriteExt as _, net::TcpStream, sync::Notify, time::timeout};
use tracing::warn;

use super::{
    Gateway,
    access_log::{Entry, Steps},
    close::Closed,
    control::ConnectionChange,
    event::{self, Caller},
    frames,
    id::Id,
    limits::{ANSWER_WAIT, FLOOD_MAX},
    outbound::Outbound,
    throttle::{Throttle, Throttled},
    time::now_ms,
    unplugged::Plug,
    variables::Variables,
};

/// A connection between its 101 and its close.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) caller: Caller,
    /// Text frames on their way to the client.
    pub(super) outbound: Outbound,
    /// How the gateway wants it to end, if it does.
    end: OnceLock<Closed>,
    /// Where its plug was pulled, or is about to be.
    plug: OnceLock<Plug>,
    /// One of these two has come.
    turning: Notify,
    /// By how much its throttled messages outnumber the others.
    flood: AtomicI32,
    /// Milliseconds since the epoch.
    last_active_at: AtomicI64,
}

impl Connection {
    pub(super) fn new(caller: Caller) -> Self {
        Self {
            caller,
            outbound: Outbound::new(),
            end: OnceLock::new(),
            plug: OnceLock::new(),
            turning: Notify::new(),
            flood: AtomicI32::new(0),
            last_active_at: AtomicI64::new(now_ms()),
        }
    }

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
        self.turning.notify_one();
    }

    /// Asks for its socket to be left alone; gives the plug that says when that is so. Who asks first brings it.
    pub(super) fn unplug(&self, plug: Plug) -> Plug {
        let plug = self.plug.get_or_init(|| plug).clone();
        self.turning.notify_one();
        plug
    }

    /// Whether its plug was pulled.
    pub(super) fn is_unplugged(&self) -> bool {
        self.plug.get().is_some_and(Plug::is_pulled)
    }

    /// Waits until somebody wants the connection closed.
    pub(super) async fn closing(&self) -> Closed {
        loop {
            if let Some(closed) = self.end.get() {
                return closed.clone();
            }
            self.turning.notified().await;
        }
    }

    /// Waits until somebody wants the connection closed, or pulls its plug.
    pub(super) async fn turn(&self) -> Turn {
        loop {
            // Who did either has left word of it: there is nothing to look at before.
            self.turning.notified().await;
            if let Some(plug) = self.plug.get() {
                return Turn::Unplug(plug.clone());
            }
            if let Some(closed) = self.end.get() {
                return Turn::Close(closed.clone());
            }
        }
    }
}

/// What somebody else does to a connection.
#[derive(Debug)]
pub(super) enum Turn {
    /// It is to be closed so.
    Close(Closed),
    /// Its socket is to be left alone.
    Unplug(Plug),
}

/// Serves an open connection from its 101, which is `response`, until it is closed and its `$disconnect` has run.
///
/// `early` is what the client sent behind its handshake.
pub(super) async fn run(
    gateway: Arc<Gateway>,
    mut socket: TcpStream,
    connection: Arc<Connection>,
    response: String,
    early: BytesMut,
) {
    let written = timeout(ANSWER_WAIT, socket.write_all(response.as_bytes())).await;
    drop(response);
    let closed = if let Ok(Ok(())) = written {
        let ended = frames::talk(&gateway, &connection, socket, early).await;
        if let Some((socket, plug)) = ended.unplugged {
            gateway.unplugged.keep(socket, plug);
        }
        ended.closed
    } else {
        // It is gone by now, or reads nothing; its `$disconnect` is due all the same.
        gateway.connections.remove(connection.id());
        connection.outbound.close();
        Closed::lost()
    };
    gateway.tell(|| ConnectionChange::Closed {
        view: connection.view(),
        code: closed.code,
        reason: closed.reason.clone(),
    });
    disconnect(&gateway, &connection.caller, &closed).await;
}

/// Runs `$disconnect`, where there is one. Its result concerns nobody any more.
async fn disconnect(gateway: &Gateway, caller: &Caller, closed: &Closed) {
    let request = gateway.request();
    let entry = Entry {
        variables: Variables {
            stage: &gateway.stage,
            caller,
            request: &request,
            event_type: "DISCONNECT",
            route_key: Some("$disconnect"),
            message_id: None,
        },
        status: 200,
        error: None,
        steps: &Steps::default(),
    };
    let Some(route) = gateway.contract.routes.get("$disconnect") else {
        gateway.access_log.write(&entry);
        return;
    };
    if gateway.faults.drops_disconnect() {
        let id = &caller.connection_id;
        warn!("the $disconnect of {id} does not run, as was asked for");
        return;
    }
    let event = event::disconnect(&gateway.stage, caller, &request, closed);
    let integration = gateway.integrate(route, event).await;
    gateway.access_log.write(&Entry {
        status: if integration.result.is_ok() { 200 } else { 500 },
        steps: &Steps {
            integration: integration.step(),
            ..Steps::default()
        },
        ..entry
    });
}
