//! The turn of an environment that has asked for an invocation.

use std::sync::Arc;

use tokio::sync::oneshot;

use super::{function::Function, invocation::Invocation};

/// A poll that waits for its invocation. If it is dropped after it was sent one and before it took it, the invocation
/// goes to another environment, unless the simulator ends: it has not run.
#[derive(Debug)]
pub(super) struct Turn {
    receiver: oneshot::Receiver<Invocation>,
    function: Arc<Function>,
}

impl Turn {
    pub(super) fn new(receiver: oneshot::Receiver<Invocation>, function: Arc<Function>) -> Self {
        Self { receiver, function }
    }

    /// Waits for the invocation; `None` where the environment is to end. Can be cancelled and waited for again.
    pub(super) async fn come(&mut self) -> Option<Invocation> {
        (&mut self.receiver).await.ok()
    }

    /// Waits no longer; gives the invocation that was sent before.
    pub(super) fn end(&mut self) -> Option<Invocation> {
        self.receiver.close();
        self.receiver.try_recv().ok()
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        if let Some(invocation) = self.end()
            && !self.function.host.shutdown.is_cancelled()
        {
            self.function.hand_on(invocation);
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use tempfile::TempDir;
    use tokio_util::{sync::CancellationToken, task::TaskTracker};

    use super::*;
    use crate::{
        concurrency::{Concurrency, Permit},
        configuration::{Configuration, Settings},
        history::History,
        host::Host,
        pool::{Member, Ready},
        process::guardian::Guardian,
        stderr::Lines,
    };

    fn function(root: &TempDir) -> Arc<Function> {
        let host = Host {
            root: root.path().to_owned(),
            settings: Settings::sample(),
            guardian: Guardian::start(root.path()).unwrap(),
            lines: Lines::start().unwrap(),
            history: History::new(),
            tasks: TaskTracker::new(),
            shutdown: CancellationToken::new(),
        };
        let concurrency = Concurrency::unreserved(&[], 10).unwrap();
        Arc::new(Function::new(
            Configuration::example(),
            concurrency,
            Arc::new(host),
        ))
    }

    fn permit() -> Permit {
        Concurrency::unreserved(&[], 1).unwrap().acquire().unwrap()
    }

    fn dispatch(function: &Function, event: &'static str) {
        let (invocation, _) = Invocation::new(Bytes::from_static(event.as_bytes()), permit());
        function.dispatch(invocation, false);
    }

    async fn event(turn: &mut Turn) -> Bytes {
        turn.come().await.expect("an invocation").event
    }

    #[tokio::test]
    async fn an_invocation_that_was_sent_and_not_taken_goes_to_another_environment() {
        let root = tempfile::tempdir().unwrap();
        let function = function(&root);
        // One environment is started for the first, the others wait.
        dispatch(&function, "first");
        dispatch(&function, "second");
        let member = |id| Member { id, version: 0 };
        // Its connection breaks after it was sent the invocation, and before it receives it.
        drop(function.poll(member(0), Ready::Warm, true));
        let mut other = function.poll(member(1), Ready::Warm, true).unwrap();
        assert_eq!(event(&mut other).await, "first");
        let mut other = function.poll(member(1), Ready::Warm, false).unwrap();
        assert_eq!(event(&mut other).await, "second");
    }

    #[tokio::test]
    async fn an_environment_that_is_free_takes_what_another_did_not() {
        let root = tempfile::tempdir().unwrap();
        let function = function(&root);
        dispatch(&function, "first");
        let member = |id| Member { id, version: 0 };
        let broken = function.poll(member(0), Ready::Warm, true);
        let mut free = function.poll(member(1), Ready::Warm, false).unwrap();
        drop(broken);
        assert_eq!(event(&mut free).await, "first");
    }
}
