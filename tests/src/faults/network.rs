//! Faults in which the network closes, drops or delays connections.

use std::time::Duration;

use tokio::time::sleep;

use super::fault::DELAY;
use super::stage::{MESSAGE, Stage};
use crate::proxy::Proxy;
use crate::wait::eventually;

/// The pause between two faults, long enough to reconnect and store a record.
const BETWEEN: Duration = Duration::from_millis(700);

/// By this time, functions have timed out on a stale connection and no longer use it.
pub(super) const GIVEN_UP: Duration = Duration::from_secs(5);

/// How often connections break per injection.
const TIMES: usize = 8;

/// How many clients may lack an environment of their own when the network goes silent: as many as
/// the simulator starts at once on two cores.
const WITHOUT: u32 = 4;

/// How long responses are delayed.
const SLOW: Duration = Duration::from_secs(5);

/// Cuts a response within its length, its header and its body.
const ANSWER_BYTES: [usize; 3] = [2, 7, 30];

/// How long every response is cut. A client cannot connect during this time.
const CUTTING: Duration = Duration::from_millis(300);

/// Closes all connections repeatedly.
pub(super) async fn cut(stage: &mut Stage) {
    for _ in 0..TIMES {
        stage.proxies(Proxy::cut);
        sleep(BETWEEN).await;
    }
}

/// Makes all open connections stale. New connections work.
pub(super) async fn forgotten(stage: &mut Stage) {
    stage.proxies(Proxy::forget);
    sleep(GIVEN_UP).await;
    stage.proxies(Proxy::bury);
}

/// Silences the network, then restores it for new connections only.
pub(super) async fn silent(stage: &mut Stage) {
    occupy(stage).await;
    stage.proxies(|proxy| proxy.silence(true));
    stage.away().await;
    stage.proxies(Proxy::forget);
    stage.proxies(|proxy| proxy.silence(false));
    sleep(GIVEN_UP).await;
    stage.proxies(Proxy::bury);
}

/// Starts an environment for most clients by delaying responses for a while.
///
/// The simulator starts few environments at a time, and each tries to connect during its init.
/// On a silent network, clients would queue behind these cold starts; Lambda runs them all at once.
async fn occupy(stage: &Stage) {
    let enough = (stage.extent.clients - WITHOUT) as usize;
    stage.proxies(|proxy| proxy.delay(DELAY));
    eventually("functions for most clients", async || {
        (stage.simulator.function(MESSAGE).len() >= enough).then_some(())
    })
    .await;
    stage.proxies(|proxy| proxy.delay(Duration::ZERO));
}

/// Delays all responses without losing any.
pub(super) async fn slow(stage: &mut Stage) {
    stage.proxies(|proxy| proxy.delay(DELAY));
    sleep(SLOW).await;
    stage.proxies(|proxy| proxy.delay(Duration::ZERO));
}

/// Closes connections within a response, so that stored records are not confirmed.
pub(super) async fn answers_cut(stage: &mut Stage) {
    for bytes in ANSWER_BYTES {
        stage.proxies(|proxy| proxy.cut_answers(Some(bytes)));
        sleep(CUTTING).await;
        stage.proxies(|proxy| proxy.cut_answers(None));
        sleep(BETWEEN).await;
    }
}
