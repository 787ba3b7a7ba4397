//! Functions that are frozen, killed and late.

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

/// Frozen functions are left so for a moment, which is as good as an hour to them.
const FROZEN: Duration = Duration::from_secs(1);

/// How many functions are killed, one after the other, and the time between.
const KILLS: usize = 15;
const BETWEEN: Duration = Duration::from_millis(300);

/// Longer than an invocation may take.
const TIMEOUT: Duration = Duration::from_secs(11);

/// Functions are frozen between invocations, and their connections go stale: the first record
/// on each waits in vain, and is then stored on another.
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

/// The same for minutes by the wall clock: no function may then use a connection of before, and
/// so nothing is sent twice.
pub(super) async fn frozen_long(stage: &mut Stage) {
    stage.load.rest().await;
    let functions = freeze(stage).await;
    let before = stage.sent_again();
    stage.proxies(Proxy::forget);
    stage.move_clock(MINUTES);
    thaw(&functions);
    stage.load.go_on();
    sleep(GIVEN_UP).await;
    let trusting = stage.sent_again() - before;
    stage.expect(
        trusting == 0,
        format!("{trusting} records went to stale connections"),
    );
    stage.proxies(Proxy::bury);
}

/// Functions die at any moment of an invocation.
pub(super) async fn killed(stage: &mut Stage) {
    for _ in 0..KILLS {
        let victim = eventually("a function at work", async || {
            let functions = stage.functions().into_iter();
            // Who has nothing to do is stopped.
            let busy: Vec<Process> = functions.filter(|it| !it.is_stopped()).collect();
            fastrand::choice(busy)
        })
        .await;
        stage.kill(&[victim]);
        sleep(BETWEEN).await;
    }
}

/// Functions stop in the middle of what they do, and Lambda ends them when their time is over.
pub(super) async fn timed_out(stage: &mut Stage) {
    let functions = freeze(stage).await;
    stage.condemn(&functions);
    sleep(TIMEOUT).await;
    // Those that had nothing to do go on.
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
