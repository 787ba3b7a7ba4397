//! Accepts connections and serves their requests.

use std::{convert::Infallible, net::SocketAddr, sync::Arc};

use hyper::{server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use local_sim_gateway::Patience;
use tokio::{
    io::join,
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    time::sleep,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::{debug, warn};

use crate::{
    controls::Console,
    limits::{ACCEPT_PAUSE, CONNECTIONS_MAX, HEAD_BYTES_MAX, HEAD_TIMEOUT, WRITE_TIMEOUT},
    router,
};

/// Serves requests until `shutdown` is cancelled, then drops those in progress.
pub async fn serve(console: Console, listener: TcpListener, shutdown: CancellationToken) {
    let console = Arc::new(console);
    let tasks = TaskTracker::new();
    let permits = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    while let Some(Ok(permit)) = shutdown
        .run_until_cancelled(Arc::clone(&permits).acquire_owned())
        .await
    {
        let Some(accepted) = shutdown.run_until_cancelled(listener.accept()).await else {
            break;
        };
        match accepted {
            Ok((socket, _)) => {
                let (console, shutdown) = (Arc::clone(&console), shutdown.clone());
                tasks.spawn(async move {
                    shutdown
                        .run_until_cancelled(serve_connection(&console, socket))
                        .await;
                    drop(permit);
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

async fn serve_connection(console: &Console, socket: TcpStream) {
    let served = async {
        let own: SocketAddr = socket.local_addr()?;
        let (read, write) = socket.into_split();
        let write = Patience::new(write, WRITE_TIMEOUT);
        let service = service_fn(|request| async move {
            Ok::<_, Infallible>(router::handle(console, own.ip(), request).await)
        });
        http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD_TIMEOUT)
            .max_buf_size(HEAD_BYTES_MAX)
            .serve_connection(TokioIo::new(join(read, write)), service)
            .await?;
        Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
    };
    if let Err(error) = served.await {
        debug!("console: {error}");
    }
}
