//! Injects faults under load, then compares what clients were told with what is stored.
//!
//! ```text
//!  load ──▶ local-sim ──▶ functions ──▶ proxies ──▶ cluster, or one secured broker
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
    /// Injects this fault under load, as often as the extent says, and checks all guarantees.
    pub async fn run(self, extent: &Extent) -> Report {
        // Boxed, like the calls below: the nested futures exceed the compiler's recursion limit.
        let mut stage = Box::pin(Stage::set(self, extent)).await;
        loop {
            let before = stage.troubles();
            Box::pin(self.strike(&mut stage)).await;
            let harmless = stage.troubles() == before;
            stage.expect(
                !(self.does_harm() && harmless),
                "the fault had no effect: no record was resent or refused".to_owned(),
            );
            stage.calm().await;
            if stage.load.acknowledged() >= extent.acknowledged {
                return stage.clear().await;
            }
        }
    }

    /// Injects the fault once and undoes it.
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
