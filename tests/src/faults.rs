//! Faults under load: each is run against the whole path, and what clients were told is then
//! held against what the cluster has stored.
//!
//! ```text
//!  load ──▶ local-sim ──▶ functions ──▶ proxies ──▶ cluster, or one broker that is secured
//!    │                                                 │
//!    └── account ────────▶ audit ◀────── every record ─┘
//! ```

mod brokers;
mod functions;
mod invocations;
mod network;
mod report;
mod security;
mod settings;
mod site;
mod stage;

use std::time::Duration;

pub use self::report::Report;
pub use self::stage::Stage;

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

    /// Runs the load while this goes wrong, for as long as the extent says, and checks that
    /// everything was kept that is promised.
    pub async fn run(self, extent: &Extent) -> Report {
        // Boxed like what follows, since it is more deeply nested than the compiler likes.
        let mut stage = Box::pin(Stage::set(self, extent)).await;
        loop {
            let before = stage.troubles();
            Box::pin(self.strike(&mut stage)).await;
            let harmless = stage.troubles() == before;
            stage.expect(
                !(self.does_harm() && harmless),
                "nobody noticed that anything was wrong".to_owned(),
            );
            stage.calm().await;
            if stage.load.acknowledged() >= extent.acknowledged {
                return stage.clear().await;
            }
        }
    }

    /// Lets it happen once, and ends with everything as it was before.
    async fn strike(self, stage: &mut Stage) {
        match self {
            Self::LeaderKilled => brokers::leader_killed(stage).await,
            Self::BrokerStopped => brokers::stopped(stage).await,
            Self::BrokersRolled => brokers::rolled(stage).await,
            Self::TwoOfThreeAway => brokers::two_of_three_away(stage).await,
            Self::ConnectionsCut => network::cut(stage).await,
            Self::ConnectionsForgotten => network::forgotten(stage).await,
            Self::NetworkSilent => network::silent(stage).await,
            Self::NetworkSlow => network::slow(stage).await,
            Self::AnswersCut => network::answers_cut(stage).await,
            Self::Throttled => settings::throttled(stage).await,
            Self::FunctionsFrozen => functions::frozen(stage).await,
            Self::FunctionsFrozenLong => functions::frozen_long(stage).await,
            Self::FunctionsKilled => functions::killed(stage).await,
            Self::FunctionsTimedOut => functions::timed_out(stage).await,
            Self::PartitionsAdded => settings::partitions_added(stage).await,
            Self::RecordsTooLarge => settings::records_too_large(stage).await,
            Self::PasswordsChanged => security::passwords_changed(stage).await,
            Self::CertificatesBad => security::certificates_bad(stage).await,
        }
    }

    /// The only refusals that clients may be given, of messages and of handshakes.
    fn refusals(self) -> &'static [&'static str] {
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
    fn does_harm(self) -> bool {
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
    fn delay(self) -> Duration {
        match self {
            Self::NetworkSlow => network::DELAY,
            _ => Duration::ZERO,
        }
    }

    /// Whether functions may take all of their time: those that are stopped in it.
    fn may_expire(self) -> bool {
        self == Self::FunctionsTimedOut
    }

    /// Whether the functions' clock is moved on.
    fn moves_clock(self) -> bool {
        matches!(self, Self::FunctionsFrozenLong | Self::PartitionsAdded)
    }

    /// Whether a record may be stored twice under one `ce_id`: only where its confirmation can
    /// be lost.
    fn may_duplicate(self) -> bool {
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

/// How much of a fault there is.
#[derive(Debug, Clone)]
pub struct Extent {
    /// The clients.
    pub clients: u32,
    /// How long each of them waits between two messages.
    pub pause: Duration,
    /// How long something stays away at a time.
    pub away: Duration,
    /// How long everything is well in between.
    pub calm: Duration,
    /// The fault is repeated until so many messages are acknowledged; it happens once at least.
    pub acknowledged: u64,
}

impl Extent {
    /// Seconds, with most of two cores left to the brokers.
    pub const SHORT: Self = Self {
        clients: 20,
        pause: Duration::from_millis(40),
        away: Duration::from_secs(8),
        calm: Duration::from_millis(500),
        acknowledged: 0,
    };

    /// As fast as the machine can, until there are so many acknowledgements.
    pub const fn until(acknowledged: u64) -> Self {
        Self {
            clients: 40,
            pause: Duration::ZERO,
            away: Duration::from_secs(20),
            calm: Duration::from_secs(10),
            acknowledged,
        }
    }
}
