//! A gateway, and who connects to it, for tests.

use std::{io, sync::Arc, time::Duration};

use sluice_contract::Contract;
use uuid::Uuid;

use super::{Gateway, event::Caller, options::Options, time::now_ms};
use local_sim_lambda::{Lambda, Lines, Settings};

/// A gateway of which every message gets an error frame: there is no function.
pub(super) fn gateway() -> Gateway {
    let contract =
        "routeSelectionExpression: $request.body.action\nroutes: { chat: { function: none } }";
    let contract = Contract::parse("gateway.yaml", contract).expect("a contract");
    // Lambda removes it in the end, so it must be nobody's.
    let folder = std::env::temp_dir().join(Uuid::new_v4().to_string());
    let settings = Settings {
        account_concurrency: 1,
        scale_after: Duration::ZERO,
        reap_after: Duration::MAX,
    };
    let lines = Lines::start_to(io::sink()).expect("a thread");
    let lambda = Lambda::start(Vec::new(), settings, folder, lines).expect("Lambda");
    Gateway::new(contract, Options::sample(), Arc::new(lambda)).expect("a gateway")
}

/// Somebody who connects now.
pub(super) fn caller(gateway: &Gateway) -> Caller {
    let connected_at = now_ms();
    Caller {
        connection_id: gateway.ids.connection(connected_at),
        connected_at,
        domain_name: "localhost:3001".to_owned(),
        source_ip: "127.0.0.1".to_owned(),
        user_agent: None,
        principal: None,
    }
}
