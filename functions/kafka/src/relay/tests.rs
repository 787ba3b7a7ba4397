//! What goes through the relay, what is taken out, and what is told.

mod ending;
mod following;
mod links;
