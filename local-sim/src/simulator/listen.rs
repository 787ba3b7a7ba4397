//! Listening at the addresses of options.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, SocketAddr},
};

use tokio::net::TcpListener;
use tracing::warn;

use super::error::StartError;

/// Listens at the address of an option, `flag`.
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

/// Listens at the address of `--console`, else at the default, else at any free port, so that a second simulator can
/// start.
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
                "{usual} is taken, maybe by another local-sim: the console listens on {}",
                free.1
            );
            Ok(free)
        }
        listening => listening,
    }
}

/// The default address of the console.
const CONSOLE_DEFAULT: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 3002);
