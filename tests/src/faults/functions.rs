//! Faults in which functions are frozen, killed or time out.

use std::time::Duration;

use rustix::process::Signal;
use tokio::time::sleep;

use super::network::GIVEN_UP;
use super::stage::Stage;
use crate::process::Process;
use crate::proxy::Proxy;
use crate::wait::eventually;

/// An environment may be frozen for minutes between two invocations.
pub(super) const MINUTES: Duration = Duration::from_mins(6);

/// How long functions stay frozen. They cannot tell a second from an hour.
const FROZEN: Duration = Duration::from_secs(1);

/// The number of functions to kill one after the other, and the time between two kills.
const KILLS: usize = 15;
const BETWEEN: Duration = Duration::from_millis(300);

/// Longer than the timeout of an invocation.
const TIMEOUT: Duration = Duration::from_secs(11);

/// Freezes functions between invocations while their connections go stale.
///
/// The first record on each stale connection times out and is then stored over a new one.
pub(super) async fn frozen(stage: &mut Stage) {
    stage.load.rest().await;
    let functions = freeze(stage).await;
    stage.proxies(Proxy::forget);
    sleep(FROZEN).await;
    thaw(&functions);
    stage.load.go_on();
    sleep(GIVEN_UP).await;
    stage.proxies(Proxy::bury);
}

/// Like [`frozen`], for minutes by the wall clock.
///
/// The functions must then replace their old connections, so no record is sent twice.
pub(super) async fn frozen_long(stage: &mut Stage) {
    stage.load.rest().await;
    let functions = freeze(stage).await;
    let before = stage.sent_again();
    stage.proxies(Proxy::forget);
    stage.move_clock(MINUTES);
    thaw(&functions);
    stage.load.go_on();
    sleep(GIVEN_UP).await;
    let resent = stage.sent_again() - before;
    stage.expect(
        resent == 0,
        format!("{resent} records were sent over stale connections"),
    );
    stage.proxies(Proxy::bury);
}

/// Kills functions at random moments of an invocation.
pub(super) async fn killed(stage: &mut Stage) {
    for _ in 0..KILLS {
        let victim = eventually("a function at work", async || {
            let functions = stage.functions().into_iter();
            // An idle function is stopped.
            let busy: Vec<Process> = functions.filter(|it| !it.is_stopped()).collect();
            fastrand::choice(busy)
        })
        .await;
        stage.kill(&[victim]);
        sleep(BETWEEN).await;
    }
}

/// Stops functions during an invocation, so that Lambda ends them at their timeout.
pub(super) async fn timed_out(stage: &mut Stage) {
    let functions = freeze(stage).await;
    stage.condemn(&functions);
    sleep(TIMEOUT).await;
    // Idle functions continue.
    thaw(&functions);
}

async fn freeze(stage: &Stage) -> Vec<Process> {
    let functions = stage.functions();
    for function in &functions {
        function.signal(Signal::STOP);
    }
    eventually("all functions stopped", async || {
        let stopped = |it: &Process| it.is_stopped() || !it.is_alive();
        functions.iter().all(stopped).then_some(())
    })
    .await;
    functions
}

fn thaw(functions: &[Process]) {
    for function in functions {
        function.signal(Signal::CONT);
    }
}
