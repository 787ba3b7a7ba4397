//! Disables delayed TCP acknowledgements.

use tokio::net::TcpStream;

/// Acknowledges received bytes at once (`TCP_QUICKACK`).
///
/// rskafka leaves Nagle's algorithm on, so it sends the rest of a request only after an
/// acknowledgement. The kernel returns to delayed acknowledgements on its own: call this after each
/// read that more bytes may follow. Errors are ignored, since they only make requests slower.
pub(super) fn acknowledge_at_once(socket: &TcpStream) {
    #[cfg(target_os = "linux")]
    let _ = socket.set_quickack(true);
    #[cfg(not(target_os = "linux"))]
    let _ = socket;
}
