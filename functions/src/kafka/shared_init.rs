//! What takes time to open, and is opened once for all who need it.

use std::sync::Arc;

use tokio::{
    sync::watch::{Receiver, channel},
    task::JoinSet,
};

use super::error::AttemptError;

/// Something that is being opened, or is open, or could not be.
///
/// The work goes on while no task waits for it: a record with little time begins
/// what the next one finds done. All tasks that wait get the same outcome, so that
/// they do not run into the same failure one after the other.
#[derive(Debug)]
pub(super) struct SharedInit<T> {
    outcome: Receiver<Option<Outcome<T>>>,
    /// Ends the work when this is dropped.
    _working: JoinSet<()>,
}

type Outcome<T> = Result<Arc<T>, Arc<AttemptError>>;

impl<T: Send + Sync + 'static> SharedInit<T> {
    /// Begins. The work must end by itself.
    pub(super) fn start(
        work: impl Future<Output = Result<T, AttemptError>> + Send + 'static,
    ) -> Self {
        let (tell, outcome) = channel(None);
        let mut working = JoinSet::new();
        // Boxed, since it is moved a few times before it runs.
        let work = Box::pin(work);
        working.spawn(async move {
            let outcome = work.await.map(Arc::new).map_err(Arc::new);
            tell.send_replace(Some(outcome));
        });
        Self {
            outcome,
            _working: working,
        }
    }

    /// What came of it, as soon as that is known.
    pub(super) async fn outcome(&self) -> Result<Arc<T>, AttemptError> {
        let mut outcome = self.outcome.clone();
        let known = outcome
            .wait_for(Option::is_some)
            .await
            .map_err(|_| AttemptError::Abandoned)?;
        match known.as_ref() {
            Some(Ok(open)) => Ok(Arc::clone(open)),
            Some(Err(error)) => Err(AttemptError::Shared(Arc::clone(error))),
            None => Err(AttemptError::Abandoned),
        }
    }

    /// What is open, if it is by now.
    pub(super) fn opened(&self) -> Option<Arc<T>> {
        let outcome = self.outcome.borrow();
        outcome.as_ref()?.as_ref().ok().map(Arc::clone)
    }

    /// Whether nothing has come of it yet.
    pub(super) fn is_under_way(&self) -> bool {
        // First, since the outcome is told before the work ends.
        let is_working = self.outcome.has_changed().is_ok();
        is_working && self.outcome.borrow().is_none()
    }

    /// Whether it could not be opened, or the work panicked.
    pub(super) fn has_failed(&self) -> bool {
        !self.is_under_way() && !matches!(*self.outcome.borrow(), Some(Ok(_)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn work_that_panics_has_failed_and_is_not_under_way() {
        let init = SharedInit::<()>::start(async { panic!("a fault in the work") });
        assert!(init.is_under_way() && !init.has_failed());

        let outcome = init.outcome().await;

        assert!(matches!(outcome, Err(AttemptError::Abandoned)));
        assert!(!init.is_under_way() && init.has_failed());
    }

    #[tokio::test]
    async fn work_that_ends_is_not_under_way() {
        let open = SharedInit::start(async { Ok(7) });
        assert_eq!(*open.outcome().await.unwrap(), 7);
        assert!(!open.is_under_way() && !open.has_failed());

        let failed = SharedInit::<()>::start(async { Err(AttemptError::Expired) });
        assert!(failed.outcome().await.is_err());
        assert!(!failed.is_under_way() && failed.has_failed());
    }
}
