//! Networks that close, lose, and dawdle.

use std::time::Duration;

use tokio::time::sleep;

use super::fault::DELAY;
use super::stage::{MESSAGE, Stage};
use crate::proxy::Proxy;
use crate::wait::eventually;

/// Between two of the same there is time to connect and to store something.
const BETWEEN: Duration = Duration::from_millis(700);

/// Functions take a connection for dead when it is silent for some seconds. Nobody uses it then.
pub(super) const GIVEN_UP: Duration = Duration::from_secs(5);

/// How often connections break in one strike.
const TIMES: usize = 8;

/// So many clients may be without a function of their own when nothing is carried any more: as
/// many as the simulator starts at once on two cores.
const WITHOUT: u32 = 4;

/// How long answers are late.
const SLOW: Duration = Duration::from_secs(5);

/// Into the length, into the head, and into what the answer says.
const ANSWER_BYTES: [usize; 3] = [2, 7, 30];

/// How long every answer is cut; a client that connects meanwhile gets nowhere.
const CUTTING: Duration = Duration::from_millis(300);

/// All connections are closed, again and again.
pub(super) async fn cut(stage: &mut Stage) {
    for _ in 0..TIMES {
        stage.proxies(Proxy::cut);
        sleep(BETWEEN).await;
    }
}

/// All connections go stale at once; new ones are as good as ever.
pub(super) async fn forgotten(stage: &mut Stage) {
    stage.proxies(Proxy::forget);
    sleep(GIVEN_UP).await;
    stage.proxies(Proxy::bury);
}

/// Nothing is carried, and then again, but not on the connections of before.
pub(super) async fn silent(stage: &mut Stage) {
    occupy(stage).await;
    stage.proxies(|proxy| proxy.silence(true));
    stage.away().await;
    stage.proxies(Proxy::forget);
    stage.proxies(|proxy| proxy.silence(false));
    sleep(GIVEN_UP).await;
    stage.proxies(Proxy::bury);
}

/// Has a function started for most of the clients, by being slow for a while.
///
/// The simulator starts few at a time, and each tries to connect before it takes a message: with
/// nobody to connect with, clients would wait for that, which Lambda does for all at once.
async fn occupy(stage: &Stage) {
    let enough = (stage.extent.clients - WITHOUT) as usize;
    stage.proxies(|proxy| proxy.delay(DELAY));
    eventually("functions for most clients", async || {
        (stage.simulator.function(MESSAGE).len() >= enough).then_some(())
    })
    .await;
    stage.proxies(|proxy| proxy.delay(Duration::ZERO));
}

/// Everything is late, and nothing is lost.
pub(super) async fn slow(stage: &mut Stage) {
    stage.proxies(|proxy| proxy.delay(DELAY));
    sleep(SLOW).await;
    stage.proxies(|proxy| proxy.delay(Duration::ZERO));
}

/// Connections end within an answer: what was stored is not confirmed.
pub(super) async fn answers_cut(stage: &mut Stage) {
    for bytes in ANSWER_BYTES {
        stage.proxies(|proxy| proxy.cut_answers(Some(bytes)));
        sleep(CUTTING).await;
        stage.proxies(|proxy| proxy.cut_answers(None));
        sleep(BETWEEN).await;
    }
}
