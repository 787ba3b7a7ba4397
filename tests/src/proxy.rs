//! The network between clients and one broker, as bad as a test wants it to be.

use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch::{Receiver, Sender, channel};
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::wait::eventually;

/// Bytes are handed on in pieces of this size.
const PIECE_BYTES: usize = 16 * 1024;

/// Far more connections than any test opens to one broker at once.
const CONNECTIONS_MAX: usize = 4_096;

/// Forwards connections until it is dropped, and all of them with it.
#[derive(Debug)]
pub struct Proxy {
    weather: Sender<Weather>,
    _accepting: JoinSet<()>,
}

/// What happens to connections, present and future.
#[derive(Debug, Clone, Copy, Default)]
struct Weather {
    /// The port that new connections lead to.
    broker: u16,
    /// Counts what was done to all connections of the time; a connection knows its birth.
    time: u64,
    /// Connections of an earlier time are closed.
    cut: u64,
    /// Connections of an earlier time carry nothing any more, and nobody is told.
    forgotten: u64,
    /// Connections of an earlier time are closed if they are forgotten, too.
    buried: u64,
    /// No connection carries anything.
    is_silent: bool,
    /// Each piece is handed on so much later.
    delay: Duration,
    /// A longer answer ends after so many bytes, and the connection with it.
    answer_bytes: Option<usize>,
}

impl Proxy {
    /// Listens at one port of loopback and forwards to another.
    ///
    /// Whoever listened there before may have been dropped and still be ending: a task that is
    /// aborted keeps what it has until its runtime comes by.
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

    /// Leads new connections to another port.
    pub fn lead_to(&self, broker: u16) {
        self.weather.send_modify(|weather| weather.broker = broker);
    }

    /// Closes all connections of this moment.
    pub fn cut(&self) {
        self.weather.send_modify(|weather| {
            weather.time += 1;
            weather.cut = weather.time;
        });
    }

    /// Lets all connections of this moment go stale, as a NAT does that forgets them: they stay
    /// open, and what is sent on them is lost.
    pub fn forget(&self) {
        self.weather.send_modify(|weather| {
            weather.time += 1;
            weather.forgotten = weather.time;
        });
    }

    /// Closes the connections that were forgotten, so that they need not be held for ever.
    pub fn bury(&self) {
        self.weather
            .send_modify(|weather| weather.buried = weather.forgotten);
    }

    /// Accepts and carries nothing, or no longer so.
    pub fn silence(&self, is_silent: bool) {
        self.weather
            .send_modify(|weather| weather.is_silent = is_silent);
    }

    /// Hands each piece on so much later.
    pub fn delay(&self, delay: Duration) {
        self.weather.send_modify(|weather| weather.delay = delay);
    }

    /// Closes a connection after the first `bytes` of an answer that has more, or no longer so.
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

/// Forwards both ways until either side ends, or is ended.
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

/// Carries bytes one way until that ends.
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

    /// A proxy before an echo, and a connection through it.
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

    /// What comes back of a text before the connection ends, or is whole.
    async fn echo(socket: &mut TcpStream, text: &str) -> String {
        // A connection that is closed refuses what it is sent, too.
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
