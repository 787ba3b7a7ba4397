//! A broker that does as it is told: enough of Kafka's protocol, by hand, for
//! rskafka to look up topics and to produce.

use std::{
    collections::{BTreeMap, VecDeque},
    io,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use parking_lot::Mutex;
use sluice_kafka::{BROKERS, Settings};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream, tcp::OwnedWriteHalf},
    sync::{Notify, Semaphore, mpsc},
    task::JoinSet,
    time::{sleep, timeout},
};

/// What becomes of one produce request.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Reply {
    /// It is stored, and confirmed.
    Store,
    /// It is stored and confirmed, and the client is asked for a pause, in
    /// which nothing else is answered on this connection.
    StoreAndThrottle(Duration),
    /// It is stored, and the connection is cut in the middle of the answer.
    StoreAndCut,
    /// It is stored, and nothing more is said on this connection.
    StoreAndFallSilent,
    /// It is stored, and confirmed once the test allows it.
    StoreAndHold,
    /// It is refused with this error.
    Refuse(i16),
}

/// A record batch that was stored.
#[derive(Debug, Clone)]
pub(crate) struct Stored {
    pub(crate) partition: i32,
    pub(crate) at: Instant,
    pub(crate) batch: Vec<u8>,
}

/// A broker on loopback, until it is dropped.
pub(crate) struct Broker {
    address: SocketAddr,
    pub(crate) state: Arc<State>,
    _serving: JoinSet<()>,
}

/// What the broker is told, and what it saw.
pub(crate) struct State {
    pub(crate) topics: Mutex<BTreeMap<String, i32>>,
    pub(crate) replies: Mutex<VecDeque<Reply>>,
    /// How long each connection is silent at first.
    pub(crate) slowness: Mutex<Duration>,
    /// How long whoever authenticates is said to be connected; zero is for ever.
    pub(crate) lifetime: Mutex<Duration>,
    pub(crate) stored: Mutex<Vec<Stored>>,
    /// The `allow_auto_topic_creation` of each request about topics.
    pub(crate) auto_creations: Mutex<Vec<u8>>,
    pub(crate) client_ids: Mutex<Vec<String>>,
    pub(crate) accepted: AtomicUsize,
    pub(crate) open: AtomicUsize,
    /// How many answers that are held may go.
    pub(crate) allowed: Semaphore,
    cut: Notify,
}

impl Broker {
    /// With the topic `t` of so many partitions; once `replies` run out, all is stored.
    pub(crate) async fn start(partitions: i32, replies: &[Reply]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(State {
            topics: Mutex::new([("t".to_owned(), partitions)].into()),
            replies: Mutex::new(replies.iter().copied().collect()),
            slowness: Mutex::default(),
            lifetime: Mutex::default(),
            stored: Mutex::default(),
            auto_creations: Mutex::default(),
            client_ids: Mutex::default(),
            accepted: AtomicUsize::new(0),
            open: AtomicUsize::new(0),
            allowed: Semaphore::new(0),
            cut: Notify::new(),
        });
        let mut serving = JoinSet::new();
        let shared = Arc::clone(&state);
        serving.spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                let (socket, _) = listener.accept().await.unwrap();
                let state = Arc::clone(&shared);
                connections.spawn(async move {
                    state.accepted.fetch_add(1, Ordering::SeqCst);
                    state.open.fetch_add(1, Ordering::SeqCst);
                    // However it ends, the test sees it by what was stored.
                    let _ = serve(socket, address, &state).await;
                    state.open.fetch_sub(1, Ordering::SeqCst);
                });
            }
        });
        Self {
            address,
            state,
            _serving: serving,
        }
    }

    pub(crate) fn address(&self) -> String {
        self.address.to_string()
    }

    /// What connects with it.
    pub(crate) fn settings(&self) -> Settings {
        let settings = Settings::from_lookup(|name| (name == BROKERS).then(|| self.address()));
        settings.expect("settings")
    }

    pub(crate) fn stored(&self) -> Vec<Stored> {
        self.state.stored.lock().clone()
    }

    /// Closes the connections that are open.
    pub(crate) async fn cut(&self) {
        self.state.cut.notify_waiters();
        self.until(|state| state.open.load(Ordering::SeqCst) == 0)
            .await;
    }

    /// Waits until that is so.
    pub(crate) async fn until(&self, what: impl Fn(&State) -> bool) {
        let waiting = async {
            while !what(&self.state) {
                sleep(Duration::from_millis(1)).await;
            }
        };
        timeout(PATIENCE, waiting).await.expect("it came to be so");
    }
}

