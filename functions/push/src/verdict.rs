//! What the gateway's answer to a post means.

/// What an answer means for the record it was about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The record is done with for this connection.
    Done(Outcome),
    /// The same post may succeed later.
    Again,
    /// It fails until somebody mends the deployment.
    Failed,
}

/// How a post ended that is not tried again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outcome {
    /// The gateway took it.
    Delivered,
    /// The connection is no more.
    Gone,
    /// The gateway found it too large.
    TooLarge,
    /// The gateway will not take it, now or ever.
    Rejected,
}

impl Verdict {
    /// The verdict on an HTTP status; on `None`, where no answer came.
    pub fn of(status: Option<u16>) -> Self {
        match status {
            Some(200..=299) => Self::Done(Outcome::Delivered),
            Some(410) => Self::Done(Outcome::Gone),
            Some(413) => Self::Done(Outcome::TooLarge),
            // The role, the URL or the stage is wrong, and nothing about the
            // record. @connections answers 403; the others are what a server
            // answers that does not have it.
            Some(300..=399 | 401 | 403..=405) => Self::Failed,
            Some(429) => Self::Again,
            Some(400..=499) => Self::Done(Outcome::Rejected),
            Some(_) | None => Self::Again,
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
            assert_eq!(check(Some(status)), Verdict::Again, "{status}");
        }
        assert_eq!(check(None), Verdict::Again);
    }
}
