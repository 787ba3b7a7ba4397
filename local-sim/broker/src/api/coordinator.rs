//! FindCoordinator and InitProducerId: what groups, transactions and idempotent producers begin with.
//!
//! There are no transactions here: they are refused for good.

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

/// Names the node that coordinates a group: the only one. None coordinates a transaction.
pub(crate) fn find_coordinator(
    context: Context<'_>,
    request: &FindCoordinatorRequest,
) -> FindCoordinatorResponse {
    let message = match request.key_type {
        GROUP => {
            return FindCoordinatorResponse::default()
                .with_error_message(None)
                .with_node_id(BrokerId(NODE_ID))
                .with_host(text(&context.ends.advertised.ip().to_canonical()))
                .with_port(context.ends.advertised.port().into());
        }
        TRANSACTION => NO_TRANSACTIONS,
        _ => "the key type is neither 0 (group) nor 1 (transaction)",
    };
    debug!(key = %request.key, key_type = request.key_type, message, "no coordinator");
    let response = FindCoordinatorResponse::default()
        .with_error_code(ResponseError::InvalidRequest.code())
        .with_node_id(BrokerId(NO_NODE))
        .with_port(NO_PORT);
    match context.version {
        0 => response,
        _ => response.with_error_message(Some(text(message))),
    }
}

/// Gives an idempotent producer its id.
///
/// One that has an id and lost its way gets a new one, which is what starting a new epoch comes to.
pub(crate) fn init_producer_id(
    context: Context<'_>,
    request: &InitProducerIdRequest,
) -> InitProducerIdResponse {
    match &request.transactional_id {
        Some(transactional_id) => {
            debug!(?transactional_id, NO_TRANSACTIONS, "no producer id");
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
const NO_TRANSACTIONS: &str = "this broker has no transactions";
