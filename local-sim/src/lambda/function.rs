//! A function: its environments, and which of them takes an invocation.

use std::{
    collections::VecDeque,
    num::NonZero,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread::available_parallelism,
    time::Duration,
};

use bytes::Bytes;
use parking_lot::Mutex;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, oneshot},
    time::sleep,
};
use uuid::Uuid;

use super::{ACCOUNT_CONCURRENCY, Configuration, Host, InvokeError, environment};

/// A function and the processes that run it.
#[derive(Debug)]
pub(super) struct Function {
    pub(super) configuration: Configuration,
    pub(super) host: Arc<Host>,
    reserved: Option<Arc<Semaphore>>,
    next_environment: AtomicU64,
    /// Held for a push or a pop, never across an await.
    pool: Mutex<Pool>,
}

impl Function {
    /// Makes a function without a process: the first invocation starts one.
    pub(super) fn new(configuration: Configuration, host: Arc<Host>) -> Self {
        let concurrency = configuration
            .reserved_concurrent_executions
            .map(|count| count as usize);
        Self {
            reserved: concurrency.map(|count| Arc::new(Semaphore::new(count))),
            pool: Mutex::new(Pool::new(concurrency.unwrap_or(ACCOUNT_CONCURRENCY))),
            next_environment: AtomicU64::new(0),
            configuration,
            host,
        }
    }

    /// The function's own share of the account's concurrency.
    pub(super) fn reserved(&self) -> Option<&Arc<Semaphore>> {
        self.reserved.as_ref()
    }

    /// Runs one invocation in an environment that is free, or becomes free, or is started for it.
    pub(super) async fn invoke(
        self: &Arc<Self>,
        event: Bytes,
        permits: Permits,
    ) -> Result<Bytes, InvokeError> {
        let (reply, mut replied) = oneshot::channel();
        let request_id = Uuid::new_v4();
        let dispatched = self.pool.lock().dispatch(Invocation {
            request_id,
            event,
            reply,
            permits,
        });
        match dispatched {
            Dispatched::Assigned => {}
            Dispatched::Start(count) => self.start(count),
            Dispatched::Waits => tokio::select! {
                biased;
                result = &mut replied => return result.unwrap_or_else(|_| Err(lost())),
                () = sleep(SCALE_AFTER) => {
                    let count = self.pool.lock().hurry(request_id);
                    self.start(count);
                }
            },
        }
        replied.await.unwrap_or_else(|_| Err(lost()))
    }

    /// An environment asks for its next invocation.
    pub(super) fn poll(
        self: &Arc<Self>,
        environment: u64,
        poll: Poll,
    ) -> oneshot::Receiver<Invocation> {
        let (receiver, count) = self.pool.lock().poll(environment, poll);
        self.start(count);
        receiver
    }

    /// An environment has gone. `failed` where it never got as far as to poll.
    pub(super) fn ended(self: &Arc<Self>, environment: u64, failed: Option<InvokeError>) {
        let (unlucky, count) = self.pool.lock().ended(environment, failed.is_some());
        if let (Some(invocation), Some(error)) = (unlucky, failed) {
            invocation.answer(Err(error));
        }
        if !self.host.shutdown.is_cancelled() {
            self.start(count);
        }
    }

    fn start(self: &Arc<Self>, count: usize) {
        for _ in 0..count {
            let id = self.next_environment.fetch_add(1, Ordering::Relaxed);
            self.host
                .tasks
                .spawn(environment::run(Arc::clone(self), id));
        }
    }
}

/// Which poll of a process it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Poll {
    /// It has just started.
    First,
    /// It has answered an invocation.
    Next,
    /// Its poll before ended without an invocation, with its connection.
    Again,
}

/// One event on its way to a process, and the way back.
#[derive(Debug)]
pub(super) struct Invocation {
    pub(super) request_id: Uuid,
    pub(super) event: Bytes,
    reply: oneshot::Sender<Result<Bytes, InvokeError>>,
    /// Given back when the function is done, whether or not somebody still waits for it.
    permits: Permits,
}

impl Invocation {
    /// Gives the result to who invoked, if it is still there.
    pub(super) fn answer(self, result: Result<Bytes, InvokeError>) {
        drop(self.permits);
        let _ = self.reply.send(result);
    }
}

/// The right to be one of the invocations under way.
#[derive(Debug)]
pub(super) struct Permits {
    _account: OwnedSemaphorePermit,
    _reserved: Option<OwnedSemaphorePermit>,
}

