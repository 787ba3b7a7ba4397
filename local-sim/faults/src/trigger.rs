//! When a fault strikes: always, the next few times, or by chance that can be repeated.

/// Which of the times that a fault could strike are meant.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Trigger {
    /// Each time.
    Always,
    /// So many times more.
    Next(u64),
    /// This part of the times, above 0 and at most 1.
    Share(f64),
}

/// A trigger at work: it counts how often it was asked.
#[derive(Debug, Clone)]
pub struct Striking {
    trigger: Trigger,
    name: String,
    /// Of the choices by chance.
    seed: u64,
    asked: u64,
}

impl Striking {
    /// A trigger that was never asked. `name` tells apart what shares a seed.
    pub fn new(trigger: Trigger, seed: u64, name: &str) -> Self {
        let name = name.to_owned();
        Self {
            trigger,
            seed: named(seed, &name),
            name,
            asked: 0,
        }
    }

    /// Begins its choices by chance anew; what is left of it stays.
    pub fn restart(&mut self, seed: u64) {
        self.seed = named(seed, &self.name);
        self.asked = 0;
    }

    /// Whether the fault strikes this time; each call is one.
    pub fn strikes(&mut self) -> bool {
        let number = self.asked;
        self.asked += 1;
        match &mut self.trigger {
            Trigger::Always => true,
            Trigger::Next(0) => false,
            Trigger::Next(left) => {
                *left -= 1;
                true
            }
            Trigger::Share(share) => chance(self.seed, number) < *share,
        }
    }

    /// Whether it will not strike any more.
    pub fn is_over(&self) -> bool {
        self.trigger == Trigger::Next(0)
    }

    /// What is left of it.
    pub fn left(&self) -> Trigger {
        self.trigger
    }
}

/// The seed of who has this name.
fn named(seed: u64, name: &str) -> u64 {
    name.bytes()
        .fold(seed, |seed, byte| mix(seed ^ u64::from(byte)))
}

/// The choice of this number: evenly from 0 to below 1, and the same in every run.
pub fn chance(seed: u64, number: u64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "53 bits are what fits")]
    let choice = (mix(seed ^ mix(number)) >> 11) as f64;
    choice / (1_u64 << 53) as f64
}

/// SplitMix64's step, whose output looks random.
/// <https://prng.di.unimi.it/splitmix64.c>
fn mix(number: u64) -> u64 {
    let number = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(trigger: Trigger, seed: u64, times: usize) -> Vec<bool> {
        let mut striking = Striking::new(trigger, seed, "x");
        (0..times).map(|_| striking.strikes()).collect()
    }

    #[test]
    fn it_strikes_always_or_the_next_few_times() {
        assert_eq!(check(Trigger::Always, 0, 3), [true; 3]);
        assert_eq!(check(Trigger::Next(2), 0, 4), [true, true, false, false]);
    }

    #[test]
    fn chance_is_what_the_seed_says() {
        let struck = check(Trigger::Share(0.25), 7, 10_000);
        assert_eq!(struck, check(Trigger::Share(0.25), 7, 10_000));
        assert_ne!(struck, check(Trigger::Share(0.25), 8, 10_000));
        let count = struck.iter().filter(|struck| **struck).count();
        assert!((2_300..2_700).contains(&count), "{count}");
        assert_eq!(check(Trigger::Share(1.0), 7, 100), [true; 100]);
    }

    #[test]
    fn what_begins_anew_chooses_as_at_first_and_strikes_no_more_often() {
        let choices = |striking: &mut Striking| Vec::from_iter((0..64).map(|_| striking.strikes()));
        let mut half = Striking::new(Trigger::Share(0.5), 7, "x");
        let first = choices(&mut half);
        half.restart(8);
        assert_eq!(choices(&mut half), check(Trigger::Share(0.5), 8, 64));
        half.restart(7);
        assert_eq!(choices(&mut half), first);
        let mut few = Striking::new(Trigger::Next(2), 7, "x");
        assert!(few.strikes());
        few.restart(7);
        assert_eq!(few.left(), Trigger::Next(1));
    }

    #[test]
    fn names_tell_apart_what_shares_a_seed() {
        let choices = |name| {
            let mut striking = Striking::new(Trigger::Share(0.5), 7, name);
            (0..64).map(|_| striking.strikes()).collect::<Vec<bool>>()
        };
        assert_ne!(choices("message latency"), choices("message throttle"));
    }
}
