//! A slow initialization, done once for all tasks that need it.

use std::sync::Arc;

use tokio::{
    sync::watch::{Receiver, channel},
    task::JoinSet,
};

use super::error::AttemptError;

/// A value that is being initialized, is ready, or has failed.
///
/// The work continues while no task waits for it: a record with little time starts what the next
/// one finds done. All waiting tasks get the same result, so that they do not run into the same
/// error one after the other.
#[derive(Debug)]
pub(super) struct SharedInit<T> {
    outcome: Receiver<Option<Outcome<T>>>,
    /// Ends the work when this is dropped.
    _working: JoinSet<()>,
}

type Outcome<T> = Result<Arc<T>, Arc<AttemptError>>;

impl<T: Send + Sync + 'static> SharedInit<T> {
    /// Starts the work, which must end by itself.
    pub(super) fn start(
        work: impl Future<Output = Result<T, AttemptError>> + Send + 'static,
    ) -> Self {
        let (tell, outcome) = channel(None);
        let mut working = JoinSet::new();
        // Boxed, since it is moved several times before it runs.
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

    /// Waits for the result.
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

    /// The value, if it is ready.
    pub(super) fn opened(&self) -> Option<Arc<T>> {
        let outcome = self.outcome.borrow();
        outcome.as_ref()?.as_ref().ok().map(Arc::clone)
    }

    /// Whether the work is in progress.
    pub(super) fn is_under_way(&self) -> bool {
        // Checked first, since the result is set before the work ends.
        let is_working = self.outcome.has_changed().is_ok();
        is_working && self.outcome.borrow().is_none()
    }

    /// Whether the work failed or panicked.
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