impl Permits {
    /// Takes one of the account and, where it has a share of its own, of the function; `None` where one is used up.
    pub(super) fn acquire(
        account: &Arc<Semaphore>,
        reserved: Option<&Arc<Semaphore>>,
    ) -> Option<Self> {
        let take = |semaphore: &Arc<Semaphore>| Arc::clone(semaphore).try_acquire_owned().ok();
        let reserved = match reserved {
            Some(semaphore) => Some(take(semaphore)?),
            None => None,
        };
        Some(Self {
            _account: take(account)?,
            _reserved: reserved,
        })
    }
}

/// Who is free and who waits. Both are never the case at once.
#[derive(Debug)]
struct Pool {
    /// The one used last is at the end, and is the next to be used: it is the warmest.
    idle: Vec<Idle>,
    waiting: VecDeque<Waiting>,
    /// How many of `waiting` are due an environment of their own.
    hurried: usize,
    /// Processes, the starting ones included.
    environments: usize,
    /// Processes that have not polled yet.
    starting: usize,
    /// Up to this many environments an invocation does not wait for another to be done.
    at_once: usize,
    /// There are never more environments than there may be invocations.
    environments_max: usize,
}

#[derive(Debug)]
struct Idle {
    environment: u64,
    sender: oneshot::Sender<Invocation>,
}

#[derive(Debug)]
struct Waiting {
    invocation: Invocation,
    hurried: bool,
}

enum Dispatched {
    Assigned,
    /// Waits for an environment, of which so many are to be started.
    Start(usize),
    /// Waits for another invocation to be done, for a while.
    Waits,
}

impl Pool {
    fn new(concurrency: usize) -> Self {
        let cores = available_parallelism().map_or(1, NonZero::get);
        Self {
            idle: Vec::new(),
            waiting: VecDeque::new(),
            hurried: 0,
            environments: 0,
            starting: 0,
            at_once: ENVIRONMENTS_PER_CORE * cores,
            environments_max: concurrency,
        }
    }

    fn dispatch(&mut self, mut invocation: Invocation) -> Dispatched {
        while let Some(idle) = self.idle.pop() {
            match idle.sender.send(invocation) {
                Ok(()) => return Dispatched::Assigned,
                // Its connection has gone in the meantime.
                Err(returned) => invocation = returned,
            }
        }
        let hurried = self.environments < self.at_once;
        self.waiting.push_back(Waiting {
            invocation,
            hurried,
        });
        if !hurried {
            return Dispatched::Waits;
        }
        self.hurried += 1;
        Dispatched::Start(self.due())
    }

    /// An invocation has waited long enough for others; says how many environments to start.
    fn hurry(&mut self, request_id: Uuid) -> usize {
        let mut waiting = self.waiting.iter_mut();
        if let Some(waiting) =
            waiting.find(|it| it.invocation.request_id == request_id && !it.hurried)
        {
            waiting.hurried = true;
            self.hurried += 1;
        }
        self.due()
    }

    fn poll(&mut self, environment: u64, poll: Poll) -> (oneshot::Receiver<Invocation>, usize) {
        let (sender, receiver) = oneshot::channel();
        match poll {
            Poll::First => self.starting -= 1,
            Poll::Next => {}
            Poll::Again => self.idle.retain(|idle| idle.environment != environment),
        }
        match self.next_waiting() {
            Some(invocation) => {
                // The receiver is right here.
                let _ = sender.send(invocation);
            }
            None => self.idle.push(Idle {
                environment,
                sender,
            }),
        }
        (receiver, self.due())
    }

    fn ended(&mut self, environment: u64, failed: bool) -> (Option<Invocation>, usize) {
        self.environments -= 1;
        self.idle.retain(|poll| poll.environment != environment);
        let mut unlucky = None;
        if failed {
            self.starting -= 1;
            unlucky = self.next_waiting();
        }
        (unlucky, self.due())
    }

    fn next_waiting(&mut self) -> Option<Invocation> {
        let next = self.waiting.pop_front()?;
        if next.hurried {
            self.hurried -= 1;
        }
        Some(next.invocation)
    }

    /// How many environments to start now; they count as started from here on.
    fn due(&mut self) -> usize {
        let room = self.environments_max - self.environments;
        let count = self
            .hurried
            .min(self.at_once)
            .saturating_sub(self.starting)
            .min(room);
        self.starting += count;
        self.environments += count;
        count
    }
}

/// An environment took the invocation and dropped it: its process closed the connection at that very moment.
fn lost() -> InvokeError {
    InvokeError::function(
        "Runtime.ExitError",
        "the environment ended before it could reply".to_owned(),
    )
}

