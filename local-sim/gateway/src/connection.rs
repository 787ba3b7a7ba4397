//! An open connection, as the rest of the gateway sees it.

pub(crate) mod blackhole;
pub(crate) mod outbound;
pub(crate) mod registry;
pub(crate) mod view;

use std::sync::{
    OnceLock,
    atomic::{AtomicI32, AtomicI64, Ordering},
};

use tokio::sync::Notify;

use self::{blackhole::Plug, outbound::Outbound};
use crate::{
    close::Closed,
    event::caller::Caller,
    id::Id,
    limits::{
        FLOOD_MAX,
        throttle::{Throttle, Throttled},
    },
    time::now_ms,
};

/// A connection between its 101 and its close.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) caller: Caller,
    /// Text frames on their way to the client.
    pub(crate) outbound: Outbound,
    /// How the gateway wants it to end, if it does.
    close_request: OnceLock<Closed>,
    /// Where its plug was pulled, or is about to be.
    plug: OnceLock<Plug>,
    /// One of these two has come.
    commanded: Notify,
    /// By how much its throttled messages outnumber the others.
    flood: AtomicI32,
    /// Milliseconds since the epoch.
    last_active_at: AtomicI64,
}

impl Connection {
    pub(crate) fn new(caller: Caller) -> Self {
        Self {
            caller,
            outbound: Outbound::new(),
            close_request: OnceLock::new(),
            plug: OnceLock::new(),
            commanded: Notify::new(),
            flood: AtomicI32::new(0),
            last_active_at: AtomicI64::new(now_ms()),
        }
    }

    pub(crate) fn id(&self) -> &Id {
        &self.caller.connection_id
    }

    /// When something last came from or went to the client, in milliseconds since the epoch.
    pub(crate) fn last_active_at(&self) -> i64 {
        self.last_active_at.load(Ordering::Relaxed)
    }

    /// Takes note that something comes from or goes to the client.
    pub(crate) fn touch(&self) {
        self.last_active_at.store(now_ms(), Ordering::Relaxed);
    }

    /// Asks for tokens for one message, of a route unless none takes it.
    ///
    /// # Errors
    /// There are none, which the client is to be told; one that keeps sending is closed.
    pub(crate) fn admit(
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
    pub(crate) fn close(&self, closed: Closed) {
        // Somebody else was first.
        let _ = self.close_request.set(closed);
        self.commanded.notify_one();
    }

    /// Asks for its socket to be left alone; gives the plug that says when that is so. Who asks first brings it.
    pub(crate) fn unplug(&self, plug: Plug) -> Plug {
        let plug = self.plug.get_or_init(|| plug).clone();
        self.commanded.notify_one();
        plug
    }

    /// Whether its plug was pulled.
    pub(crate) fn is_unplugged(&self) -> bool {
        self.plug.get().is_some_and(Plug::is_pulled)
    }

    /// Waits until somebody wants the connection closed.
    pub(crate) async fn close_requested(&self) -> Closed {
        loop {
            if let Some(closed) = self.close_request.get() {
                return closed.clone();
            }
            self.commanded.notified().await;
        }
    }

    /// Waits until somebody wants the connection closed, or pulls its plug.
    pub(crate) async fn command(&self) -> Command {
        loop {
            // Who did either has left word of it: there is nothing to look at before.
            self.commanded.notified().await;
            if let Some(plug) = self.plug.get() {
                return Command::Unplug(plug.clone());
            }
            if let Some(closed) = self.close_request.get() {
                return Command::Close(closed.clone());
            }
        }
    }
}

/// What somebody else does to a connection.
#[derive(Debug)]
pub(crate) enum Command {
    /// It is to be closed so.
    Close(Closed),
    /// Its socket is to be left alone.
    Unplug(Plug),
}
