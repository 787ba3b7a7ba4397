//! Concurrency limits: reserved for one function, or shared by those without a reservation.
//!
//! <https://docs.aws.amazon.com/lambda/latest/dg/configuration-concurrency.html>

use std::{fmt, io, sync::Arc};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::configuration::Configuration;

/// A function's reserved concurrency, or the unreserved concurrency of the account.
#[derive(Debug, Clone)]
pub(super) struct Concurrency {
    permits: Arc<Semaphore>,
    max: usize,
    is_reserved: bool,
}

/// Counts one concurrent invocation until it is dropped.
#[derive(Debug)]
pub(super) struct Permit {
    _permit: OwnedSemaphorePermit,
}

impl Concurrency {
    /// Returns what the reservations of these functions leave for the others.
    ///
    /// # Errors
    /// If they reserve more than the account has, or all of it while a function without a
    /// reservation needs some.
    pub(super) fn unreserved(configurations: &[Configuration], account: usize) -> io::Result<Self> {
        let reservations = configurations.iter().filter_map(reservation);
        let reserved: usize = reservations.sum();
        let needs = configurations.iter().any(|it| reservation(it).is_none());
        if reserved > account || (needs && reserved > 0 && reserved == account) {
            let min = if needs { reserved + 1 } else { reserved };
            return Err(io::Error::other(format!(
                "reservedConcurrentExecutions add up to {reserved}, but --account-concurrency is {account} \
                 (raise it to at least {min})"
            )));
        }
        Ok(Self::new(account - reserved, false))
    }

    /// Returns the limit of one function: its reservation, or the shared `unreserved`.
    pub(super) fn of(unreserved: &Self, configuration: &Configuration) -> Self {
        match reservation(configuration) {
            Some(max) => Self::new(max, true),
            None => unreserved.clone(),
        }
    }

    fn new(max: usize, is_reserved: bool) -> Self {
        Self {
            permits: Arc::new(Semaphore::new(max)),
            max,
            is_reserved,
        }
    }

    /// Maximum concurrent invocations.
    pub(super) fn max(&self) -> usize {
        self.max
    }

    /// Takes a permit; `None` if the limit is reached.
    pub(super) fn acquire(&self) -> Option<Permit> {
        let permit = Arc::clone(&self.permits).try_acquire_owned().ok()?;
        Some(Permit { _permit: permit })
    }
}

impl fmt::Display for Concurrency {
    /// Says that the limit is reached.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let max = self.max;
        if self.is_reserved {
            write!(
                f,
                "all {max} of its reservedConcurrentExecutions are in use"
            )
        } else {
            write!(
                f,
                "all {max} unreserved executions of --account-concurrency are in use"
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
    fn a_reservation_reduces_what_the_other_functions_share() {
        let functions = [function(Some(2)), function(None), function(None)];
        let unreserved = Concurrency::unreserved(&functions, 5).unwrap();
        let shares = functions
            .each_ref()
            .map(|it| Concurrency::of(&unreserved, it));
        assert_eq!(shares.each_ref().map(Concurrency::max), [2, 3, 3]);
        let [own, one, other] = shares;
        let held: Vec<Permit> = (0..3).filter_map(|_| one.acquire()).collect();
        assert_eq!(held.len(), 3);
        assert!(
            other.acquire().is_none(),
            "the others share the unreserved concurrency"
        );
        let own_held = [own.acquire(), own.acquire()];
        assert!(own_held.iter().all(Option::is_some));
        assert!(own.acquire().is_none());
        drop(held);
        assert!(other.acquire().is_some() && own.acquire().is_none());
    }

    #[test]
    fn the_display_names_the_limit() {
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
    fn reservations_beyond_the_account_are_refused() {
        let check = |reservations: &[Option<u32>], account| {
            let functions: Vec<Configuration> =
                reservations.iter().copied().map(function).collect();
            let refusal = Concurrency::unreserved(&functions, account).err();
            refusal.map_or_else(String::new, |error| error.to_string())
        };
        assert_eq!(check(&[Some(3), Some(2)], 5), "");
        assert_eq!(check(&[None], 0), "");
        assert_eq!(check(&[Some(0), None], 0), "");
        let expected = "reservedConcurrentExecutions add up to 5, but --account-concurrency is 4 \
                        (raise it to at least 5)";
        assert_eq!(check(&[Some(3), Some(2)], 4), expected);
        assert!(check(&[Some(3), Some(2), None], 5).contains("at least 6"));
    }
}
