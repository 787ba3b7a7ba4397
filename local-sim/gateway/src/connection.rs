//! The shared state of an open connection.

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

/// A connection from its 101 until it is closed.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) caller: Caller,
    /// Text messages that are queued for the client.
    pub(crate) outbound: Outbound,
    /// How the gateway closes the connection, once it does.
    close_request: OnceLock<Closed>,
    /// Set once the connection is to be unplugged.
    plug: OnceLock<Plug>,
    /// Notified when `close_request` or `plug` is set.
    commanded: Notify,
    /// How many more messages were throttled than accepted.
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

    /// The time of the last traffic in either direction, in milliseconds since the epoch.
    pub(crate) fn last_active_at(&self) -> i64 {
        self.last_active_at.load(Ordering::Relaxed)
    }

    /// Records traffic.
    pub(crate) fn touch(&self) {
        self.last_active_at.store(now_ms(), Ordering::Relaxed);
    }

    /// Takes the tokens for one message. `route_key` is `None` if no route matches the message.
    ///
    /// Closes the connection of a client that keeps sending while it is throttled.
    ///
    /// # Errors
    /// The message is throttled.
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

    /// Requests that the connection be closed after the queued messages. The first request wins.
    pub(crate) fn close(&self, closed: Closed) {
        // Fails if an earlier request has set it.
        let _ = self.close_request.set(closed);
        self.commanded.notify_one();
    }

    /// Requests that the connection be unplugged; returns the plug to wait on. The first request's
    /// plug is used.
    pub(crate) fn unplug(&self, plug: Plug) -> Plug {
        let plug = self.plug.get_or_init(|| plug).clone();
        self.commanded.notify_one();
        plug
    }

    /// Whether the connection is unplugged.
    pub(crate) fn is_unplugged(&self) -> bool {
        self.plug.get().is_some_and(Plug::is_pulled)
    }

    /// Waits for a request to close the connection.
    pub(crate) async fn close_requested(&self) -> Closed {
        loop {
            if let Some(closed) = self.close_request.get() {
                return closed.clone();
            }
            self.commanded.notified().await;
        }
    }

    /// Waits for a request to close or to unplug the connection.
    pub(crate) async fn command(&self) -> Command {
        loop {
            // `close` and `unplug` always notify, so there is nothing to check before the first
            // notification.
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

/// A request to the task that serves a connection.
#[derive(Debug)]
pub(crate) enum Command {
    /// Close the connection like this.
    Close(Closed),
    /// Stop using the socket, but keep it open.
    Unplug(Plug),
}