/// Environments that are started without a wait, for each core.
const ENVIRONMENTS_PER_CORE: usize = 2;
/// How long an invocation waits for another to be done before an environment is started for it: many busy processes
/// make a small machine slow.
const SCALE_AFTER: Duration = Duration::from_millis(5);

#[cfg(test)]
mod tests {
    use super::*;

    type Replied = oneshot::Receiver<Result<Bytes, InvokeError>>;

    fn invocation() -> (Invocation, Replied) {
        let (reply, replied) = oneshot::channel();
        let permits = Permits::acquire(&Arc::new(Semaphore::new(1)), None).unwrap();
        let invocation = Invocation {
            request_id: Uuid::new_v4(),
            event: Bytes::new(),
            reply,
            permits,
        };
        (invocation, replied)
    }

    fn pool(at_once: usize, concurrency: usize) -> Pool {
        Pool {
            at_once,
            ..Pool::new(concurrency)
        }
    }

    /// How many environments an invocation starts; none where it waits or is taken at once.
    fn dispatch(pool: &mut Pool) -> (Option<usize>, Uuid) {
        let (invocation, _) = invocation();
        let id = invocation.request_id;
        let started = match pool.dispatch(invocation) {
            Dispatched::Assigned | Dispatched::Waits => None,
            Dispatched::Start(count) => Some(count),
        };
        (started, id)
    }

    #[test]
    fn an_environment_is_started_for_each_of_the_first_invocations() {
        let mut pool = pool(2, 10);
        assert_eq!(dispatch(&mut pool).0, Some(1));
        assert_eq!(dispatch(&mut pool).0, Some(1));
        let (started, third) = dispatch(&mut pool);
        assert_eq!(started, None);
        assert_eq!(pool.hurry(third), 0, "two are starting already");
        let (mut taken, more) = pool.poll(0, Poll::First);
        assert!(taken.try_recv().is_ok());
        assert_eq!(
            more, 1,
            "one has started, and a third invocation is due one"
        );
    }

    #[test]
    fn the_environment_used_last_is_used_next() {
        let mut pool = pool(2, 10);
        pool.environments = 2;
        let (mut first, _) = pool.poll(0, Poll::Next);
        let (mut last, _) = pool.poll(1, Poll::Next);
        dispatch(&mut pool);
        assert!(first.try_recv().is_err());
        assert!(last.try_recv().is_ok());
    }

    #[test]
    fn an_environment_whose_connection_has_gone_is_passed_over() {
        let mut pool = pool(2, 10);
        pool.environments = 2;
        let (mut there, _) = pool.poll(0, Poll::Next);
        drop(pool.poll(1, Poll::Next));
        dispatch(&mut pool);
        assert!(there.try_recv().is_ok());
    }

    #[test]
    fn a_poll_that_is_made_again_takes_the_place_of_the_one_before() {
        let mut pool = pool(2, 10);
        pool.environments = 1;
        drop(pool.poll(0, Poll::Next));
        let _polling = pool.poll(0, Poll::Again);
        assert_eq!(pool.idle.len(), 1);
    }

    #[test]
    fn there_are_never_more_environments_than_invocations_allowed() {
        let mut pool = pool(4, 1);
        assert_eq!(dispatch(&mut pool).0, Some(1));
        assert_eq!(dispatch(&mut pool).0, Some(0));
    }

    #[test]
    fn an_environment_that_fails_to_start_takes_one_invocation_with_it() {
        let mut pool = pool(4, 10);
        let (_, first) = dispatch(&mut pool);
        let (_, second) = dispatch(&mut pool);
        let (unlucky, more) = pool.ended(0, true);
        assert_eq!(unlucky.map(|it| it.request_id), Some(first));
        assert_eq!(more, 0, "one is still starting");
        let (unlucky, _) = pool.ended(1, true);
        assert_eq!(unlucky.map(|it| it.request_id), Some(second));
        assert_eq!((pool.environments, pool.starting, pool.hurried), (0, 0, 0));
    }

    #[test]
    fn permits_are_of_the_account_and_of_the_function() {
        let account = Arc::new(Semaphore::new(2));
        let reserved = Arc::new(Semaphore::new(1));
        let first = Permits::acquire(&account, Some(&reserved));
        assert!(first.is_some());
        assert!(Permits::acquire(&account, Some(&reserved)).is_none());
        assert_eq!(
            account.available_permits(),
            1,
            "nothing is kept of a refusal"
        );
        drop(first);
        assert!(Permits::acquire(&account, Some(&reserved)).is_some());
    }
}
