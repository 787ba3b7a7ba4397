//! What the gateway's response to a post means for the record.

/// What to do after the gateway's response to a post.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The record is finished for this connection.
    Done(Outcome),
    /// Retry: the same post may succeed later.
    Retry,
    /// Give up: every attempt fails until the deployment is fixed.
    Failed,
}

/// The outcome of a post that is not retried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outcome {
    /// The gateway accepted the post.
    Delivered,
    /// The connection no longer exists.
    Gone,
    /// The message is too large for the gateway.
    TooLarge,
    /// The gateway rejected the post for good.
    Rejected,
}

impl Verdict {
    /// The verdict on an HTTP status, or on `None` if there was no response.
    pub fn of(status: Option<u16>) -> Self {
        match status {
            Some(200..=299) => Self::Done(Outcome::Delivered),
            Some(410) => Self::Done(Outcome::Gone),
            Some(413) => Self::Done(Outcome::TooLarge),
            // The role, the URL or the stage is wrong rather than the record. `@connections`
            // returns 403; the others are from servers that do not implement it.
            Some(300..=399 | 401 | 403..=405) => Self::Failed,
            Some(429) => Self::Retry,
            Some(400..=499) => Self::Done(Outcome::Rejected),
            Some(_) | None => Self::Retry,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_status_has_its_verdict() {
        let check = Verdict::of;
        assert_eq!(check(Some(200)), Verdict::Done(Outcome::Delivered));
        assert_eq!(check(Some(204)), Verdict::Done(Outcome::Delivered));
        assert_eq!(check(Some(400)), Verdict::Done(Outcome::Rejected));
        assert_eq!(check(Some(410)), Verdict::Done(Outcome::Gone));
        assert_eq!(check(Some(413)), Verdict::Done(Outcome::TooLarge));
        assert_eq!(check(Some(418)), Verdict::Done(Outcome::Rejected));
        for status in [301, 401, 403, 404, 405] {
            assert_eq!(check(Some(status)), Verdict::Failed, "{status}");
        }
        for status in [429, 500, 502, 503, 504, 599, 999] {
            assert_eq!(check(Some(status)), Verdict::Retry, "{status}");
        }
        assert_eq!(check(None), Verdict::Retry);
    }
}
