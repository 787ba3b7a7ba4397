//! The listener: accepts a bounded number of connections until shutdown.

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

/// A broker that is bound to its address. [`Broker::serve`] accepts connections.
#[derive(Debug)]
pub struct Broker {
    listener: TcpListener,
    address: SocketAddr,
    cluster: Arc<Cluster>,
}

impl Broker {
    /// Binds the address.
    ///
    /// Clients can connect from now on. They get responses once [`Broker::serve`] runs.
    ///
    /// # Errors
    /// Fails with [`io::ErrorKind::AddrInUse`] if the port is in use.
    pub async fn bind(address: SocketAddr, options: Options) -> io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        Ok(Self {
            listener,
            address,
            cluster: Arc::new(Cluster::new(options)),
        })
    }

    /// The bound address. If port 0 was requested, it contains the port that was assigned.
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Creates a topic.
    ///
    /// # Errors
    /// Fails if the name or the number of partitions is invalid, the topic already exists, or a
    /// limit is reached.
    pub fn create_topic(&self, name: &str, partitions: i32) -> Result<(), TopicError> {
        self.cluster.topics.create(name, partitions).map(drop)
    }

    /// Returns a handle to inspect and control the broker while it runs.
    pub fn control(&self) -> Control {
        Control::new(Arc::clone(&self.cluster))
    }

    /// Serves clients until `shutdown`, then closes their connections and drops all records.
    pub async fn serve(self, shutdown: CancellationToken) {
        let connections = TaskTracker::new();
        let slots = Arc::new(Semaphore::new(CONNECTIONS_MAX));
        self.cluster.faults.set_shutdown(&shutdown);
        shutdown
            .run_until_cancelled(async {
                loop {
                    let permit = acquire_slot(&slots).await;
                    let client = accept(&self.listener).await;
                    let Some(closing) = self.cluster.faults.on_accept() else {
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

/// Waits until fewer than [`CONNECTIONS_MAX`] connections are open.
async fn acquire_slot(slots: &Arc<Semaphore>) -> Option<OwnedSemaphorePermit> {
    if slots.available_permits() == 0 {
        warn!(
            CONNECTIONS_MAX,
            "connection limit reached: new connections wait"
        );
    }
    // Fails only if the semaphore is closed, and this one never is.
    Arc::clone(slots).acquire_owned().await.ok()
}

async fn accept(listener: &TcpListener) -> (TcpStream, SocketAddr) {
    loop {
        match listener.accept().await {
            Ok(client) => return client,
            Err(err) => {
                warn!(%err, "cannot accept a connection");
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

async fn serve_client(
    (socket, peer): (TcpStream, SocketAddr),
    cluster: Arc<Cluster>,
    _slot: Option<OwnedSemaphorePermit>,
) {
    match connection::serve(socket, &cluster).await {
        Ok(()) => debug!(%peer, "connection ended"),
        Err(ConnectionError::Io(err)) => debug!(%peer, %err, "connection lost"),
        Err(ConnectionError::Request(RequestError::Closed)) => {
            debug!(%peer, "connection closed by a fault");
        }
        Err(err) => warn!(%peer, err = &err as &dyn Error, "connection closed"),
    }
}
