//! FindCoordinator and InitProducerId: the first requests of groups and idempotent producers.
//!
//! Transactions are not supported; requests for them get an error that clients do not retry.

use kafka_protocol::{
    ResponseError,
    messages::{
        BrokerId, FindCoordinatorRequest, FindCoordinatorResponse, InitProducerIdRequest,
        InitProducerIdResponse, ProducerId,
    },
};
use tracing::debug;

use super::text;
use crate::cluster::{Context, NODE_ID};

/// Returns the only node as a group's coordinator, and an error for a transaction.
pub(crate) fn find_coordinator(
    context: Context<'_>,
    request: &FindCoordinatorRequest,
) -> FindCoordinatorResponse {
    let reason = match request.key_type {
        GROUP => {
            return FindCoordinatorResponse::default()
                .with_error_message(None)
                .with_node_id(BrokerId(NODE_ID))
                .with_host(text(&context.endpoints.advertised.ip().to_canonical()))
                .with_port(context.endpoints.advertised.port().into());
        }
        TRANSACTION => NO_TRANSACTIONS,
        _ => "invalid key type, must be 0 (group)",
    };
    debug!(key = %request.key, key_type = request.key_type, reason, "coordinator not found");
    let response = FindCoordinatorResponse::default()
        .with_error_code(ResponseError::InvalidRequest.code())
        .with_node_id(BrokerId(NO_NODE))
        .with_port(NO_PORT);
    match context.version {
        0 => response,
        _ => response.with_error_message(Some(text(reason))),
    }
}

/// Assigns a producer id to an idempotent producer.
///
/// A producer that already has an id gets a new id instead of a new epoch, which has the same
/// effect.
pub(crate) fn init_producer_id(
    context: Context<'_>,
    request: &InitProducerIdRequest,
) -> InitProducerIdResponse {
    match &request.transactional_id {
        Some(transactional_id) => {
            debug!(
                ?transactional_id,
                reason = NO_TRANSACTIONS,
                "producer id not assigned"
            );
            InitProducerIdResponse::default()
                .with_error_code(ResponseError::InvalidRequest.code())
                .with_producer_epoch(NO_EPOCH)
        }
        None => InitProducerIdResponse::default()
            .with_producer_id(ProducerId(context.cluster.next_producer_id())),
    }
}

const GROUP: i8 = 0;
const TRANSACTION: i8 = 1;
const NO_EPOCH: i16 = -1;
const NO_NODE: i32 = -1;
const NO_PORT: i32 = -1;
const NO_TRANSACTIONS: &str = "transactions are not supported";
