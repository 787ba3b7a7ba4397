//! One attempt to store a record.

use std::{
    pin::pin,
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use sluice_kafka::{Security, Settings};
use tokio::{
    sync::Semaphore,
    time::{sleep_until, timeout_at},
};

use super::{
    current_session::{CurrentSession, SharedSession},
    error::{AttemptError, Step},
    session::{IN_FLIGHT_MAX, Place, Session},
    shared_init::SharedInit,
    verdict::{Verdict, verdict},
};
use crate::{record::Record, sink::Receipt};

/// Attempts to store records, many at a time, and connects when necessary.
#[derive(Debug)]
pub(super) struct Attempts {
    settings: Settings,
    client_id: Arc<str>,
    current: CurrentSession<Session>,
    in_flight: Semaphore,
}

impl Attempts {
    pub(super) fn new(settings: Settings, client_id: String) -> Self {
        Self {
            settings,
            client_id: client_id.into(),
            current: CurrentSession::new(),
            in_flight: Semaphore::new(IN_FLIGHT_MAX),
        }
    }

    /// The settings of connections.
    pub(super) fn security(&self) -> &Security {
        &self.settings.security
    }

    /// The session to use now.
    pub(super) fn shared_session(&self, now: SystemTime) -> SharedSession<Session> {
        let begin = || {
            let (settings, client_id) = (self.settings.clone(), Arc::clone(&self.client_id));
            SharedInit::start(async move { Session::connect(&settings, &client_id).await })
        };
        let shared = self.current.shared_session(now, begin);
        let session = shared.opened();
        if session.is_none_or(|session| !session.is_over(now)) {
            return shared;
        }
        self.current.discard(&shared);
        self.current.shared_session(now, begin)
    }

    /// Makes one attempt. Discards the session if it may be broken.
    pub(super) async fn attempt(
        &self,
        record: &Record,
        deadline: Instant,
        patience: Duration,
    ) -> Result<Receipt, AttemptError> {
        // Acquired first, since the session may be another one after the wait. Held until a session
        // that failed is discarded.
        let _permit = timeout_at(deadline.into(), self.in_flight.acquire())
            .await
            .map_err(|_| AttemptError::Busy(IN_FLIGHT_MAX))?
            .map_err(|_| AttemptError::Abandoned)?;
        let now = SystemTime::now();
        let shared = self.shared_session(now);
        let attempt = self.attempt_in(&shared, record, now, deadline, patience);
        let result = attempt.await;
        if let Err(error) = &result {
            self.part_with(&shared, error);
        }
        result
    }

    /// Discards a session after this error, unless the session is not to blame: then records of
    /// other topics continue to use it.
    pub(super) fn part_with(&self, shared: &SharedSession<Session>, error: &AttemptError) {
        let verdict = verdict(error);
        if verdict == Verdict::Refused {
            self.settings.security.forget();
        }
        if !matches!(verdict, Verdict::Final(_) | Verdict::Absent) || shared.has_failed() {
            self.current.discard(shared);
        }
    }

    async fn attempt_in(
        &self,
        shared: &SharedSession<Session>,
        record: &Record,
        now: SystemTime,
        deadline: Instant,
        patience: Duration,
    ) -> Result<Receipt, AttemptError> {
        let finding = async {
            let session = shared.outcome().await?;
            let place = session.find(record, now).await?;
            Ok((session, place))
        };
        let (session, place) = timeout_at(deadline.into(), finding)
            .await
            .unwrap_or_else(|_| Err(AttemptError::Late(Step::Connecting, Default::default())))?;
        if session.is_outdated() {
            self.current.discard(shared);
        }
        unthrottled(&session, deadline).await?;
        // A timeout lets its future start even if the deadline has passed.
        if Instant::now() >= deadline {
            return Err(AttemptError::Expired);
        }
        confirmed(&session, record, &place, deadline, patience).await
    }
}

/// Waits until the throttling ends, or fails if the deadline comes first.
async fn unthrottled(session: &Session, deadline: Instant) -> Result<(), AttemptError> {
    // Other records sent in the meantime may be throttled again.
    while let Some(until) = session.throttled_until()
        && let now = Instant::now()
        && until > now
    {
        if until >= deadline {
            return Err(AttemptError::Throttled(until - now));
        }
        sleep_until(until.into()).await;
    }
    Ok(())
}

/// Sends a record and waits for its confirmation, at most for `patience`.
///
/// A broker that throttles does not read from its connection. Until it does, a missing response
/// does not mean a broken connection, and sending the record again would store it twice.
async fn confirmed(
    session: &Session,
    record: &Record,
    place: &Place,
    deadline: Instant,
    patience: Duration,
) -> Result<Receipt, AttemptError> {
    let mut producing = pin!(session.produce(record, place));
    let mut since = Instant::now();
    loop {
        let until = deadline.min(since + patience);
        if let Ok(result) = timeout_at(until.into(), &mut producing).await {
            return result;
        }
        match session.throttled_until() {
            Some(throttled) if throttled > since && until < deadline => since = throttled,
            _ => return Err(session.late(Step::Confirming)),
        }
    }
}
