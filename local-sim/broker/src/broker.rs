//! The listener: accepts connections, a bounded number at once, until it is told to stop.

use std::{error::Error, io, net::SocketAddr, sync::Arc};

use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
    time::sleep,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::{debug, warn};

use super::{
    cluster::{Cluster, Options},
    connection::{self, ConnectionError},
    control::Control,
    limits::{ACCEPT_PAUSE, CONNECTIONS_MAX},
    request::RequestError,
    store::topics::TopicError,
};

/// A broker that is bound to its address and accepts as soon as it is served.
#[derive(Debug)]
pub struct Broker {
    listener: TcpListener,
    address: SocketAddr,
    cluster: Arc<Cluster>,
}

impl Broker {
    /// Binds the address. Clients can connect from now on, and are answered once the broker is served.
    ///
    /// # Errors
    /// The kind is [`io::ErrorKind::AddrInUse`] where another process has the port.
    pub async fn bind(address: SocketAddr, options: Options) -> io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        Ok(Self {
            listener,
            address,
            cluster: Arc::new(Cluster::new(options)),
        })
    }

    /// The address it is bound to, with the port that was found where 0 was asked for.
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Creates a topic.
    pub fn create_topic(&self, name: &str, partitions: i32) -> Result<(), TopicError> {
        self.cluster.topics.create(name, partitions).map(drop)
    }

    /// What the developer may do with it, while it is served too.
    pub fn control(&self) -> Control {
        Control::new(Arc::clone(&self.cluster))
    }

    /// Serves clients until `shutdown`, then drops their connections and all records.
    pub async fn serve(self, shutdown: CancellationToken) {
        let connections = TaskTracker::new();
        let room = Arc::new(Semaphore::new(CONNECTIONS_MAX));
        self.cluster.faults.follow(&shutdown);
        shutdown
            .run_until_cancelled(async {
                loop {
                    let permit = admit(&room).await;
                    let client = accept(&self.listener).await;
                    let Some(closing) = self.cluster.faults.welcome() else {
                        debug!(peer = %client.1, "connection closed by a fault");
                        continue;
                    };
                    let served = serve_client(client, Arc::clone(&self.cluster), permit);
                    connections.spawn(closing.run_until_cancelled_owned(served));
                }
            })
            .await;
        connections.close();
        connections.wait().await;
    }
}

/// Waits until there is room for one more connection.
async fn admit(room: &Arc<Semaphore>) -> Option<OwnedSemaphorePermit> {
    if room.available_permits() == 0 {
        warn!(
            CONNECTIONS_MAX,
            "no room for another connection, the next one waits"
        );
    }
    // Fails only for a closed semaphore, and nobody closes this one.
    Arc::clone(room).acquire_owned().await.ok()
}

async fn accept(listener: &TcpListener) -> (TcpStream, SocketAddr) {
    loop {
        match listener.accept().await {
            Ok(client) => return client,
            Err(err) => {
                warn!(%err, "cannot accept");
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

async fn serve_client(
    (socket, peer): (TcpStream, SocketAddr),
    cluster: Arc<Cluster>,
    _room: Option<OwnedSemaphorePermit>,
) {
    match connection::serve(socket, &cluster).await {
        Ok(()) => debug!(%peer, "connection ended"),
        Err(ConnectionError::Io(err)) => debug!(%peer, %err, "connection broke"),
        Err(ConnectionError::Request(RequestError::Closed)) => {
            debug!(%peer, "connection closed by a fault");
        }
        Err(err) => warn!(%peer, err = &err as &dyn Error, "connection closed"),
    }
}
