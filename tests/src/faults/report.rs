//! The result of a fault, as a line of the report.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use super::fault::Fault;
use crate::audit::Audit;
use crate::load::{ANSWER_MAX, Account};

/// The result of one fault: one line of the table.
#[derive(Debug)]
pub struct Report {
    /// The injected fault.
    pub fault: Fault,
    /// Messages that were acknowledged.
    pub acknowledged: u64,
    /// Messages that were acknowledged and are not stored.
    pub lost: usize,
    /// Records stored again under the same `ce_id`.
    pub duplicated: u64,
    /// Records stored again because the client sent the message again.
    pub resent: u64,
    /// Refusals by their code, and refused handshakes by their status.
    pub refused: BTreeMap<String, u64>,
    /// The slowest response.
    pub slowest: Duration,
    /// Violated expectations.
    pub complaints: Vec<String>,
}

impl Report {
    pub(super) fn new(
        fault: Fault,
        audit: &Audit,
        account: Account,
        mut complaints: Vec<String>,
    ) -> Self {
        let mut complain = |is_wrong: bool, text: String| {
            if is_wrong {
                complaints.push(text);
            }
        };
        let Account {
            mut refused,
            handshakes_refused,
            handshakes_unanswered,
            slowest,
            unanswered,
            connections_lost,
            ..
        } = account;
        complain(
            unanswered > 0,
            format!("{unanswered} messages had no answer within {ANSWER_MAX:?}"),
        );
        complain(
            handshakes_unanswered > 0,
            format!("{handshakes_unanswered} handshakes had no answer within {ANSWER_MAX:?}"),
        );
        complain(
            slowest < fault.delay(),
            format!("no answer took more than {slowest:?}"),
        );
        complain(
            connections_lost > 0,
            format!("{connections_lost} connections were lost"),
        );
        complain(
            audit.duplicated > 0 && !fault.may_duplicate(),
            format!("{} records are stored twice", audit.duplicated),
        );
        let handshakes = handshakes_refused.into_iter();
        refused.extend(handshakes.map(|(status, count)| (format!("handshake {status}"), count)));
        for (code, count) in &refused {
            complain(
                !fault.refusals().contains(&code.as_str()),
                format!("{count} answers said {code:?}"),
            );
        }
        Self {
            fault,
            acknowledged: audit.acknowledged,
            lost: audit.lost.len(),
            duplicated: audit.duplicated,
            resent: audit.resent,
            refused,
            slowest,
            complaints,
        }
    }

    /// The column headings.
    pub const HEAD: &str =
        "fault                  acknowledged   lost  duplicated  resent  slowest ms  refused";
}

impl fmt::Display for Report {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let refused: Vec<String> = self
            .refused
            .iter()
            .map(|(code, count)| format!("{code}: {count}"))
            .collect();
        write!(
            formatter,
            "{:<22} {:>12} {:>6} {:>11} {:>7} {:>11}  {}",
            format!("{:?}", self.fault),
            self.acknowledged,
            self.lost,
            self.duplicated,
            self.resent,
            self.slowest.as_millis(),
            refused.join(", "),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The complaints after a fault with this account and number of duplicates.
    fn check(fault: Fault, duplicated: u64, account: Account) -> Vec<String> {
        let audit = Audit {
            duplicated,
            ..Audit::default()
        };
        Report::new(fault, &audit, account, Vec::new()).complaints
    }

    fn refused(code: &str) -> Account {
        Account {
            refused: [(code.to_owned(), 1)].into(),
            ..Account::default()
        }
    }

    #[test]
    fn what_a_fault_explains_is_no_complaint() {
        let nothing: [&str; 0] = [];
        assert_eq!(
            check(Fault::LeaderKilled, 1, refused("unavailable")),
            nothing
        );
        assert_eq!(
            check(Fault::RecordsTooLarge, 0, refused("too_large")),
            nothing
        );
    }

    #[test]
    fn what_it_does_not_explain_is_one() {
        assert_eq!(
            check(Fault::Throttled, 1, Account::default()),
            ["1 records are stored twice"]
        );
        assert_eq!(
            check(Fault::LeaderKilled, 0, refused("internal")),
            ["1 answers said \"internal\""]
        );
        let handshakes = Account {
            handshakes_refused: [(502, 1)].into(),
            ..Account::default()
        };
        assert_eq!(
            check(Fault::LeaderKilled, 0, handshakes),
            ["1 answers said \"handshake 502\""]
        );
        let silent = Account {
            unanswered: 1,
            handshakes_unanswered: 1,
            connections_lost: 1,
            ..Account::default()
        };
        assert_eq!(check(Fault::LeaderKilled, 0, silent).len(), 3);
        assert_eq!(
            check(Fault::NetworkSlow, 0, Account::default()),
            ["no answer took more than 0ns"]
        );
    }
}
