//! Reads `gateway.yaml`: what clients may send, and where it goes.
//!
//! ```text
//!  gateway.yaml ─yaml▶ Node (value, path, line) ─contract▶ Contract
//!                                │                    ├─ Route, Function, Stage, Authorizer, Push
//!                                ▼                    └─ Expression
//!                     DocumentError: line, field, what was found, what was expected
//!                     FileError: the same, with the file's name
//! ```
//!
//! The functions and the simulator read the file itself, Terraform the JSON that
//! [`Contract::deployment`] makes of it. YAML readers disagree about some texts
//! (is `no` a word or a boolean?), so a text that is ambiguous is refused.
//!
//! [`Document`] reads other files in the same way, such as the simulator's faults.

mod authorizer;
mod context;
mod contract;
mod deployment;
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

pub use crate::{
    authorizer::{Authorizer, IdentitySource},
    contract::Contract,
    document::Document,
    error::{DocumentError, FileError},
    expression::{Expression, ExpressionError},
    function::Function,
    node::{Fields, Node},
    push::{Push, StartingPosition},
    route::Route,
    stage::{Stage, Throttling},
};

#[cfg(test)]
mod tests;
