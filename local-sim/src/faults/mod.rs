//! Trouble on demand: what is to go wrong, and when.

mod trigger;

pub(crate) use self::trigger::{Striking, Trigger, chance};