/// Far above what anything here takes.
const PATIENCE: Duration = Duration::from_secs(10);

struct Request {
    api: i16,
    correlation_id: i32,
    body: Fields,
}

/// Reads and answers side by side, so that the test sees what was sent without
/// waiting for an answer. Answers keep the order of their requests.
async fn serve(socket: TcpStream, address: SocketAddr, state: &State) -> io::Result<()> {
    socket.set_nodelay(true)?;
    let (mut from_client, mut to_client) = socket.into_split();
    let (tell, mut requests) = mpsc::channel::<Answer>(1_000);
    let reading = async {
        loop {
            let mut frame = vec![0; usize::try_from(from_client.read_i32().await?).unwrap()];
            from_client.read_exact(&mut frame).await?;
            let request = Request::parse(frame, state);
            tell.send(request.answer(address, state)).await.unwrap();
        }
    };
    let answering = async {
        let slowness = *state.slowness.lock();
        sleep(slowness).await;
        while let Some(answer) = requests.recv().await {
            if !answer.write(&mut to_client, state).await? {
                break;
            }
        }
        Ok(())
    };
    tokio::select! {
        ended = reading => ended,
        ended = answering => ended,
        () = state.cut.notified() => Ok(()),
    }
}

/// An answer, and how it is given.
struct Answer {
    bytes: Vec<u8>,
    reply: Reply,
}

impl Answer {
    /// Whether the connection goes on.
    async fn write(&self, client: &mut OwnedWriteHalf, state: &State) -> io::Result<bool> {
        match self.reply {
            Reply::StoreAndFallSilent => std::future::pending().await,
            Reply::StoreAndHold => state.allowed.acquire().await.unwrap().forget(),
            Reply::StoreAndCut => {
                client
                    .write_all(&self.bytes[..self.bytes.len() / 2])
                    .await?;
                return Ok(false);
            }
            Reply::Store | Reply::StoreAndThrottle(_) | Reply::Refuse(_) => {}
        }
        client.write_all(&self.bytes).await?;
        if let Reply::StoreAndThrottle(pause) = self.reply {
            sleep(pause).await;
        }
        Ok(true)
    }
}

impl Request {
    fn parse(frame: Vec<u8>, state: &State) -> Self {
        let mut fields = Fields { frame, at: 0 };
        let (api, _version) = (fields.i16(), fields.i16());
        let correlation_id = fields.i32();
        let client_id = String::from_utf8(fields.string()).unwrap();
        state.client_ids.lock().push(client_id);
        Self {
            api,
            correlation_id,
            body: fields,
        }
    }

    fn answer(mut self, address: SocketAddr, state: &State) -> Answer {
        let mut reply = Reply::Store;
        let mut answer = Answering(Vec::new());
        answer.i32(self.correlation_id);
        match self.api {
            0 => {
                reply = state.replies.lock().pop_front().unwrap_or(Reply::Store);
                produce(&mut self.body, reply, state, &mut answer);
            }
            3 => metadata(&mut self.body, address, state, &mut answer),
            17 => sasl_handshake(&mut answer),
            18 => api_versions(&mut answer),
            36 => sasl_authenticate(&mut self.body, state, &mut answer),
            other => panic!("API {other} is not served"),
        }
        let mut bytes = i32::try_from(answer.0.len())
            .unwrap()
            .to_be_bytes()
            .to_vec();
        bytes.extend(answer.0);
        Answer { bytes, reply }
    }
}

/// Version 3, with the one version of each API that is spoken.
fn api_versions(answer: &mut Answering) {
    answer.i16(0);
    answer.0.push(1 + 5);
    for (api, version) in [(0, 7), (3, 4), (17, 1), (18, 3), (36, 1)] {
        answer.i16(api);
        answer.i16(version);
        answer.i16(version);
        answer.0.push(0);
    }
    answer.i32(0);
    answer.0.push(0);
}

/// Version 1.
fn sasl_handshake(answer: &mut Answering) {
    answer.i16(0);
    answer.len(1);
    answer.string("PLAIN");
}

