//! A TCP proxy in front of one broker that injects network faults.

use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch::{Receiver, Sender, channel};
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::wait::eventually;

/// The most bytes that are forwarded at once.
const PIECE_BYTES: usize = 16 * 1024;

/// Far more connections than any test opens to one broker at once.
const CONNECTIONS_MAX: usize = 4_096;

/// Forwards connections. Dropping it closes all of them.
#[derive(Debug)]
pub struct Proxy {
    weather: Sender<Weather>,
    _accepting: JoinSet<()>,
}

/// The current network faults.
#[derive(Debug, Clone, Copy, Default)]
struct Weather {
    /// The target port of new connections.
    broker: u16,
    /// Counts the faults injected so far. Each connection remembers the count at its start.
    time: u64,
    /// Connections started before this count are closed.
    cut: u64,
    /// Connections started before this count silently drop all bytes.
    forgotten: u64,
    /// Forgotten connections started before this count are closed.
    buried: u64,
    /// All connections carry no bytes.
    is_silent: bool,
    /// The delay before bytes are forwarded.
    delay: Duration,
    /// A longer response is cut after this many bytes, and its connection is closed.
    answer_bytes: Option<usize>,
}

impl Proxy {
    /// Listens on one loopback port and forwards to another.
    ///
    /// Retries until the port is free: a dropped proxy's aborted task holds its socket until the
    /// runtime drops the task.
    pub async fn start(port: u16, broker: u16) -> Self {
        let listener = eventually("the port of a proxy", async || {
            TcpListener::bind(("127.0.0.1", port)).await.ok()
        })
        .await;
        let (weather, forecast) = channel(Weather {
            broker,
            ..Weather::default()
        });
        let mut accepting = JoinSet::new();
        accepting.spawn(accept(listener, forecast));
        Self {
            weather,
            _accepting: accepting,
        }
    }

    /// Forwards new connections to another port.
    pub fn lead_to(&self, broker: u16) {
        self.weather.send_modify(|weather| weather.broker = broker);
    }

    /// Closes all current connections.
    pub fn cut(&self) {
        self.weather.send_modify(|weather| {
            weather.time += 1;
            weather.cut = weather.time;
        });
    }

    /// Makes all current connections stale, as a NAT does when it evicts their mappings: they stay
    /// open, and all bytes sent on them are lost.
    pub fn forget(&self) {
        self.weather.send_modify(|weather| {
            weather.time += 1;
            weather.forgotten = weather.time;
        });
    }

    /// Closes the stale connections, to release their sockets.
    pub fn bury(&self) {
        self.weather
            .send_modify(|weather| weather.buried = weather.forgotten);
    }

    /// Accepts connections but carries no bytes, or stops doing so.
    pub fn silence(&self, is_silent: bool) {
        self.weather
            .send_modify(|weather| weather.is_silent = is_silent);
    }

    /// Delays all bytes.
    pub fn delay(&self, delay: Duration) {
        self.weather.send_modify(|weather| weather.delay = delay);
    }

    /// Closes a connection after the first `bytes` of a longer response; `None` stops that.
    pub fn cut_answers(&self, bytes: Option<usize>) {
        self.weather
            .send_modify(|weather| weather.answer_bytes = bytes);
    }
}

impl Weather {
    fn carries(&self, birth: u64) -> bool {
        !self.is_silent && self.forgotten <= birth
    }
}

async fn accept(listener: TcpListener, weather: Receiver<Weather>) {
    let mut connections = JoinSet::new();
    loop {
        let (client, _) = listener.accept().await.unwrap();
        while connections.try_join_next().is_some() {}
        assert!(connections.len() < CONNECTIONS_MAX, "too many connections");
        connections.spawn(forward(client, weather.clone()));
    }
}

/// Forwards both ways until either side ends or the connection is cut.
async fn forward(mut client: TcpStream, weather: Receiver<Weather>) {
    let Weather {
        time: birth,
        broker,
        ..
    } = *weather.borrow();
    let Ok(mut broker) = TcpStream::connect(("127.0.0.1", broker)).await else {
        return;
    };
    if client.set_nodelay(true).is_err() || broker.set_nodelay(true).is_err() {
        return;
    }
    let mut fate = weather.clone();
    let (from_client, to_client) = client.split();
    let (from_broker, to_broker) = broker.split();
    tokio::select! {
        () = carry(from_client, to_broker, weather.clone(), birth, |_| None) => {}
        () = carry(from_broker, to_client, weather, birth, |weather| weather.answer_bytes) => {}
        _ = fate.wait_for(|weather| weather.cut.max(weather.buried) > birth) => {}
    }
}

