//! Compares the responses that clients received with the stored records.

use std::collections::{HashMap, HashSet};

use crate::consumer::{Consumer, Record};
use crate::load::{Account, Id};

/// How many items of a list an error message shows.
const NAMED_MAX: usize = 5;

/// The result of comparing one account with a topic.
#[derive(Debug, Default)]
pub struct Audit {
    /// Messages that were acknowledged.
    pub acknowledged: u64,
    /// Messages that were acknowledged and are not stored.
    pub lost: Vec<Id>,
    /// Records stored again with the same `ce_id`, after a retry by Kafka's client or a function.
    pub duplicated: u64,
    /// Records stored again with another `ce_id`, because the client resent the message.
    pub resent: u64,
    /// Corrupt results: altered records, records that were never sent, or records with more
    /// `ce_id`s than the message was sent times.
    pub wrong: Vec<String>,
}

impl Audit {
    /// Reads the whole topic and compares it with the account.
    pub async fn of(brokers: &str, topic: &str, account: &Account) -> Self {
        let mut ledger = Ledger::new(account);
        let consumer = Consumer::connect(brokers).await;
        let enter = |record: Record| {
            ledger.enter(
                record.header("ce_clientmessageid"),
                record.header("ce_id"),
                &record.value,
            );
        };
        consumer.each(topic, enter).await;
        ledger.close()
    }

    /// The violated guarantees, as text.
    pub fn complaints(&self) -> Vec<String> {
        let lost = self.lost.iter().take(NAMED_MAX);
        let lost = lost.map(|id| format!("{}: acknowledged and not stored", id.text()));
        lost.chain(self.wrong.iter().take(NAMED_MAX).cloned())
            .collect()
    }
}

/// Returns a complaint if fewer connects are stored than handshakes were accepted.
pub async fn connections(brokers: &str, topic: &str, account: &Account) -> Option<String> {
    let mut opened = HashSet::new();
    let consumer = Consumer::connect(brokers).await;
    let show = |record: Record| {
        let ce_id = record.header("ce_id");
        if ce_id.ends_with(":connect") {
            opened.insert(ce_id.to_owned());
        }
    };
    consumer.each(topic, show).await;
    let (stored, accepted) = (opened.len() as u64, account.connected);
    (stored < accepted).then(|| format!("{accepted} connections accepted, {stored} stored"))
}

/// The stored records, by message.
struct Ledger<'a> {
    account: &'a Account,
    stored: HashMap<Id, Stored>,
    wrong: Vec<String>,
}

/// The records of one message.
#[derive(Debug, Default)]
struct Stored {
    records: u64,
    ce_ids: HashSet<String>,
}

impl<'a> Ledger<'a> {
    fn new(account: &'a Account) -> Self {
        Self {
            account,
            stored: HashMap::new(),
            wrong: Vec::new(),
        }
    }

    fn enter(&mut self, client_id: &str, ce_id: &str, value: &[u8]) {
        let id = Id::parse(client_id).filter(|id| self.account.messages.contains_key(id));
        match id {
            None => self
                .wrong
                .push(format!("{client_id}: stored and never sent")),
            Some(id) if value != id.message().as_bytes() => {
                self.wrong
                    .push(format!("{client_id}: stored with another value"));
            }
            Some(id) => {
                let stored = self.stored.entry(id).or_default();
                stored.records += 1;
                stored.ce_ids.insert(ce_id.to_owned());
            }
        }
    }

    fn close(self) -> Audit {
        let mut audit = Audit {
            wrong: self.wrong,
            ..Audit::default()
        };
        for (&id, fate) in &self.account.messages {
            let stored = self.stored.get(&id);
            let (records, ce_ids) =
                stored.map_or((0, 0), |it| (it.records, it.ce_ids.len() as u64));
            if fate.acknowledged {
                audit.acknowledged += 1;
                if records == 0 {
                    audit.lost.push(id);
                }
            }
            if ce_ids > u64::from(fate.sent) {
                let (id, sent) = (id.text(), fate.sent);
                audit
                    .wrong
                    .push(format!("{id}: sent {sent} times, stored as {ce_ids}"));
            }
            audit.duplicated += records - ce_ids;
            audit.resent += ce_ids.saturating_sub(1);
        }
        audit
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::Fate;

    /// Audits one acknowledged message that was sent `sent` times, against records with these client
    /// ids and `ce_id`s. One record has another value.
    fn check(sent: u32, records: &[(&str, &str)]) -> Audit {
        let id = Id::parse("1-2").unwrap();
        let fate = Fate {
            sent,
            acknowledged: true,
        };
        let mut account = Account::default();
        account.messages.insert(id, fate);
        let mut ledger = Ledger::new(&account);
        for &(client_id, ce_id) in records {
            let value = if ce_id == "altered" {
                "{}".to_owned()
            } else {
                id.message()
            };
            ledger.enter(client_id, ce_id, value.as_bytes());
        }
        ledger.close()
    }

    fn counts(sent: u32, records: &[(&str, &str)]) -> (u64, u64, Vec<String>) {
        let audit = check(sent, records);
        (audit.duplicated, audit.resent, audit.complaints())
    }

    #[test]
    fn what_is_stored_once_is_as_it_should_be() {
        assert_eq!(counts(1, &[("1-2", "a")]), (0, 0, vec![]));
        assert_eq!(check(1, &[("1-2", "a")]).acknowledged, 1);
    }

    #[test]
    fn again_is_a_duplicate_or_sent_again() {
        assert_eq!(counts(1, &[("1-2", "a"), ("1-2", "a")]), (1, 0, vec![]));
        assert_eq!(counts(2, &[("1-2", "a"), ("1-2", "b")]), (0, 1, vec![]));
        let three = [("1-2", "a"), ("1-2", "b"), ("1-2", "b")];
        assert_eq!(counts(2, &three), (1, 1, vec![]));
    }

    #[test]
    fn what_is_not_stored_is_lost() {
        assert_eq!(check(1, &[]).lost, [Id::parse("1-2").unwrap()]);
        let lost = "1-2: acknowledged and not stored".to_owned();
        assert_eq!(counts(1, &[]), (0, 0, vec![lost]));
    }

    #[test]
    fn what_nobody_sent_is_complained_of() {
        let complaints = |sent, records: &[(&str, &str)]| counts(sent, records).2;
        assert_eq!(
            complaints(1, &[("1-2", "a"), ("1-2", "b")]),
            ["1-2: sent 1 times, stored as 2"]
        );
        assert_eq!(
            complaints(1, &[("1-2", "a"), ("1-2", "altered")]),
            ["1-2: stored with another value"]
        );
        assert_eq!(
            complaints(1, &[("1-2", "a"), ("1-3", "b")]),
            ["1-3: stored and never sent"]
        );
    }
}
