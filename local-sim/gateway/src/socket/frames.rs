//! Reads and writes the frames of an open connection, enforces its timers, and closes it.

use std::{
    future::poll_fn,
    pin::pin,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::BytesMut;
use futures_util::{SinkExt as _, StreamExt as _};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    sync::{OwnedSemaphorePermit, Semaphore},
    time::timeout,
};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{
        self, Message, Utf8Bytes,
        protocol::{Role, WebSocketConfig},
    },
};
use tracing::{Instrument as _, info_span, warn};

use crate::{
    api::Api,
    close::Closed,
    connection::{
        Command, Connection,
        blackhole::Plug,
        outbound::{Outbound, cost},
        view::ConnectionChange,
    },
    limits::{
        CLOSE_WAIT, DRAIN_QUIET, FRAME_BYTES_MAX, MESSAGE_BYTES_MAX, MESSAGES_IN_FLIGHT_MAX,
        READ_BUFFER_BYTES, SHUTDOWN_CLOSE_WAIT, WRITE_BUFFER_BYTES_MAX,
    },
    routing::message,
    socket::{metered::Metered, timers::Timers},
};

/// How a connection has ended.
#[derive(Debug)]
pub(crate) struct Ended<S> {
    /// The code and reason for its `$disconnect`.
    pub(crate) closed: Closed,
    /// The socket, if the connection was unplugged. It must stay open.
    pub(crate) unplugged: Option<(S, Plug)>,
}

/// Serves a connection until it ends; returns how it ended.
///
/// On return the socket is closed, unless the connection was unplugged. `early` is what the client
/// sent after its handshake.
pub(crate) async fn serve<S: AsyncRead + AsyncWrite + Unpin>(
    api: &Arc<Api>,
    connection: &Arc<Connection>,
    socket: S,
    early: BytesMut,
) -> Ended<S> {
    let mut frame_loop = FrameLoop {
        api,
        connection,
        socket: web_socket(socket, early).await,
        unflushed: None,
        timers: Timers::new(&api.clock),
        in_flight: Arc::new(Semaphore::new(MESSAGES_IN_FLIGHT_MAX)),
        next_permit: None,
    };
    let end = loop {
        match frame_loop.until_outgrown().await {
            Ok(()) => {
                let socket = frame_loop.socket.into_inner().into_inner();
                frame_loop.socket = web_socket(socket, BytesMut::new()).await;
            }
            Err(end) => break end,
        }
    };
    end.log_cause(connection);
    // From now on, posts to the connection fail with 410.
    api.connections.remove(connection.id());
    connection.outbound.close();
    let wait = if api.shutdown.is_cancelled() {
        SHUTDOWN_CLOSE_WAIT
    } else {
        CLOSE_WAIT
    };
    // After the timeout the socket is dropped.
    let _ = timeout(
        wait,
        end.finish(&mut frame_loop.socket, &connection.outbound),
    )
    .await;
    let (closed, plug) = end.into_closed();
    Ended {
        closed,
        unplugged: plug.map(|plug| (frame_loop.socket.into_inner().into_inner(), plug)),
    }
}

async fn web_socket<S: AsyncRead + AsyncWrite + Unpin>(
    socket: S,
    early: BytesMut,
) -> WebSocketStream<Metered<S>> {
    let socket = Metered::new(socket, &early);
    let config = WebSocketConfig::default()
        .read_buffer_size(READ_BUFFER_BYTES)
        .write_buffer_size(0)
        .max_write_buffer_size(WRITE_BUFFER_BYTES_MAX)
        .max_frame_size(Some(FRAME_BYTES_MAX))
        .max_message_size(Some(MESSAGE_BYTES_MAX));
    WebSocketStream::from_partially_read(socket, early.into(), Role::Server, Some(config)).await
}

/// The state of the loop that serves a connection's frames.
struct FrameLoop<'a, S> {
    api: &'a Arc<Api>,
    connection: &'a Arc<Connection>,
    socket: WebSocketStream<Metered<S>>,
    /// Set while the last write is not flushed: the room that it occupies in the outbound queue.
    unflushed: Option<u32>,
    timers: Timers<'a>,
    /// One permit for each message in flight.
    in_flight: Arc<Semaphore>,
    /// The permit for the next message. Without it, nothing is read from the socket.
    next_permit: Option<OwnedSemaphorePermit>,
}

