//! Test fixtures: a gateway, its API and a caller.

use std::{io, sync::Arc, time::Duration};

use local_sim_lambda::{Lambda, Lines, Settings};
use sluice_contract::Contract;
use uuid::Uuid;

use crate::{api::Api, event::caller::Caller, gateway::Gateway, options::Options, time::now_ms};

/// A gateway that answers every message with an error frame because it has no functions.
pub(crate) fn gateway() -> Gateway {
    let (contract, options, lambda) = parts();
    Gateway::new(contract, options, lambda).expect("a gateway")
}

/// The API of the same gateway.
pub(crate) fn api() -> Api {
    let (contract, options, lambda) = parts();
    Api::new(contract, options, lambda).expect("an API")
}

fn parts() -> (Contract, Options, Arc<Lambda>) {
    let contract =
        "routeSelectionExpression: $request.body.action\nroutes: { chat: { function: none } }";
    let contract = Contract::parse("gateway.yaml", contract).expect("a contract");
    // Lambda deletes this directory when it stops, so it must be unique.
    let folder = std::env::temp_dir().join(Uuid::new_v4().to_string());
    let settings = Settings {
        account_concurrency: 1,
        scale_after: Duration::ZERO,
        reap_after: Duration::MAX,
    };
    let lines = Lines::start_to(io::sink()).expect("a thread");
    let lambda = Lambda::start(Vec::new(), settings, folder, Arc::new(lines)).expect("Lambda");
    (contract, Options::sample(), Arc::new(lambda))
}

/// A caller that connects now.
pub(crate) fn caller(api: &Api) -> Caller {
    let connected_at = now_ms();
    Caller {
        connection_id: api.ids.connection(connected_at),
        connected_at,
        domain_name: "localhost:3001".to_owned(),
        source_ip: "127.0.0.1".to_owned(),
        user_agent: None,
        principal: None,
    }
}
