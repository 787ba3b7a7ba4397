//! Reads `gateway.yaml`: what clients may send, and where it goes.
//!
//! ```text
//!  gateway.yaml ─yaml▶ Node (value, path, line) ─contract▶ Contract
//!                                │                    ├─ Route, Function, Stage, Authorizer, Push
//!                                ▼                    └─ Expression
//!                          ContractError: file, line, field, what was found, what was expected
//! ```
//!
//! The functions, the simulator and Terraform read the same file. YAML itself
//! lets readers disagree (is `no` a word or a boolean?), so whatever another
//! reader could understand differently is refused here.
//!
//! [`Document`] reads another file in the same way: as nodes that know where they stand.

mod authorizer;
mod context;
mod contract;
mod document;
mod error;
mod expression;
mod file;
mod function;
mod java;
mod json;
mod mention;
mod name;
mod node;
mod push;
mod route;
mod scalar;
mod stage;
mod topic;
mod yaml;

pub use crate::authorizer::{Authorizer, IdentitySource};
pub use crate::contract::Contract;
pub use crate::document::Document;
pub use crate::error::{ContractError, Refusal};
pub use crate::expression::{Expression, ExpressionError};
pub use crate::function::Function;
pub use crate::node::{Fields, Node};
pub use crate::push::{Push, StartingPosition};
pub use crate::route::Route;
pub use crate::stage::{Stage, Throttling};

#[cfg(test)]
mod tests;
