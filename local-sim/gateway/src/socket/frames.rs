//! An open connection's socket: its frames in both directions, its clocks, and how it ends.

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
use tracing::warn;

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
    /// What its `$disconnect` is told.
    pub(crate) closed: Closed,
    /// Its socket, where its plug was pulled: open still, and to stay so.
    pub(crate) unplugged: Option<(S, Plug)>,
}

/// Moves frames until one side ends the connection; says how it ended once the socket is closed, or left alone.
///
/// `early` is what the client sent behind its handshake.
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
    // From now on it does not exist for anybody else.
    api.connections.remove(connection.id());
    connection.outbound.close();
    let wait = if api.shutdown.is_cancelled() {
        SHUTDOWN_CLOSE_WAIT
    } else {
        CLOSE_WAIT
    };
    // Whoever does not close in time is cut off.
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

/// A conversation under way.
struct FrameLoop<'a, S> {
    api: &'a Arc<Api>,
    connection: &'a Arc<Connection>,
    socket: WebSocketStream<Metered<S>>,
    /// What was written last may not be on the wire yet; the room that it takes in the queue.
    unflushed: Option<u32>,
    timers: Timers<'a>,
    /// A place for each message that is not answered yet.
    in_flight: Arc<Semaphore>,
    /// The place of the next message: without one, nothing is read.
    next_permit: Option<OwnedSemaphorePermit>,
}

/// What happened on the socket.
enum SocketEvent {
    Received(Option<tungstenite::Result<Message>>),
    Flushed(tungstenite::Result<()>),
    /// Nothing, and there is nothing left in a codec that has grown.
    Outgrown,
}

impl<S: AsyncRead + AsyncWrite + Unpin> FrameLoop<'_, S> {
    /// Moves frames until the codec is to be replaced, by one that takes less memory.
    async fn until_outgrown(&mut self) -> Result<(), End> {
        let (api, connection) = (self.api, self.connection);
        // To wait for these anew with each frame would cost more than the frame.
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
                    // Apart, which takes less memory: few connections come here.
                    Command::Unplug(plug) => return Err(Box::pin(self.unplugged(plug)).await),
                },
                () = &mut shutdown => Err(End::Gateway(Closed::service_restart())),
            };
            result?;
        }
    }

    /// Leaves the socket alone until the connection is over.
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
            // There may be a ping's answer to flush before a message finds room behind it.
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
            match self.api.faults.next_pause() {
                None => tasks.spawn(message::answer(api, connection, request, text, permit)),
                Some(pause) => tasks.spawn(message::answer_late(
                    api, connection, request, text, permit, pause,
                )),
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

/// Reads or flushes, whichever can be done first.
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

/// What a frame means: a message's text, traffic only, or the end.
fn text(frame: Option<tungstenite::Result<Message>>) -> Result<Option<Utf8Bytes>, End> {
    match frame {
        Some(Ok(Message::Text(text))) => Ok(Some(text)),
        // A ping's answer is sent by the library.
        Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => Ok(None),
        Some(Ok(Message::Binary(_))) => Err(End::Gateway(Closed::binary())),
        Some(Ok(Message::Close(frame))) => Err(End::Client(Closed::by_client(frame.as_ref()))),
        Some(Err(error)) => Err(Closed::by_error(&error).map_or(End::Lost, End::Broken)),
        None => Err(End::Lost),
    }
}

/// Who ends a connection, and so what there is left to say on the socket.
enum End {
    /// The client sent a close frame, which is to be echoed.
    Client(Closed),
    /// The gateway closes; the client is to echo that.
    Gateway(Closed),
    /// The client sent what is no WebSocket frame; what comes behind it cannot be read.
    Broken(Closed),
    /// The socket is gone.
    Lost,
    /// The socket is left alone: nobody is told.
    Unplugged(Closed, Plug),
}

impl End {
    /// Says on the log why the gateway closes, where nobody has asked it to.
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
                // What was posted before the end still goes out before it.
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

/// Reads what the client still sends: a socket dropped with unread data is reset, and the close frame lost.
async fn drain(socket: &mut (impl AsyncRead + AsyncWrite + Unpin)) {
    let mut rest = [0; READ_BUFFER_BYTES];
    if socket.shutdown().await.is_ok() {
        while let Ok(Ok(1..)) = timeout(DRAIN_QUIET, socket.read(&mut rest)).await {}
    }
}
