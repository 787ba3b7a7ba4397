//! Reads `gateway.yaml`: what clients may send, and where it goes.
//!
//! ```text
//!  gateway.yaml ─yaml▶ Node (value, path, line) ─contract▶ Contract
//!                                │                    ├─ Route, Function, Stage, Authorizer, Push
//!                                ▼                    └─ Expression
//!                     DocumentError: line, field, value, what to write instead
//!                     FileError: the same, after the file's name
//! ```
//!
//! The functions and the simulator read the file itself. Terraform reads the JSON that
//! [`Contract::deployment`] returns. YAML parsers disagree about some scalars (is `no` a string or
//! a boolean?), so an ambiguous scalar is an error.
//!
//! [`Document`] reads other YAML files in the same way, such as the simulator's faults.

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