/// What happened on the socket.
enum SocketEvent {
    Received(Option<tungstenite::Result<Message>>),
    Flushed(tungstenite::Result<()>),
    /// The socket is idle, and the codec's buffers have grown and are empty.
    Outgrown,
}

impl<S: AsyncRead + AsyncWrite + Unpin> FrameLoop<'_, S> {
    /// Serves frames until the codec should be replaced by a new one, which uses less memory.
    async fn until_outgrown(&mut self) -> Result<(), End> {
        let (api, connection) = (self.api, self.connection);
        // Creating these futures for every frame would cost more than the frame itself.
        let mut alarm = pin!(self.timers.alarm());
        let mut command = pin!(connection.command());
        let mut shutdown = pin!(api.shutdown.cancelled());
        loop {
            let (may_read, is_flushed) = (self.next_permit.is_some(), self.unflushed.is_none());
            let result = tokio::select! {
                permit = Arc::clone(&self.in_flight).acquire_owned(), if !may_read => {
                    self.next_permit = permit.ok();
                    Ok(())
                }
                event = poll_fn(|cx| poll(&mut self.socket, may_read, !is_flushed, cx)) => match event {
                    SocketEvent::Received(frame) => self.received(frame),
                    SocketEvent::Flushed(flushed) => self.flushed(flushed),
                    SocketEvent::Outgrown => return Ok(()),
                },
                text = connection.outbound.next(), if is_flushed => self.send(text).await,
                () = &mut alarm => self.check_timers().map(|()| alarm.set(self.timers.alarm())),
                command = &mut command => match command {
                    Command::Close(closed) => Err(End::Gateway(closed)),
                    // Boxed to keep this future small: few connections are unplugged.
                    Command::Unplug(plug) => return Err(Box::pin(self.unplugged(plug)).await),
                },
                () = &mut shutdown => Err(End::Gateway(Closed::service_restart())),
            };
            result?;
        }
    }

    /// Does not use the socket until the connection ends.
    async fn unplugged(&mut self, plug: Plug) -> End {
        plug.pull();
        let (api, connection) = (self.api, self.connection);
        api.notify(|| ConnectionChange::Unplugged(connection.view()));
        loop {
            let closed = tokio::select! {
                () = self.timers.alarm() => {
                    if !self.timers.is_expired() {
                        continue;
                    }
                    Closed::lost()
                }
                () = plug.given_up() => Closed::lost(),
                closed = self.connection.close_requested() => closed,
                () = self.api.shutdown.cancelled() => Closed::service_restart(),
            };
            return End::Unplugged(closed, plug);
        }
    }

    fn received(&mut self, frame: Option<tungstenite::Result<Message>>) -> Result<(), End> {
        let Some(text) = text(frame)? else {
            // Flush the pong to a ping, if there is one, before the next message is written.
            self.unflushed.get_or_insert(0);
            if self.api.options.ping_resets_idle {
                self.touch();
            }
            return Ok(());
        };
        self.touch();
        if let Some(permit) = self.next_permit.take() {
            let request = self.api.request();
            let (api, connection) = (Arc::clone(self.api), Arc::clone(self.connection));
            let tasks = &self.api.tasks;
            let span = info_span!("message", request = %request.id);
            match self.api.faults.next_pause() {
                None => tasks.spawn(
                    message::answer(api, connection, request, text, permit).instrument(span),
                ),
                Some(pause) => tasks.spawn(
                    message::answer_late(api, connection, request, text, permit, pause)
                        .instrument(span),
                ),
            };
        }
        Ok(())
    }

    async fn send(&mut self, text: Utf8Bytes) -> Result<(), End> {
        self.touch();
        self.unflushed = Some(cost(&text));
        self.socket
            .feed(Message::Text(text))
            .await
            .map_err(|_| End::Lost)
    }

    fn flushed(&mut self, flushed: tungstenite::Result<()>) -> Result<(), End> {
        if let Some(bytes) = self.unflushed.take() {
            self.connection.outbound.written(bytes);
        }
        flushed.map_err(|_| End::Lost)
    }

    fn check_timers(&mut self) -> Result<(), End> {
        if self.timers.is_expired() {
            return Err(End::Gateway(self.timers.closed()));
        }
        Ok(())
    }

    fn touch(&mut self) {
        self.timers.touch();
        self.connection.touch();
    }
}

