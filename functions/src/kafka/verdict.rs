//! What an error means for the current record.

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
    /// A retry in a new session would fail too.
    Final(Code),
    /// The credentials were refused. A secret may have changed.
    Refused,
    /// The topic was not found. It may be new, and the broker may not know of it yet.
    Absent,
    /// A retry can help: the error is temporary, or due to this connection or to outdated metadata.
    Retry(Stored),
}

/// Whether the record may be stored in spite of the error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stored {
    /// It was not sent, or the broker reported that it was not stored.
    No,
    /// Unknown, or the leader has stored it and replicas have not.
    Maybe,
}

const NOT_STORED: Verdict = Verdict::Retry(Stored::No);
const MAYBE_STORED: Verdict = Verdict::Retry(Stored::Maybe);

/// The verdict on the error of an attempt.
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
            // Nothing was sent.
            Verdict::Retry(_) => NOT_STORED,
            verdict => verdict,
        },
        AttemptError::Produce { source, .. } => on_client_error(source),
        AttemptError::NoTopic(_) => Verdict::Absent,
        // Nothing was sent, and there is no time left.
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
    /// Whether the error is a timeout only.
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
        // A response without the partition, or with another one. It may be a response to a look-up
        // or to the record.
        _ => MAYBE_STORED,
    }
}

fn on_request_error(error: &RequestError) -> Verdict {
    match error {
        // The broker supports no version in common with the client, or the request cannot be
        // written in its version. Nothing was sent.
        RequestError::NoVersionMatch { .. } | RequestError::WriteError(_) => {
            Verdict::Final(Code::Internal)
        }
        // The connection broke, or the response cannot be read.
        _ => MAYBE_STORED,
    }
}

/// Kafka's error codes: <https://kafka.apache.org/protocol#protocol_error_codes>
///
/// Errors that are not known to be final are worth a retry. An unknown topic is not final here: the
/// partition's leader may be the last to learn of it, and a new session looks it up.
fn on_protocol_error(error: ProtocolError) -> Verdict {
    match error {
        ProtocolError::MessageTooLarge | ProtocolError::RecordListTooLarge => {
            Verdict::Final(Code::TooLarge)
        }
        ProtocolError::TopicAuthorizationFailed | ProtocolError::ClusterAuthorizationFailed => {
            Verdict::Final(Code::Forbidden)
        }
        ProtocolError::InvalidTopicException => Verdict::Final(Code::NoTopic),
        // The broker, or a validator in it, refuses this record.
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
        // The leader wrote, and replicas may not have, or it does not say. A leader that is
        // replaced, or loses the topic, while it waits for replicas returns NOT_LEADER_OR_FOLLOWER
        // or UNKNOWN_TOPIC_OR_PARTITION. Errors that are not for producers, or newer than this, say
        // nothing either.
        _ => MAYBE_STORED,
    }
}

#[cfg(test)]
mod tests;
