//! Runs an open connection from its 101 until its `$disconnect` has finished.

use std::sync::Arc;

use bytes::BytesMut;
use tokio::{io::AsyncWriteExt as _, net::TcpStream, time::timeout};
use tracing::warn;

use super::frames;
use crate::{
    api::Api,
    close::Closed,
    connection::{Connection, view::ConnectionChange},
    event::{self, caller::Caller},
    limits::ANSWER_WAIT,
    log::{
        entry::{Entry, Steps},
        variables::Variables,
    },
    observer::Kind,
    routing::integration::integrate,
};

/// Sends the 101, serves the connection until it is closed, and runs its `$disconnect`.
///
/// `response` is the 101. `early` is what the client sent after its handshake.
pub(crate) async fn run(
    api: Arc<Api>,
    mut socket: TcpStream,
    connection: Arc<Connection>,
    response: String,
    early: BytesMut,
) {
    let written = timeout(ANSWER_WAIT, socket.write_all(response.as_bytes())).await;
    drop(response);
    let closed = if let Ok(Ok(())) = written {
        let ended = frames::serve(&api, &connection, socket, early).await;
        if let Some((socket, plug)) = ended.unplugged {
            api.blackhole.keep(socket, plug);
        }
        ended.closed
    } else {
        // The client has disconnected or does not read. `$connect` has run, so `$disconnect` must
        // run as well.
        api.connections.remove(connection.id());
        connection.outbound.close();
        Closed::lost()
    };
    api.notify(|| ConnectionChange::Closed {
        view: connection.view(),
        code: closed.code,
        reason: closed.reason.clone(),
    });
    disconnect(&api, &connection.caller, &closed).await;
}

/// Invokes `$disconnect` if the route exists, and ignores its reply.
async fn disconnect(api: &Api, caller: &Caller, closed: &Closed) {
    let request = api.request();
    let entry = Entry {
        variables: Variables {
            stage: &api.stage,
            caller,
            request: &request,
            event_type: "DISCONNECT",
            route_key: Some("$disconnect"),
            message_id: None,
        },
        status: 200,
        error: None,
        steps: &Steps::default(),
    };
    let kind = Kind::Disconnect {
        code: closed.code,
        reason: &closed.reason,
    };
    let Some(route) = api.contract.routes.get("$disconnect") else {
        api.record(&entry, kind);
        return;
    };
    if api.faults.drops_disconnect() {
        let id = &caller.connection_id;
        warn!("the $disconnect of {id} does not run (fault dropDisconnect)");
        return;
    }
    let event = event::disconnect(&api.stage, caller, &request, closed);
    let integration = integrate(api, route, event).await;
    let entry = Entry {
        status: if integration.result.is_ok() { 200 } else { 500 },
        steps: &Steps {
            integration: integration.step,
            ..Steps::default()
        },
        ..entry
    };
    api.record(&entry, kind);
}
