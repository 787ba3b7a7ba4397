//! Decides when a fault occurs: always, the next few times, or at random from a seed.

/// Selects the occasions on which a fault occurs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Trigger {
    /// On every occasion.
    Always,
    /// On this many further occasions.
    Next(u64),
    /// On this share of the occasions, at random: above 0 and at most 1.
    Share(f64),
}

/// A trigger with its state.
#[derive(Debug, Clone)]
pub struct Striking {
    trigger: Trigger,
    name: String,
    /// The seed of the random choices.
    seed: u64,
    /// The number of occasions so far.
    occasions: u64,
}

impl Striking {
    /// Creates a trigger. Triggers with the same seed but another `name` choose independently.
    pub fn new(trigger: Trigger, seed: u64, name: &str) -> Self {
        let name = name.to_owned();
        Self {
            trigger,
            seed: seed_for(seed, &name),
            name,
            occasions: 0,
        }
    }

    /// Restarts the random choices with a new seed. Keeps the remaining count of [`Trigger::Next`].
    pub fn restart(&mut self, seed: u64) {
        self.seed = seed_for(seed, &self.name);
        self.occasions = 0;
    }

    /// Whether the fault occurs this time. Each call counts as one occasion.
    pub fn strikes(&mut self) -> bool {
        let number = self.occasions;
        self.occasions += 1;
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

    /// Whether the fault will never occur again.
    pub fn is_over(&self) -> bool {
        self.trigger == Trigger::Next(0)
    }

    /// The trigger with its remaining count.
    pub fn left(&self) -> Trigger {
        self.trigger
    }
}

/// Derives the seed for a name.
fn seed_for(seed: u64, name: &str) -> u64 {
    name.bytes()
        .fold(seed, |seed, byte| mix(seed ^ u64::from(byte)))
}

/// The random number with index `number` for this seed: uniform in 0 to below 1, the same in every
/// run.
pub fn chance(seed: u64, number: u64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "an f64 holds 53 bits exactly")]
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
    fn a_trigger_strikes_always_or_the_next_few_times() {
        assert_eq!(check(Trigger::Always, 0, 3), [true; 3]);
        assert_eq!(check(Trigger::Next(2), 0, 4), [true, true, false, false]);
    }

    #[test]
    fn random_choices_depend_only_on_the_seed() {
        let struck = check(Trigger::Share(0.25), 7, 10_000);
        assert_eq!(struck, check(Trigger::Share(0.25), 7, 10_000));
        assert_ne!(struck, check(Trigger::Share(0.25), 8, 10_000));
        let count = struck.iter().filter(|struck| **struck).count();
        assert!((2_300..2_700).contains(&count), "{count}");
        assert_eq!(check(Trigger::Share(1.0), 7, 100), [true; 100]);
    }

    #[test]
    fn a_restart_repeats_the_choices_but_keeps_the_remaining_count() {
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
    fn triggers_with_the_same_seed_and_other_names_choose_independently() {
        let choices = |name| {
            let mut striking = Striking::new(Trigger::Share(0.5), 7, name);
            (0..64).map(|_| striking.strikes()).collect::<Vec<bool>>()
        };
        assert_ne!(choices("message latency"), choices("message throttle"));
    }
}
