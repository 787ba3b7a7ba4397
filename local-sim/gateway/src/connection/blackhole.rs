//! Unplugged sockets, which stay open but are neither read from nor written to.

use std::{mem, sync::Arc};

use parking_lot::Mutex;
use tokio::{
    net::TcpStream,
    sync::{OwnedSemaphorePermit, Semaphore},
};
use tokio_util::sync::CancellationToken;

use crate::limits::UNPLUGGED_MAX;

/// All unplugged sockets, at most [`UNPLUGGED_MAX`].
#[derive(Debug)]
pub(crate) struct Blackhole {
    permits: Arc<Semaphore>,
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    /// Cancelled when all current sockets are given up.
    given_up: CancellationToken,
    /// The sockets whose connections have ended.
    sockets: Vec<(TcpStream, Plug)>,
}

/// A handle to a socket that is unplugged or about to be. It holds one of the permits.
#[derive(Debug, Clone)]
pub(crate) struct Plug {
    /// Cancelled once the connection's task has stopped using the socket.
    pulled: CancellationToken,
    given_up: CancellationToken,
    _permit: Arc<OwnedSemaphorePermit>,
}

impl Plug {
    /// Marks the socket as unplugged.
    pub(crate) fn pull(&self) {
        self.pulled.cancel();
    }

    /// Whether the socket is unplugged.
    pub(crate) fn is_pulled(&self) -> bool {
        self.pulled.is_cancelled()
    }

    /// Waits until the socket is unplugged.
    pub(crate) async fn pulled(&self) {
        self.pulled.cancelled().await;
    }

    /// Waits until the socket is given up.
    pub(crate) async fn given_up(&self) {
        self.given_up.cancelled().await;
    }
}

impl Blackhole {
    pub(crate) fn new() -> Self {
        Self {
            permits: Arc::new(Semaphore::new(UNPLUGGED_MAX)),
            kept: Mutex::default(),
        }
    }

    /// Reserves a permit for one more socket; `None` if the limit is reached.
    pub(crate) fn plug(&self) -> Option<Plug> {
        let permit = Arc::clone(&self.permits).try_acquire_owned().ok()?;
        Some(Plug {
            pulled: CancellationToken::new(),
            given_up: self.kept.lock().given_up.clone(),
            _permit: Arc::new(permit),
        })
    }

    /// Keeps the socket of an ended connection open, unless it has been given up.
    pub(crate) fn keep(&self, socket: TcpStream, plug: Plug) {
        let mut kept = self.kept.lock();
        if !plug.given_up.is_cancelled() {
            kept.sockets.push((socket, plug));
        }
    }

    /// Closes all unplugged sockets, and ends their connections that are still open.
    pub(crate) fn give_up(&self) {
        let kept = mem::take(&mut *self.kept.lock());
        kept.given_up.cancel();
    }
}

#[cfg(test)]
mod tests {
    use tokio::{io::AsyncReadExt as _, net::TcpListener};

    use super::*;

    /// Both ends of a connection.
    async fn pair() -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (client, accepted) = tokio::join!(TcpStream::connect(address), listener.accept());
        (client.unwrap(), accepted.unwrap().0)
    }

    #[test]
    fn dropping_plugs_frees_their_permits() {
        let unplugged = Blackhole::new();
        let plugs: Vec<Plug> = std::iter::from_fn(|| unplugged.plug()).collect();
        assert_eq!(plugs.len(), UNPLUGGED_MAX);
        drop(plugs);
        assert!(unplugged.plug().is_some());
    }

    #[tokio::test]
    async fn giving_up_closes_sockets_that_are_kept_before_and_after() {
        let unplugged = Blackhole::new();
        let (mut before, kept) = pair().await;
        let (mut after, late) = pair().await;
        let plug = unplugged.plug().unwrap();
        unplugged.keep(kept, unplugged.plug().unwrap());
        assert!(!plug.given_up.is_cancelled());
        unplugged.give_up();
        plug.given_up().await;
        unplugged.keep(late, plug);
        for client in [&mut before, &mut after] {
            assert_eq!(client.read_to_end(&mut Vec::new()).await.unwrap(), 0);
        }
        assert_eq!(unplugged.permits.available_permits(), UNPLUGGED_MAX);
    }
}
