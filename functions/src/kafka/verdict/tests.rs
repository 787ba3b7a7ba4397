//! The table of verdicts, written out: every error that Kafka has a code for,
//! each in one row.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use sluice_kafka::{BrokerErrors, Refusal};

use super::*;

/// Kafka's error codes by what becomes of a record that meets them.
const TABLE: &[(Verdict, &[i16])] = &[
    // MESSAGE_TOO_LARGE, RECORD_LIST_TOO_LARGE
    (Verdict::Final(Code::TooLarge), &[10, 18]),
    // TOPIC_AUTHORIZATION_FAILED, CLUSTER_AUTHORIZATION_FAILED
    (Verdict::Final(Code::Forbidden), &[29, 31]),
    // INVALID_TOPIC_EXCEPTION
    (Verdict::Final(Code::NoTopic), &[17]),
    // POLICY_VIOLATION, INVALID_RECORD
    (Verdict::Final(Code::BadRequest), &[44, 87]),
    // INVALID_REQUIRED_ACKS, INVALID_TIMESTAMP, UNSUPPORTED_VERSION, INVALID_REQUEST,
    // UNSUPPORTED_FOR_MESSAGE_FORMAT, UNSUPPORTED_COMPRESSION_TYPE
    (Verdict::Final(Code::Internal), &[21, 32, 35, 42, 43, 76]),
    // UNSUPPORTED_SASL_MECHANISM, ILLEGAL_SASL_STATE, SASL_AUTHENTICATION_FAILED
    (Verdict::Refused, &[33, 34, 58]),
    // CORRUPT_MESSAGE, BROKER_NOT_AVAILABLE, NOT_ENOUGH_REPLICAS,
    // INVALID_REPLICATION_FACTOR, LISTENER_NOT_FOUND, FENCED_LEADER_EPOCH,
    // UNKNOWN_LEADER_EPOCH, OFFSET_NOT_AVAILABLE, PREFERRED_LEADER_NOT_AVAILABLE,
    // THROTTLING_QUOTA_EXCEEDED
    (NOT_STORED, &[2, 8, 19, 38, 72, 74, 75, 78, 80, 89]),
    // UNKNOWN_SERVER_ERROR, UNKNOWN_TOPIC_OR_PARTITION, LEADER_NOT_AVAILABLE,
    // NOT_LEADER_OR_FOLLOWER, REQUEST_TIMED_OUT, REPLICA_NOT_AVAILABLE,
    // NETWORK_EXCEPTION, NOT_ENOUGH_REPLICAS_AFTER_APPEND, KAFKA_STORAGE_ERROR,
    // UNKNOWN_TOPIC_ID; after them those that are not for producers like this
    // one, and one that nobody knows yet.
    (
        MAYBE_STORED,
        &[
            -1, 3, 5, 6, 7, 9, 13, 20, 56, 100, //
            1, 4, 11, 12, 14, 15, 16, 22, 23, 24, 25, 26, 27, 28, 30, 36, 37, 39, 40, 41, 45, 46,
            47, 48, 49, 50, 51, 52, 53, 54, 55, 57, 59, 60, 61, 62, 63, 64, 65, 66, 67, 68, 69, 70,
            71, 73, 77, 79, 81, 82, 83, 84, 85, 86, 88, 90, 91, 92, 93, 94, 95, 96, 97, 98, 99,
            101, 102, 103, 104, 105, 999,
        ],
    ),
];

fn server_error(protocol_error: ProtocolError) -> KafkaError {
    KafkaError::ServerError {
        protocol_error,
        error_message: None,
        request: rskafka::client::error::RequestContext::Topic("t".to_owned()),
        response: None,
        is_virtual: false,
    }
}

