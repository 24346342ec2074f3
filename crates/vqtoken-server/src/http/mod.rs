//! What every request goes through.

pub(crate) mod body;
pub(crate) mod events;
pub(crate) mod guard;
pub(crate) mod headers;
pub(crate) mod json;
pub(crate) mod listen;
pub(crate) mod patient;
pub(crate) mod query;
pub(crate) mod under_way;
