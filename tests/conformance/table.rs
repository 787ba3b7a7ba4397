//! The table: what is known of API Gateway's WebSocket APIs, row by row, and what tests it.

mod authorization;
mod check;
mod connection;
mod endpoints;
mod events;
mod handshake;
mod integration;
mod logging;
mod management;
mod open;
mod readme;
mod routing;
mod row;
mod sections;

pub(crate) use self::{
    check::{Names, check_rows},
    readme::check_readme,
};
