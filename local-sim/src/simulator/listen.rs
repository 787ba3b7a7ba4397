//! Ports that are asked for by a flag.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, SocketAddr},
};

use tokio::net::TcpListener;
use tracing::warn;

use super::error::StartError;

/// Listens at an address that `flag` can change.
pub(super) async fn listen(
    flag: &'static str,
    address: SocketAddr,
) -> Result<(TcpListener, SocketAddr), StartError> {
    let bound = async {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        Ok((listener, address))
    };
    bound.await.map_err(|source| StartError::Listen {
        flag,
        address,
        hint: "",
        source,
    })
}

/// Listens where the console was asked for, else at its usual place, else at any free port: a second simulator
/// is no reason to refuse the start.
pub(super) async fn listen_console(
    asked: Option<SocketAddr>,
) -> Result<(TcpListener, SocketAddr), StartError> {
    let usual = asked.unwrap_or(CONSOLE_DEFAULT);
    match listen("--console", usual).await {
        Err(StartError::Listen { source, .. })
            if asked.is_none() && source.kind() == io::ErrorKind::AddrInUse =>
        {
            let free = listen("--console", SocketAddr::new(usual.ip(), 0)).await?;
            warn!(
                "{usual} is taken, maybe by another local-sim: the console is at {}",
                free.1
            );
            Ok(free)
        }
        listening => listening,
    }
}

/// Where the console usually is.
const CONSOLE_DEFAULT: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 3002);