/// Version 1, of the mechanism PLAIN.
fn sasl_authenticate(body: &mut Fields, state: &State, answer: &mut Answering) {
    const SASL_AUTHENTICATION_FAILED: i16 = 58;
    if body.bytes().ends_with(b"\0right") {
        answer.i16(0);
        answer.i16(-1);
    } else {
        answer.i16(SASL_AUTHENTICATION_FAILED);
        answer.string("wrong, says the broker");
    }
    answer.len(0);
    answer.i64(state.lifetime.lock().as_millis().try_into().unwrap());
}

/// Version 4.
fn metadata(body: &mut Fields, address: SocketAddr, state: &State, answer: &mut Answering) {
    let asked: Option<Vec<String>> = usize::try_from(body.i32()).ok().map(|count| {
        let names = (0..count).map(|_| String::from_utf8(body.string()).unwrap());
        names.collect()
    });
    state.auto_creations.lock().push(body.u8());
    let topics = state.topics.lock();
    let names: Vec<String> = asked.unwrap_or_else(|| topics.keys().cloned().collect());

    answer.i32(0);
    answer.i32(1);
    answer.i32(NODE);
    answer.string(&address.ip().to_string());
    answer.i32(address.port().into());
    answer.i16(-1);
    answer.i16(-1);
    answer.i32(NODE);
    answer.len(names.len());
    for name in names {
        let partitions = topics.get(&name);
        answer.i16(if partitions.is_some() { 0 } else { 3 });
        answer.string(&name);
        answer.0.push(0);
        let partitions = *partitions.unwrap_or(&0);
        answer.i32(partitions);
        for partition in 0..partitions {
            answer.i16(0);
            answer.i32(partition);
            answer.i32(NODE);
            for _replicas_then_in_sync in 0..2 {
                answer.i32(1);
                answer.i32(NODE);
            }
        }
    }
}

/// Version 7, of one batch.
fn produce(body: &mut Fields, reply: Reply, state: &State, answer: &mut Answering) {
    let (_transactional_id, acks, _timeout) = (body.i16(), body.i16(), body.i32());
    assert_eq!(acks, -1, "all in-sync replicas");
    assert_eq!(body.i32(), 1, "one topic");
    let topic = String::from_utf8(body.string()).unwrap();
    assert_eq!(body.i32(), 1, "one partition");
    let partition = body.i32();
    let batch = body.bytes();

    let (error, throttle) = match reply {
        Reply::Refuse(error) => (error, Duration::ZERO),
        Reply::StoreAndThrottle(time) => (0, time),
        _ => (0, Duration::ZERO),
    };
    let mut stored = state.stored.lock();
    let offset = i64::try_from(stored.len()).unwrap();
    if error == 0 {
        let at = Instant::now();
        stored.push(Stored {
            partition,
            at,
            batch,
        });
    }
    answer.i32(1);
    answer.string(&topic);
    answer.i32(1);
    answer.i32(partition);
    answer.i16(error);
    answer.i64(if error == 0 { offset } else { -1 });
    answer.i64(-1);
    answer.i64(0);
    answer.i32(throttle.as_millis().try_into().unwrap());
}

const NODE: i32 = 1;

struct Fields {
    frame: Vec<u8>,
    at: usize,
}

impl Fields {
    fn take(&mut self, len: usize) -> Vec<u8> {
        self.at += len;
        self.frame[self.at - len..self.at].to_vec()
    }

    fn u8(&mut self) -> u8 {
        self.take(1)[0]
    }

    fn i16(&mut self) -> i16 {
        i16::from_be_bytes(self.take(2).try_into().unwrap())
    }

    fn i32(&mut self) -> i32 {
        i32::from_be_bytes(self.take(4).try_into().unwrap())
    }

    fn string(&mut self) -> Vec<u8> {
        let len = self.i16();
        self.take(len.try_into().unwrap())
    }

    fn bytes(&mut self) -> Vec<u8> {
        let len = self.i32();
        self.take(len.try_into().unwrap())
    }
}

struct Answering(Vec<u8>);

impl Answering {
    fn i16(&mut self, value: i16) {
        self.0.extend(value.to_be_bytes());
    }

    fn i32(&mut self, value: i32) {
        self.0.extend(value.to_be_bytes());
    }

    fn i64(&mut self, value: i64) {
        self.0.extend(value.to_be_bytes());
    }

    fn len(&mut self, len: usize) {
        self.i32(len.try_into().unwrap());
    }

    fn string(&mut self, text: &str) {
        self.i16(text.len().try_into().unwrap());
        self.0.extend(text.as_bytes());
    }
}
