//! Faults under load: each is run against the whole path, and what clients were told is then
//! held against what the cluster has stored.
//!
//! ```text
//!  load ──▶ local-sim ──▶ functions ──▶ proxies ──▶ cluster, or one broker that is secured
//!    │                                                 │
//!    └── account ────────▶ audit ◀────── every record ─┘
//! ```

mod brokers;
mod extent;
mod fault;
mod functions;
mod invocations;
mod network;
mod report;
mod security;
mod settings;
mod site;
mod stage;

pub use self::extent::Extent;
pub use self::fault::Fault;
pub use self::report::Report;
use self::stage::Stage;

impl Fault {
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
}
