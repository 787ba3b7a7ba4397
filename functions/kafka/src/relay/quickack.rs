//! Acknowledgements without the kernel's usual delay.

use tokio::net::TcpStream;

/// Has the kernel acknowledge what was received, and what comes next, at once.
///
/// With Nagle's algorithm on, as rskafka leaves it, the sender waits for that
/// before it sends the rest. The kernel falls back to delays by itself, so call
/// this after each read that more may follow. Where it fails, requests are
/// merely slower.
pub(super) fn acknowledge_at_once(socket: &TcpStream) {
    #[cfg(target_os = "linux")]
    let _ = socket.set_quickack(true);
    #[cfg(not(target_os = "linux"))]
    let _ = socket;
}
