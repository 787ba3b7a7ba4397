//! A timer for the connection pool.

use std::{
    pin::Pin,
    time::{Duration, Instant, SystemTime},
};

use hyper::rt::{Sleep, Timer};
use hyper_util::rt::TokioTimer;

/// Tokio's timer with a clock that includes the time during which the function is frozen.
///
/// The monotonic clock may stop while Lambda freezes a function, and the wall clock may be set
/// back. This clock follows the one that has advanced further.
#[derive(Debug, Clone)]
pub(super) struct PoolTimer {
    timer: TokioTimer,
    wall: fn() -> SystemTime,
    started: (Instant, SystemTime),
}

impl PoolTimer {
    pub(super) fn new(wall: fn() -> SystemTime) -> Self {
        let timer = TokioTimer::new();
        Self {
            started: (timer.now(), wall()),
            timer,
            wall,
        }
    }
}

impl Timer for PoolTimer {
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Sleep>> {
        self.timer.sleep(duration)
    }

    fn sleep_until(&self, deadline: Instant) -> Pin<Box<dyn Sleep>> {
        self.sleep(deadline.saturating_duration_since(self.now()))
    }

    fn now(&self) -> Instant {
        let (started, started_by_wall) = self.started;
        let by_wall = (self.wall)().duration_since(started_by_wall);
        self.timer.now().max(started + by_wall.unwrap_or_default())
    }
}
