//! One message: an invocation of its own, which waits for no other.

use std::sync::Arc;

use local_sim_faults::Pause;
use sluice_contract::Route;
use tokio::sync::OwnedSemaphorePermit;
use tokio_tungstenite::tungstenite::Utf8Bytes;
use tracing::warn;

use crate::{
    api::Api,
    connection::Connection,
    event::{self, caller::Request},
    id::Id,
    log::{
        entry::{Entry, Steps},
        variables::Variables,
    },
    options::JsonReading,
    routing::{
        integration::{Failure, integrate},
        lenient,
        reply::Reply,
    },
};

/// Answers a message, at first after a wait, so that others overtake it.
pub(crate) async fn answer_late(
    api: Arc<Api>,
    connection: Arc<Connection>,
    request: Request,
    text: Utf8Bytes,
    permit: OwnedSemaphorePermit,
    pause: Pause,
) {
    // When the gateway ends, nobody waits any more.
    api.shutdown.run_until_cancelled(pause.pass()).await;
    answer(api, connection, request, text, permit).await;
}

/// Answers a message. Its `place` among those under way is free again once the answer is queued.
pub(crate) async fn answer(
    api: Arc<Api>,
    connection: Arc<Connection>,
    request: Request,
    text: Utf8Bytes,
    permit: OwnedSemaphorePermit,
) {
    let Handled {
        route_key,
        message_id,
        steps,
        outcome,
    } = handle(&api, &connection, &request, &text).await;
    drop(text);
    let caller = &connection.caller;
    let (status, error) = match &outcome {
        Ok(_) => (200, None),
        Err(failure) => (failure.status, Some(failure.message.as_ref())),
    };
    api.access_log.write(&Entry {
        variables: Variables {
            stage: &api.stage,
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
    drop(permit);
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
    api: &'a Api,
    connection: &Connection,
    request: &Request,
    text: &str,
) -> Handled<'a> {
    let selected = select(api, text);
    let route = api.find_route(&selected);
    let route_key = route.map(|(route_key, _)| route_key);
    let mut handled = Handled {
        route_key,
        message_id: None,
        steps: Steps::default(),
        outcome: Ok(None),
    };
    if connection.admit(&api.throttle, route_key).is_err() {
        handled.outcome = Err(Failure::throttled(&api.options.throttled_message));
        return handled;
    }
    let Some((route_key, route)) = route else {
        warn_of_no_route(api, &selected);
        handled.outcome = Err(Failure::FORBIDDEN);
        return handled;
    };
    let caller = &connection.caller;
    let message_id = api.ids.message(request.at, &caller.connection_id);
    let event = event::message(&api.stage, caller, request, &message_id, route_key, text);
    let integration = integrate(api, route, event).await;
    handled.message_id = Some(message_id);
    handled.steps.integration = integration.step();
    handled.outcome = match integration.result {
        Ok(reply) => answered(api, route_key, route, reply),
        Err(error) => Err(error.failure()),
    };
    handled
}

/// What the route selection expression finds.
fn select(api: &Api, text: &str) -> String {
    let expression = &api.contract.route_selection_expression;
    match api.options.json {
        JsonReading::Lenient => expression.evaluate(&lenient::read(text), |_| None),
        JsonReading::Strict => expression.evaluate(text, |_| None),
    }
}

/// The text for the client of a two-way route. A one-way route has none, whatever the function says.
fn answered(
    api: &Api,
    route_key: &str,
    route: &Route,
    reply: Reply,
) -> Result<Option<String>, Failure> {
    let function = &route.function;
    if !route.route_response {
        if reply.has_body() && api.warn_once.is_first(route_key) {
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

fn warn_of_no_route(api: &Api, selected: &str) {
    let contract = &api.contract;
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
