//! Handles one message. Messages of a connection are handled concurrently.

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
    observer::Kind,
    options::JsonReading,
    routing::{
        integration::{Failure, integrate},
        lenient,
        reply::Reply,
    },
};

/// Handles a message after a pause, so that other messages overtake it.
pub(crate) async fn answer_late(
    api: Arc<Api>,
    connection: Arc<Connection>,
    request: Request,
    text: Utf8Bytes,
    permit: OwnedSemaphorePermit,
    pause: Pause,
) {
    // Shutdown ends the pause.
    api.shutdown.run_until_cancelled(pause.pass()).await;
    answer(api, connection, request, text, permit).await;
}

/// Handles a message and queues its reply. Releases `permit` once the reply is queued.
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
    let entry = Entry {
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
    };
    api.record(
        &entry,
        Kind::Message {
            message_id: message_id.as_ref().map(Id::as_str),
            reply: outcome.as_ref().ok().and_then(Option::as_deref),
        },
    );
    let frame = match outcome {
        Ok(text) => text,
        Err(failure) => Some(failure.frame(&caller.connection_id, &request.id)),
    };
    if let Some(frame) = frame {
        connection.outbound.reply(frame.into()).await;
    }
    drop(permit);
}

/// The result of handling a message.
struct Handled<'a> {
    /// `None` if no route matches the message.
    route_key: Option<&'a str>,
    /// `None` if no function was invoked.
    message_id: Option<Id>,
    steps: Steps,
    /// What the sender receives: on a two-way route the body of the reply, or an error.
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
    handled.steps.integration = integration.step;
    handled.outcome = match integration.result {
        Ok(reply) => reply_text(api, route_key, route, reply),
        Err(error) => Err(error.failure()),
    };
    handled
}

/// Evaluates the route selection expression.
fn select(api: &Api, text: &str) -> String {
    let expression = &api.contract.route_selection_expression;
    match api.options.json {
        JsonReading::Lenient => expression.evaluate(&lenient::read(text), |_| None),
        JsonReading::Strict => expression.evaluate(text, |_| None),
    }
}

/// The body of the reply, if the route is two-way. On a one-way route the reply is discarded.
fn reply_text(
    api: &Api,
    route_key: &str,
    route: &Route,
    reply: Reply,
) -> Result<Option<String>, Failure> {
    let function = &route.function;
    if !route.route_response {
        if reply.has_body() && api.warn_once.is_first(route_key) {
            warn!(
                "{function}: the body of the reply is discarded because route {route_key} has no \
                 `routeResponse: true` (logged once per route)"
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
    let shortened: String = selected.chars().take(LOGGED_CHARS_MAX).collect();
    let custom = |key: &&String| !key.starts_with('$');
    let known: Vec<&str> = contract
        .routes
        .keys()
        .filter(custom)
        .map(String::as_str)
        .collect();
    warn!(
        "{} selected {shortened:?}, but there is neither such a route nor $default (routes: {})",
        contract.route_selection_expression,
        known.join(", ")
    );
}

/// The maximum length of a logged route key from a client, in characters.
const LOGGED_CHARS_MAX: usize = 64;
