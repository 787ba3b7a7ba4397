//! How many invocations may be under way: a function's own share of the account's, or what is left for all others.
//!
//! <https://docs.aws.amazon.com/lambda/latest/dg/configuration-concurrency.html>

use std::{fmt, io, sync::Arc};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::configuration::Configuration;

/// A share of the account's concurrency.
#[derive(Debug, Clone)]
pub(super) struct Concurrency {
    places: Arc<Semaphore>,
    max: usize,
    is_reserved: bool,
}

/// The right to be one of the invocations under way.
#[derive(Debug)]
pub(super) struct Permit {
    _place: OwnedSemaphorePermit,
}

impl Concurrency {
    /// What these functions leave of the account's for those of them that reserve nothing.
    ///
    /// # Errors
    /// They reserve more than there is, or all of it, and there is one that needs some.
    pub(super) fn unreserved(configurations: &[Configuration], account: usize) -> io::Result<Self> {
        let reservations = configurations.iter().filter_map(reservation);
        let reserved: usize = reservations.sum();
        let needs = configurations.iter().any(|it| reservation(it).is_none());
        if reserved > account || (needs && reserved > 0 && reserved == account) {
            let more = if needs { "more than" } else { "at least" };
            return Err(io::Error::other(format!(
                "all reservedConcurrentExecutions together are {reserved}: \
                 expected --account-concurrency to be {more} that, not {account}"
            )));
        }
        Ok(Self::new(account - reserved, false))
    }

    /// That of one function: what it reserves, else its part in what is unreserved.
    pub(super) fn of(unreserved: &Self, configuration: &Configuration) -> Self {
        match reservation(configuration) {
            Some(max) => Self::new(max, true),
            None => unreserved.clone(),
        }
    }

    fn new(max: usize, is_reserved: bool) -> Self {
        Self {
            places: Arc::new(Semaphore::new(max)),
            max,
            is_reserved,
        }
    }

    /// How many invocations may be under way.
    pub(super) fn max(&self) -> usize {
        self.max
    }

    /// Takes a place; `None` where there is none left.
    pub(super) fn acquire(&self) -> Option<Permit> {
        let place = Arc::clone(&self.places).try_acquire_owned().ok()?;
        Some(Permit { _place: place })
    }
}

impl fmt::Display for Concurrency {
    /// Says that it is used up.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let max = self.max;
        if self.is_reserved {
            write!(
                f,
                "all {max} of its reservedConcurrentExecutions are under way"
            )
        } else {
            write!(
                f,
                "all {max} are under way that --account-concurrency leaves to functions without a reservation"
            )
        }
    }
}

fn reservation(configuration: &Configuration) -> Option<usize> {
    let reserved = configuration.reserved_concurrent_executions?;
    Some(reserved as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn function(reserved_concurrent_executions: Option<u32>) -> Configuration {
        Configuration {
            reserved_concurrent_executions,
            ..Configuration::example()
        }
    }

    #[test]
    fn what_is_reserved_is_taken_from_all_others() {
        let functions = [function(Some(2)), function(None), function(None)];
        let unreserved = Concurrency::unreserved(&functions, 5).unwrap();
        let shares = functions
            .each_ref()
            .map(|it| Concurrency::of(&unreserved, it));
        assert_eq!(shares.each_ref().map(Concurrency::max), [2, 3, 3]);
        let [own, one, other] = shares;
        let held: Vec<Permit> = (0..3).filter_map(|_| one.acquire()).collect();
        assert_eq!(held.len(), 3);
        assert!(other.acquire().is_none(), "the others share what is left");
        let own_held = [own.acquire(), own.acquire()];
        assert!(own_held.iter().all(Option::is_some));
        assert!(own.acquire().is_none());
        drop(held);
        assert!(other.acquire().is_some() && own.acquire().is_none());
    }

    #[test]
    fn who_is_throttled_learns_of_the_cap() {
        let check = |reserved| {
            let function = function(reserved);
            let unreserved = Concurrency::unreserved(&[], 7).unwrap();
            Concurrency::of(&unreserved, &function).to_string()
        };
        assert!(check(Some(3)).contains("all 3 of its reservedConcurrentExecutions"));
        let all = check(None);
        assert!(all.contains('7') && all.contains("--account-concurrency"));
    }

    #[test]
    fn more_cannot_be_reserved_than_there_is() {
        let check = |reservations: &[Option<u32>], account| {
            let functions: Vec<Configuration> =
                reservations.iter().copied().map(function).collect();
            let refusal = Concurrency::unreserved(&functions, account).err();
            refusal.map_or_else(String::new, |error| error.to_string())
        };
        assert_eq!(check(&[Some(3), Some(2)], 5), "");
        assert_eq!(check(&[None], 0), "");
        assert_eq!(check(&[Some(0), None], 0), "");
        let expected = "all reservedConcurrentExecutions together are 5: \
                        expected --account-concurrency to be at least that, not 4";
        assert_eq!(check(&[Some(3), Some(2)], 4), expected);
        assert!(check(&[Some(3), Some(2), None], 5).contains("more than that"));
    }
}