/// Forwards bytes one way until that side ends.
async fn carry(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    mut weather: Receiver<Weather>,
    birth: u64,
    limit: impl Fn(&Weather) -> Option<usize>,
) {
    let mut piece = vec![0; PIECE_BYTES];
    while let Ok(length @ 1..) = from.read(&mut piece).await {
        let carried = weather.wait_for(|weather| weather.carries(birth)).await;
        let Ok(weather) = carried.map(|weather| *weather) else {
            return;
        };
        sleep(weather.delay).await;
        let end = limit(&weather).map_or(length, |limit| limit.min(length));
        if to.write_all(&piece[..end]).await.is_err() || end < length {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wait::within;

    /// A proxy in front of an echo server, and a connection through it.
    struct Line {
        proxy: Proxy,
        port: u16,
        _echo: JoinSet<()>,
    }

    impl Line {
        async fn start() -> Self {
            let echo = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let broker = echo.local_addr().unwrap().port();
            let free = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let port = free.local_addr().unwrap().port();
            drop(free);
            let mut serving = JoinSet::new();
            serving.spawn(async move {
                let mut echoes = JoinSet::new();
                while let Ok((mut socket, _)) = echo.accept().await {
                    echoes.spawn(async move {
                        let (mut from, mut to) = socket.split();
                        tokio::io::copy(&mut from, &mut to).await
                    });
                }
            });
            Self {
                proxy: Proxy::start(port, broker).await,
                port,
                _echo: serving,
            }
        }

        async fn connect(&self) -> TcpStream {
            TcpStream::connect(("127.0.0.1", self.port)).await.unwrap()
        }
    }

    /// Sends a text and returns the part of it that comes back before the connection ends.
    async fn echo(socket: &mut TcpStream, text: &str) -> String {
        // Writing fails if the connection is closed.
        let _ = socket.write_all(text.as_bytes()).await;
        let mut back = Vec::new();
        while back.len() < text.len()
            && let Ok(length @ 1..) = within("an echo", socket.read_buf(&mut back)).await
        {
            assert!(length <= text.len());
        }
        String::from_utf8(back).unwrap()
    }

    #[tokio::test]
    async fn bytes_pass_both_ways() {
        let line = Line::start().await;
        assert_eq!(echo(&mut line.connect().await, "hello").await, "hello");
    }

    #[tokio::test]
    async fn a_cut_ends_what_is_open_and_nothing_later() {
        let line = Line::start().await;
        let mut open = line.connect().await;
        assert_eq!(echo(&mut open, "hello").await, "hello");
        line.proxy.cut();
        assert_eq!(echo(&mut open, "hello").await, "");
        assert_eq!(echo(&mut line.connect().await, "hello").await, "hello");
    }

    #[tokio::test]
    async fn a_forgotten_connection_is_silent_and_a_new_one_is_not() {
        let line = Line::start().await;
        let mut open = line.connect().await;
        assert_eq!(echo(&mut open, "hello").await, "hello");
        line.proxy.forget();
        open.write_all(b"hello").await.unwrap();
        let mut later = line.connect().await;
        assert_eq!(echo(&mut later, "hello").await, "hello");
        let nothing = open.try_read(&mut [0]).unwrap_err();
        assert_eq!(nothing.kind(), std::io::ErrorKind::WouldBlock);
        line.proxy.bury();
        assert_eq!(within("the end", open.read(&mut [0])).await.unwrap(), 0);
        assert_eq!(echo(&mut later, "hello").await, "hello");
    }

    #[tokio::test]
    async fn new_connections_may_be_led_elsewhere_and_open_ones_stay() {
        let (line, elsewhere) = (Line::start().await, Line::start().await);
        let mut open = line.connect().await;
        assert_eq!(echo(&mut open, "hello").await, "hello");
        elsewhere.proxy.cut_answers(Some(3));
        line.proxy.lead_to(elsewhere.port);
        assert_eq!(echo(&mut line.connect().await, "hello").await, "hel");
        assert_eq!(echo(&mut open, "hello").await, "hello");
    }

    #[tokio::test]
    async fn silence_withholds_and_does_not_lose() {
        let line = Line::start().await;
        let mut open = line.connect().await;
        assert_eq!(echo(&mut open, "a").await, "a");
        line.proxy.silence(true);
        open.write_all(b"b").await.unwrap();
        line.proxy.silence(false);
        assert_eq!(echo(&mut open, "c").await, "b");
    }

    #[tokio::test]
    async fn an_answer_is_cut_in_the_middle() {
        let line = Line::start().await;
        line.proxy.cut_answers(Some(3));
        assert_eq!(echo(&mut line.connect().await, "hello").await, "hel");
        assert_eq!(echo(&mut line.connect().await, "hi").await, "hi");
        line.proxy.cut_answers(None);
        assert_eq!(echo(&mut line.connect().await, "hello").await, "hello");
    }

    #[tokio::test]
    async fn a_delay_is_kept() {
        let line = Line::start().await;
        line.proxy.delay(Duration::from_millis(50));
        let start = tokio::time::Instant::now();
        assert_eq!(echo(&mut line.connect().await, "hello").await, "hello");
        assert!(start.elapsed() >= Duration::from_millis(100));
    }
}
