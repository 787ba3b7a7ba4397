//! What goes wrong, and what clients may notice of it.

use std::time::Duration;

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// A leader is killed and started again.
    LeaderKilled,
    /// A broker is stopped and goes on.
    BrokerStopped,
    /// Brokers are shut down and started, one after the other.
    BrokersRolled,
    /// Two of three brokers are away, so that there are not enough replicas.
    TwoOfThreeAway,
    /// Connections to all brokers are closed, again and again.
    ConnectionsCut,
    /// Connections to all brokers go stale at once.
    ConnectionsForgotten,
    /// All brokers are reached and say nothing, for a while.
    NetworkSilent,
    /// Every answer comes late.
    NetworkSlow,
    /// Connections are closed in the middle of an answer.
    AnswersCut,
    /// Brokers let the functions send little, and say so.
    Throttled,
    /// Functions are stopped, and meanwhile their connections go stale.
    FunctionsFrozen,
    /// The same, and their clock moves on by minutes.
    FunctionsFrozenLong,
    /// Functions are killed while they have a message.
    FunctionsKilled,
    /// Functions are stopped until their time is over.
    FunctionsTimedOut,
    /// The topic gets more partitions, and minutes go by on the functions' clock.
    PartitionsAdded,
    /// Records become larger than the topic takes.
    RecordsTooLarge,
    /// The functions' password is wrong, and then right again.
    PasswordsChanged,
    /// The broker shows certificates that are expired, self-signed, and for another name.
    CertificatesBad,
}

impl Fault {
    /// All there are.
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

    /// The only refusals that clients may be given, of messages and of handshakes.
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
            // Nothing of this is worth a refusal.
            Self::NetworkSlow
            | Self::FunctionsFrozen
            | Self::FunctionsFrozenLong
            | Self::PartitionsAdded => &[],
        }
    }

    /// Whether each time some record has to be sent again, or is refused.
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
            // What is late, and not wrong.
            Self::BrokersRolled
            | Self::NetworkSlow
            | Self::Throttled
            | Self::FunctionsFrozenLong
            | Self::PartitionsAdded => false,
        }
    }

    /// How long the slowest answer takes at least.
    pub(super) fn delay(self) -> Duration {
        match self {
            Self::NetworkSlow => DELAY,
            _ => Duration::ZERO,
        }
    }

    /// Whether functions may take all of their time: those that are stopped in it.
    pub(super) fn may_expire(self) -> bool {
        self == Self::FunctionsTimedOut
    }

    /// Whether the functions' clock is moved on.
    pub(super) fn moves_clock(self) -> bool {
        matches!(self, Self::FunctionsFrozenLong | Self::PartitionsAdded)
    }

    /// Whether a record may be stored twice under one `ce_id`: only where its confirmation can
    /// be lost.
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

/// Answers come so late: two of them are in a handshake, one in a record.
pub(super) const DELAY: Duration = Duration::from_millis(150);
