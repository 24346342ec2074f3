//! From graded answers to tables.

mod compare;
mod interval;
mod judge;
mod predictions;
mod published;
mod report;
mod table;

pub use compare::{Difference, comparison_table, paired_difference};
pub use interval::{Estimate, clustered_mean, clustered_ratio, clustered_share};
pub use judge::{JudgeReport, Verdict, judge_report, read_verdicts, write_judge_requests};
pub use predictions::read_predictions;
pub use published::{PublishedActivityNet, published_activitynet};
pub use report::{Classes, Facet, Failure, Report, Score};
