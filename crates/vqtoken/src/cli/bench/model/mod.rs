//! `vqtoken bench peak|vision|language|train|ask|drift|perplexity`: what the transformers make of this machine.
//!
//! | file | idea |
//! | --- | --- |
//! | `subject.rs` | which model is measured: a checkpoint, or random weights of a known shape |
//! | `record.rs` | repeated runs, their median, and what share of the machine that is |
//! | `peak.rs` | what the machine can do at most |
//! | `vision.rs`, `language.rs`, `train.rs`, `ask.rs` | the stages |
//! | `drift.rs`, `perplexity.rs` | how far a precision moves the numbers, and what that costs on a text |

pub(super) mod ask;
pub(super) mod drift;
pub(super) mod language;
pub(super) mod peak;
pub(super) mod perplexity;
mod record;
pub(super) mod subject;
pub(super) mod train;
pub(super) mod vision;
