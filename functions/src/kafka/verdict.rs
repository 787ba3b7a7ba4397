//! What each error means for the record at hand.

use rskafka::{
    BackoffError,
    client::error::{Error as KafkaError, ProtocolError, RequestError},
};
use sluice_kafka::ConnectError;

use super::error::{AttemptError, Step};
use crate::failure::Code;

/// What to do about an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Another attempt, in a new session, would end the same.
    Final(Code),
    /// The credentials were refused: those of a secret may have changed.
    Refused,
    /// The topic was not to be seen: it may be new, and the broker that was asked
    /// may not have heard of it yet.
    Absent,
    /// Another attempt can help: the error is of this moment, of this
    /// connection, or of what this session believes about the cluster.
    Retry(Stored),
}

/// Whether the record may be stored although there was an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stored {
    /// It was not sent, or the broker said that it was not stored.
    No,
    /// Nobody can tell, or the leader has it and others do not.
    Maybe,
}

const NOT_STORED: Verdict = Verdict::Retry(Stored::No);
const MAYBE_STORED: Verdict = Verdict::Retry(Stored::Maybe);

/// The verdict on why an attempt failed.
pub(super) fn verdict(error: &AttemptError) -> Verdict {
    match error {
        AttemptError::Connect(ConnectError::Refused(_)) | AttemptError::Refused(_) => {
            Verdict::Refused
        }
        AttemptError::Connect(ConnectError::Credentials(error)) if error.is_final() => {
            Verdict::Final(Code::Unavailable)
        }
        AttemptError::Connect(ConnectError::Failed { error, .. })
        | AttemptError::Lookup { source: error, .. } => match on_client_error(error) {
            // Nothing was sent that could have been stored.
            Verdict::Retry(_) => NOT_STORED,
            verdict => verdict,
        },
        AttemptError::Produce { source, .. } => on_client_error(source),
        AttemptError::NoTopic(_) => Verdict::Absent,
        // Neither has been sent, and there is no time left.
        AttemptError::Throttled(_) | AttemptError::Busy(_) => Verdict::Final(Code::Unavailable),
        AttemptError::Unconfirmed(_) | AttemptError::Late(Step::Confirming, _) => MAYBE_STORED,
        AttemptError::Shared(error) => verdict(error),
        AttemptError::Connect(_)
        | AttemptError::NoPartitions(_)
        | AttemptError::Late(Step::Connecting, _)
        | AttemptError::Expired
        | AttemptError::Abandoned => NOT_STORED,
    }
}

impl AttemptError {
    /// Whether time ran out, rather than anything having gone wrong.
    pub(super) fn is_late(&self) -> bool {
        match self {
            Self::Late(..) | Self::Expired | Self::Busy(_) => true,
            Self::Shared(error) => error.is_late(),
            _ => false,
        }
    }
}

fn on_client_error(error: &KafkaError) -> Verdict {
    match error {
        KafkaError::ServerError { protocol_error, .. } => on_protocol_error(*protocol_error),
        KafkaError::Request(error) => on_request_error(error),
        // The client's last retry, with the error that it would have retried.
        KafkaError::RetryFailed(BackoffError::DeadlineExceded { source, .. }) => {
            if let Some(error) = source.downcast_ref::<KafkaError>() {
                on_client_error(error)
            } else if let Some(error) = source.downcast_ref::<RequestError>() {
                on_request_error(error)
            } else {
                MAYBE_STORED
            }
        }
        // Connecting, before a record is sent.
        KafkaError::Connection(_) => NOT_STORED,
        // An answer without the partition, or with another: whether to a
        // question or to the record is not to be seen.
        _ => MAYBE_STORED,
    }
}

fn on_request_error(error: &RequestError) -> Verdict {
    match error {
        // The broker is older, or newer, than the client can speak to; or the
        // request cannot be written in its version. Nothing was sent.
        RequestError::NoVersionMatch { .. } | RequestError::WriteError(_) => {
            Verdict::Final(Code::Internal)
        }
        // The connection broke, or the answer cannot be read.
        _ => MAYBE_STORED,
    }
}

/// Kafka's error codes: <https://kafka.apache.org/protocol#protocol_error_codes>
///
/// Whatever is not known to be final is worth another try. That a topic is
/// unknown is not final here either: the partition's leader may be the last to
/// hear of it, and a new session asks whether it is there.
fn on_protocol_error(error: ProtocolError) -> Verdict {
    match error {
        ProtocolError::MessageTooLarge | ProtocolError::RecordListTooLarge => {
            Verdict::Final(Code::TooLarge)
        }
        ProtocolError::TopicAuthorizationFailed | ProtocolError::ClusterAuthorizationFailed => {
            Verdict::Final(Code::Forbidden)
        }
        ProtocolError::InvalidTopicException => Verdict::Final(Code::NoTopic),
        // The broker, or what validates records inside it, refuses this record.
        ProtocolError::InvalidRecord | ProtocolError::PolicyViolation => {
            Verdict::Final(Code::BadRequest)
        }
        ProtocolError::InvalidRequest
        | ProtocolError::InvalidRequiredAcks
        | ProtocolError::InvalidTimestamp
        | ProtocolError::UnsupportedCompressionType
        | ProtocolError::UnsupportedForMessageFormat
        | ProtocolError::UnsupportedVersion => Verdict::Final(Code::Internal),
        ProtocolError::IllegalSaslState
        | ProtocolError::SaslAuthenticationFailed
        | ProtocolError::UnsupportedSaslMechanism => Verdict::Refused,
        // The leader refused before it wrote anything.
        ProtocolError::BrokerNotAvailable
        | ProtocolError::CorruptMessage
        | ProtocolError::FencedLeaderEpoch
        | ProtocolError::InvalidReplicationFactor
        | ProtocolError::ListenerNotFound
        | ProtocolError::NotEnoughReplicas
        | ProtocolError::OffsetNotAvailable
        | ProtocolError::PreferredLeaderNotAvailable
        | ProtocolError::ThrottlingQuotaExceeded
        | ProtocolError::UnknownLeaderEpoch => NOT_STORED,
        // It wrote, and others may not have, or it does not say. A leader that
        // is replaced, or loses the topic, while it waits for the others ends
        // the wait with NOT_LEADER_OR_FOLLOWER or UNKNOWN_TOPIC_OR_PARTITION.
        // Neither do errors tell that are not for producers, or newer than this.
        _ => MAYBE_STORED,
    }
}

#[cfg(test)]
mod tests;
