//! The console: how a developer, or a test, takes hold of the running simulator.
//!
//! ```text
//! socket ─▶ guard (whose page asks?) ─▶ router ─▶ connections, environments, invocations, stream: look, and act
//!                                             └─▶ faults, time, reset: change what happens
//! ```
//!
//! It is no part of AWS, so it listens at an address of its own.

mod answer;
mod body;
mod connections;
mod environments;
mod faults;
mod guard;
mod invocations;
mod limits;
mod produced;
mod reset;
mod router;
mod stream;
mod time;

use std::{convert::Infallible, net::SocketAddr, sync::Arc};

use hyper::{server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    io::join,
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    time::sleep,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::{debug, warn};

use self::limits::{
    ACCEPT_PAUSE, ANSWER_WAIT, CONNECTIONS_MAX, HEAD_BYTES_MAX, HEAD_WAIT, STREAMS_MAX,
};
use crate::faults::Switchboard;
use crate::gateway::Gateway;
use crate::kafka::Control;
use crate::lambda::Lambda;
use crate::patience::Patience;

/// What can be taken hold of.
#[derive(Debug)]
pub(crate) struct Console {
    gateway: Arc<Gateway>,
    lambda: Arc<Lambda>,
    broker: Option<Control>,
    switchboard: Switchboard,
    /// A place for each reader of the stream.
    streams: Arc<Semaphore>,
}

impl Console {
    /// What takes hold of these; `broker` is the embedded one, where there is one.
    pub(crate) fn new(
        gateway: Arc<Gateway>,
        lambda: Arc<Lambda>,
        broker: Option<Control>,
        switchboard: Switchboard,
    ) -> Self {
        Self {
            gateway,
            lambda,
            broker,
            switchboard,
            streams: Arc::new(Semaphore::new(STREAMS_MAX)),
        }
    }
}

/// Serves requests until `shutdown` is cancelled; those under way are dropped then.
pub(crate) async fn serve(console: Console, listener: TcpListener, shutdown: CancellationToken) {
    let console = Arc::new(console);
    let tasks = TaskTracker::new();
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    while let Some(Ok(place)) = shutdown
        .run_until_cancelled(Arc::clone(&places).acquire_owned())
        .await
    {
        let Some(accepted) = shutdown.run_until_cancelled(listener.accept()).await else {
            break;
        };
        match accepted {
            Ok((socket, _)) => {
                let (console, shutdown) = (Arc::clone(&console), shutdown.clone());
                tasks.spawn(async move {
                    shutdown.run_until_cancelled(talk(&console, socket)).await;
                    drop(place);
                });
            }
            Err(error) => {
                warn!("console: cannot accept a connection: {error}");
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    tasks.close();
    tasks.wait().await;
}

async fn talk(console: &Console, socket: TcpStream) {
    let served = async {
        let own: SocketAddr = socket.local_addr()?;
        let (read, write) = socket.into_split();
        let write = Patience::new(write, ANSWER_WAIT);
        let service = service_fn(|request| async move {
            Ok::<_, Infallible>(router::answer(console, own.ip(), request).await)
        });
        http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD_WAIT)
            .max_buf_size(HEAD_BYTES_MAX)
            .serve_connection(TokioIo::new(join(read, write)), service)
            .await?;
        Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
    };
    if let Err(error) = served.await {
        debug!("console: {error}");
    }
}
