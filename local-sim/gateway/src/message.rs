//! One message: an invocation of its own, which waits for no other.

use std::sync::Arc;

use sluice_contract::Route;
use tokio::sync::OwnedSemaphorePermit;
use tokio_tungstenite::tungstenite::Utf8Bytes;
use tracing::warn;

use super::{
    Gateway,
    access_log::{Entry, Steps},
    connection::Connection,
    event::{self, Request},
    id::Id,
    integration::Failure,
    lenient,
    options::JsonReading,
    reply::Reply,
    variables::Variables,
};
use local_sim_faults::Pause;

/// Answers a message, at first after a wait, so that others overtake it.
pub(super) async fn answer_late(
    gateway: Arc<Gateway>,
    connection: Arc<Connection>,
    request: Request,
    text: Utf8Bytes,
    place: OwnedSemaphorePermit,
    pause: Pause,
) {
    // When the gateway ends, nobody waits any more.
    gateway.shutdown.run_until_cancelled(pause.pass()).await;
    answer(gateway, connection, request, text, place).await;
}

/// Answers a message. Its `place` among those under way is free again once the answer is queued.
pub(super) async fn answer(
    gateway: Arc<Gateway>,
    connection: Arc<Connection>,
    request: Request,
    text: Utf8Bytes,
    place: OwnedSemaphorePermit,
) {
    let Handled {
        route_key,
        message_id,
        steps,
        outcome,
    } = handle(&gateway, &connection, &request, &text).await;
    drop(text);
    let caller = &connection.caller;
    let (status, error) = match &outcome {
        Ok(_) => (200, None),
        Err(failure) => (failure.status, Some(failure.message.as_ref())),
    };
    gateway.access_log.write(&Entry {
        variables: Variables {
            stage: &gateway.stage,
            caller,
            request: &request,
            event_type: "MESSAGE",
            route_key,
            message_id: message_id.as_ref(),
        },
        status,
        error,
        steps: &steps,
    });
    let frame = match outcome {
        Ok(text) => text,
        Err(failure) => Some(failure.frame(&caller.connection_id, &request.id)),
    };
    if let Some(frame) = frame {
        connection.outbound.reply(frame.into()).await;
    }
    drop(place);
}

/// What became of a message.
struct Handled<'a> {
    /// `None` where no route takes it.
    route_key: Option<&'a str>,
    /// `None` where no function has seen it.
    message_id: Option<Id>,
    steps: Steps,
    /// What its sender gets: on a two-way route the function's body, or an error.
    outcome: Result<Option<String>, Failure>,
}

async fn handle<'a>(
    gateway: &'a Gateway,
    connection: &Connection,
    request: &Request,
    text: &str,
) -> Handled<'a> {
    let selected = select(gateway, text);
    let route = gateway.select(&selected);
    let route_key = route.map(|(route_key, _)| route_key);
    let mut handled = Handled {
        route_key,
        message_id: None,
        steps: Steps::default(),
        outcome: Ok(None),
    };
    if connection.admit(&gateway.throttle, route_key).is_err() {
        handled.outcome = Err(Failure::throttled(&gateway.options.throttled_message));
        return handled;
    }
    let Some((route_key, route)) = route else {
        warn_of_no_route(gateway, &selected);
        handled.outcome = Err(Failure::FORBIDDEN);
        return handled;
    };
    let caller = &connection.caller;
    let message_id = gateway.ids.message(request.at, &caller.connection_id);
    let event = event::message(
        &gateway.stage,
        caller,
        request,
        &message_id,
        route_key,
        text,
    );
    let integration = gateway.integrate(route, event).await;
    handled.message_id = Some(message_id);
    handled.steps.integration = integration.step();
    handled.outcome = match integration.result {
        Ok(reply) => answered(gateway, route_key, route, reply),
        Err(error) => Err(error.failure()),
    };
    handled
}

/// What the route selection expression finds.
fn select(gateway: &Gateway, text: &str) -> String {
    let expression = &gateway.contract.route_selection_expression;
    match gateway.options.json {
        JsonReading::Lenient => expression.evaluate(&lenient::read(text), |_| None),
        JsonReading::Strict => expression.evaluate(text, |_| None),
    }
}

/// The text for the client of a two-way route. A one-way route has none, whatever the function says.
fn answered(
    gateway: &Gateway,
    route_key: &str,
    route: &Route,
    reply: Reply,
) -> Result<Option<String>, Failure> {
    let function = &route.function;
    if !route.route_response {
        if reply.has_body() && gateway.hints.is_first(route_key) {
            warn!(
                "{function}: the body of the reply goes nowhere: the route {route_key} has no \
                 `routeResponse: true` (said once)"
            );
        }
        return Ok(None);
    }
    reply.into_text().map(Some).map_err(|error| {
        warn!("{function}: {error}");
        Failure::INTERNAL_SERVER_ERROR
    })
}

fn warn_of_no_route(gateway: &Gateway, selected: &str) {
    let contract = &gateway.contract;
    let shown: String = selected.chars().take(SELECTED_CHARS_SHOWN).collect();
    let custom = |key: &&String| !key.starts_with('$');
    let known: Vec<&str> = contract
        .routes
        .keys()
        .filter(custom)
        .map(String::as_str)
        .collect();
    warn!(
        "{} selected {shown:?}, which is no route, and there is no $default; the routes are: {}",
        contract.route_selection_expression,
        known.join(", ")
    );
}

/// Of what a client sent in the place of a route key, so much is logged.
const SELECTED_CHARS_SHOWN: usize = 64;
