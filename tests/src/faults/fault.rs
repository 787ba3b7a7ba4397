//! The faults, and the effects that each may have on clients.

use std::time::Duration;

/// A fault that a test can inject.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The leader of a partition is killed and restarted.
    LeaderKilled,
    /// A broker is paused and resumed.
    BrokerStopped,
    /// The brokers are restarted one after the other.
    BrokersRolled,
    /// Two of three brokers are down, which leaves too few in-sync replicas.
    TwoOfThreeAway,
    /// Connections to all brokers are closed repeatedly.
    ConnectionsCut,
    /// Connections to all brokers go stale at once.
    ConnectionsForgotten,
    /// All brokers accept connections but send nothing for a while.
    NetworkSilent,
    /// Every response is delayed.
    NetworkSlow,
    /// Connections are closed in the middle of a response.
    AnswersCut,
    /// A produce quota makes the brokers throttle the functions.
    Throttled,
    /// Functions are frozen, and their connections go stale meanwhile.
    FunctionsFrozen,
    /// Like `FunctionsFrozen`, and the functions' wall clock advances by minutes.
    FunctionsFrozenLong,
    /// Functions are killed during an invocation.
    FunctionsKilled,
    /// Functions are stopped until their invocation times out.
    FunctionsTimedOut,
    /// The topic gets more partitions, and the functions' wall clock advances by minutes.
    PartitionsAdded,
    /// Records exceed the topic's maximum size.
    RecordsTooLarge,
    /// The functions' password becomes wrong, then correct again.
    PasswordsChanged,
    /// The broker presents expired, self-signed and wrong-name certificates.
    CertificatesBad,
}

impl Fault {
    /// All faults.
    pub const ALL: [Self; 18] = [
        Self::LeaderKilled,
        Self::BrokerStopped,
        Self::BrokersRolled,
        Self::TwoOfThreeAway,
        Self::ConnectionsCut,
        Self::ConnectionsForgotten,
        Self::NetworkSilent,
        Self::NetworkSlow,
        Self::AnswersCut,
        Self::Throttled,
        Self::FunctionsFrozen,
        Self::FunctionsFrozenLong,
        Self::FunctionsKilled,
        Self::FunctionsTimedOut,
        Self::PartitionsAdded,
        Self::RecordsTooLarge,
        Self::PasswordsChanged,
        Self::CertificatesBad,
    ];

    /// The only errors that clients may receive, for messages and for handshakes.
    pub(super) fn refusals(self) -> &'static [&'static str] {
        match self {
            Self::LeaderKilled
            | Self::BrokerStopped
            | Self::BrokersRolled
            | Self::TwoOfThreeAway
            | Self::ConnectionsCut
            | Self::ConnectionsForgotten
            | Self::NetworkSilent
            | Self::AnswersCut
            | Self::Throttled
            | Self::PasswordsChanged
            | Self::CertificatesBad => &["unavailable", "handshake 503"],
            Self::FunctionsKilled | Self::FunctionsTimedOut => {
                &["Internal server error", "handshake 502"]
            }
            Self::RecordsTooLarge => &["too_large"],
            // These faults must not cause any error.
            Self::NetworkSlow
            | Self::FunctionsFrozen
            | Self::FunctionsFrozenLong
            | Self::PartitionsAdded => &[],
        }
    }

    /// Whether each injection makes some record be resent or refused.
    pub(super) fn does_harm(self) -> bool {
        match self {
            Self::LeaderKilled
            | Self::BrokerStopped
            | Self::TwoOfThreeAway
            | Self::ConnectionsCut
            | Self::ConnectionsForgotten
            | Self::NetworkSilent
            | Self::AnswersCut
            | Self::FunctionsFrozen
            | Self::FunctionsKilled
            | Self::FunctionsTimedOut
            | Self::RecordsTooLarge
            | Self::PasswordsChanged
            | Self::CertificatesBad => true,
            // These faults only delay records.
            Self::BrokersRolled
            | Self::NetworkSlow
            | Self::Throttled
            | Self::FunctionsFrozenLong
            | Self::PartitionsAdded => false,
        }
    }

    /// The least duration of the slowest response.
    pub(super) fn delay(self) -> Duration {
        match self {
            Self::NetworkSlow => DELAY,
            _ => Duration::ZERO,
        }
    }

    /// Whether invocations may time out.
    pub(super) fn may_expire(self) -> bool {
        self == Self::FunctionsTimedOut
    }

    /// Whether the fault advances the functions' wall clock.
    pub(super) fn moves_clock(self) -> bool {
        matches!(self, Self::FunctionsFrozenLong | Self::PartitionsAdded)
    }

    /// Whether a record may be stored twice with one `ce_id`, because its confirmation was lost.
    pub(super) fn may_duplicate(self) -> bool {
        match self {
            Self::LeaderKilled
            | Self::BrokerStopped
            | Self::BrokersRolled
            | Self::TwoOfThreeAway
            | Self::ConnectionsCut
            | Self::ConnectionsForgotten
            | Self::NetworkSilent
            | Self::AnswersCut
            | Self::CertificatesBad => true,
            Self::NetworkSlow
            | Self::Throttled
            | Self::FunctionsFrozen
            | Self::FunctionsFrozenLong
            | Self::FunctionsKilled
            | Self::FunctionsTimedOut
            | Self::PartitionsAdded
            | Self::RecordsTooLarge
            | Self::PasswordsChanged => false,
        }
    }
}

/// Delay of each broker response. A handshake takes two responses, a record one.
pub(super) const DELAY: Duration = Duration::from_millis(150);