/// What rskafka says when it does not retry what it would.
fn not_retried(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> KafkaError {
    KafkaError::RetryFailed(BackoffError::DeadlineExceded {
        deadline: Duration::ZERO,
        source: source.into(),
    })
}

/// The verdict on an error that a record was answered with.
fn check(source: KafkaError) -> Verdict {
    verdict(&AttemptError::Produce {
        brokers: BrokerErrors::default(),
        source,
    })
}

/// The verdict on the same error while looking for the partition.
fn check_lookup(source: KafkaError) -> Verdict {
    verdict(&AttemptError::Lookup {
        brokers: BrokerErrors::default(),
        source,
    })
}

fn io_error() -> RequestError {
    std::io::Error::from(std::io::ErrorKind::UnexpectedEof).into()
}

#[test]
fn every_error_of_kafka_is_in_the_table_once() {
    let codes: Vec<i16> = TABLE
        .iter()
        .flat_map(|(_, codes)| *codes)
        .copied()
        .collect();
    let all: BTreeSet<i16> = (-1..=105).filter(|code| *code != 0).chain([999]).collect();
    assert_eq!(codes.iter().copied().collect::<BTreeSet<_>>(), all);
    assert_eq!(codes.len(), all.len(), "one is there twice");
    // The next one after the table is unknown to the client too.
    assert_eq!(ProtocolError::new(106), Some(ProtocolError::Unknown(106)));
}

#[test]
fn an_answer_to_a_record_is_judged_by_the_table() {
    for (expected, codes) in TABLE {
        for code in *codes {
            let error = ProtocolError::new(*code).expect("an error");
            assert_eq!(check(server_error(error)), *expected, "{code}");
            let retried = not_retried(server_error(error));
            assert_eq!(check(retried), *expected, "{code}, would be retried");
        }
    }
}

#[test]
fn what_fails_before_a_record_is_sent_has_not_stored_it() {
    for (expected, codes) in TABLE {
        let expected = match expected {
            Verdict::Retry(_) => NOT_STORED,
            verdict => *verdict,
        };
        for code in *codes {
            let error = ProtocolError::new(*code).expect("an error");
            assert_eq!(check_lookup(server_error(error)), expected, "{code}");
        }
    }
    assert_eq!(check_lookup(io_error().into()), NOT_STORED);
    assert_eq!(check_lookup(not_retried(io_error())), NOT_STORED);
}

#[test]
fn a_lost_connection_leaves_it_open_whether_the_record_was_stored() {
    assert_eq!(check(io_error().into()), MAYBE_STORED);
    let poisoned = RequestError::Poisoned(Arc::new(io_error()));
    assert_eq!(check(not_retried(KafkaError::from(poisoned))), MAYBE_STORED);
    assert_eq!(check(KafkaError::Timeout), MAYBE_STORED);
    let answer = KafkaError::InvalidResponse("no partition".to_owned());
    assert_eq!(check(answer), MAYBE_STORED);
    assert_eq!(check(not_retried("something new")), MAYBE_STORED);
}

#[test]
fn what_ends_an_attempt_on_our_side_is_judged_too() {
    let none = BrokerErrors::default;
    let refusal = || Refusal {
        code: 58,
        message: String::new(),
    };
    let late = |step| AttemptError::Late(step, none());
    let second = Duration::from_secs(1);
    let connect = |error: ConnectError| AttemptError::Connect(error);
    for (error, expected) in [
        (AttemptError::NoTopic("t".to_owned()), Verdict::Absent),
        (
            AttemptError::Throttled(second),
            Verdict::Final(Code::Unavailable),
        ),
        (AttemptError::Busy(1), Verdict::Final(Code::Unavailable)),
        (AttemptError::Refused(refusal()), Verdict::Refused),
        (connect(ConnectError::Refused(refusal())), Verdict::Refused),
        (AttemptError::NoPartitions("t".to_owned()), NOT_STORED),
        (late(Step::Connecting), NOT_STORED),
        (late(Step::Confirming), MAYBE_STORED),
        (AttemptError::Unconfirmed(0), MAYBE_STORED),
        (AttemptError::Abandoned, NOT_STORED),
        (AttemptError::Expired, NOT_STORED),
        (
            connect(ConnectError::Timeout {
                within: second,
                brokers: none(),
            }),
            NOT_STORED,
        ),
        (
            connect(ConnectError::Failed {
                brokers: none(),
                error: io_error().into(),
            }),
            NOT_STORED,
        ),
    ] {
        assert_eq!(verdict(&error), expected, "{error}");
        let shared = AttemptError::Shared(Arc::new(error));
        assert_eq!(verdict(&shared), expected, "{shared}, shared");
    }
}