/// Polls the socket for a flush or a frame, whichever is ready first.
fn poll<S: AsyncRead + AsyncWrite + Unpin>(
    socket: &mut WebSocketStream<Metered<S>>,
    may_read: bool,
    may_flush: bool,
    cx: &mut Context<'_>,
) -> Poll<SocketEvent> {
    if may_flush && let Poll::Ready(flushed) = socket.poll_flush_unpin(cx) {
        return Poll::Ready(SocketEvent::Flushed(flushed));
    }
    if may_read {
        if let Poll::Ready(frame) = socket.poll_next_unpin(cx) {
            return Poll::Ready(SocketEvent::Received(frame));
        }
        if !may_flush && socket.get_ref().is_outgrown() {
            return Poll::Ready(SocketEvent::Outgrown);
        }
    }
    Poll::Pending
}

/// The text of a message; `None` for a ping or a pong.
///
/// # Errors
/// The frame ends the connection.
fn text(frame: Option<tungstenite::Result<Message>>) -> Result<Option<Utf8Bytes>, End> {
    match frame {
        Some(Ok(Message::Text(text))) => Ok(Some(text)),
        // The library replies to pings.
        Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => Ok(None),
        Some(Ok(Message::Binary(_))) => Err(End::Gateway(Closed::binary())),
        Some(Ok(Message::Close(frame))) => Err(End::Client(Closed::by_client(frame.as_ref()))),
        Some(Err(error)) => Err(Closed::by_error(&error).map_or(End::Lost, End::Broken)),
        None => Err(End::Lost),
    }
}

/// How a connection ends, which determines what is still sent on the socket.
enum End {
    /// The client sent a close frame, which the gateway echoes.
    Client(Closed),
    /// The gateway sends a close frame, which the client echoes.
    Gateway(Closed),
    /// The client violated the protocol, so the bytes that follow cannot be parsed.
    Broken(Closed),
    /// The socket failed or was closed without a close frame.
    Lost,
    /// The connection is unplugged, so nothing is sent.
    Unplugged(Closed, Plug),
}

impl End {
    /// Logs why the gateway closes the connection, unless a close was requested.
    fn log_cause(&self, connection: &Connection) {
        if let Self::Gateway(closed) | Self::Broken(closed) = self
            && let Some(why) = &closed.why
        {
            warn!("{} closed with {}: {why}", connection.id(), closed.code);
        }
    }

    /// Completes the closing handshake.
    async fn finish<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        socket: &mut WebSocketStream<S>,
        queued: &Outbound,
    ) {
        match self {
            Self::Client(_) => while let Some(Ok(_)) = socket.next().await {},
            Self::Gateway(closed) => {
                if socket.flush().await.is_err() {
                    return;
                }
                // Messages that were posted before the close are sent before the close frame.
                while let Some(text) = queued.try_next() {
                    if socket.feed(Message::Text(text)).await.is_err() {
                        return;
                    }
                }
                if socket.close(Some(closed.frame())).await.is_ok() {
                    while let Some(Ok(_)) = socket.next().await {}
                }
            }
            Self::Broken(closed) => {
                if socket.close(Some(closed.frame())).await.is_ok() {
                    drain(socket.get_mut()).await;
                }
            }
            Self::Lost | Self::Unplugged(..) => {}
        }
    }

    fn into_closed(self) -> (Closed, Option<Plug>) {
        match self {
            Self::Client(closed) | Self::Gateway(closed) | Self::Broken(closed) => (closed, None),
            Self::Lost => (Closed::lost(), None),
            Self::Unplugged(closed, plug) => (closed, Some(plug)),
        }
    }
}

/// Discards what the client still sends. Dropping a socket with unread data resets it, and the
/// close frame is lost.
async fn drain(socket: &mut (impl AsyncRead + AsyncWrite + Unpin)) {
    let mut rest = [0; READ_BUFFER_BYTES];
    if socket.shutdown().await.is_ok() {
        while let Ok(Ok(1..)) = timeout(DRAIN_QUIET, socket.read(&mut rest)).await {}
    }
}
