//! One message: an invocation of its own, which waits for no other.

use std::sync::Arc;

use tokio::sync::OwnedSemaphorePermit;
use tokio_tungstenite::tungstenite::Utf8Bytes;
use tracing::warn;

use super::{
    Gateway,
    connection::Connection,
    event::{self, Request},
    integration::{Failure, error_frame},
};

/// Answers a message. Its `place` among those under way is free again once the answer is queued.
pub(super) async fn answer(
    gateway: Arc<Gateway>,
    connection: Arc<Connection>,
    request: Request,
    text: Utf8Bytes,
    place: OwnedSemaphorePermit,
) {
    if let Some(reply) = reply(&gateway, &connection, &request, &text).await {
        connection.reply(reply).await;
    }
    drop(place);
}

/// What the sender of a message gets: an error frame, or on a two-way route the function's body.
async fn reply(
    gateway: &Gateway,
    connection: &Connection,
    request: &Request,
    text: &str,
) -> Option<String> {
    let caller = &connection.caller;
    let selected = gateway
        .contract
        .route_selection_expression
        .evaluate(text, |_| None);
    let failed = |failure: Failure| Some(failure.frame(&caller.connection_id, &request.id));
    let route = gateway.select(&selected);
    let route_key = route.map(|(route_key, _)| route_key);
    if connection.admit(&gateway.throttle, route_key).is_err() {
        let message = &gateway.options.throttled_message;
        return Some(error_frame(message, &caller.connection_id, &request.id));
    }
    let Some((route_key, route)) = route else {
        let shown: String = selected.chars().take(SELECTED_CHARS_SHOWN).collect();
        warn!("no route for {shown:?} and no $default");
        return failed(Failure::Forbidden);
    };
    let message_id = gateway.ids.message(request.at, &caller.connection_id);
    let event = event::message(
        &gateway.stage,
        caller,
        request,
        &message_id,
        route_key,
        text,
    );
    match gateway.integrate(route, event).await {
        Ok(reply) => route.route_response.then(|| reply.into_text()),
        Err(error) => {
            error.log(&route.function);
            failed(error.failure())
        }
    }
}

/// Of what a client sent in the place of a route key, so much is logged.
const SELECTED_CHARS_SHOWN: usize = 64;
