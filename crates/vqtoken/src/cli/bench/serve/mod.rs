//! `vqtoken bench serve`: a server under load.
//!
//! | file | idea |
//! | --- | --- |
//! | `client.rs` | requests that can hang up |
//! | `subject.rs` | the server that is measured, in this process |
//! | `one.rs` | one client: what the server adds, the first word, health beside work, stopping |
//! | `many.rs` | many clients: words a second, a crowd of which some break off |
//! | `live.rs` | an hour of a live camera |

mod client;
mod live;
mod many;
mod one;
mod subject;

use clap::{Args, ValueEnum};
use serde_json::{Map, Value};

use self::subject::Served;
use super::model::subject::Subject;
use crate::cli::{GlobalArguments, at_least_one, output};

#[derive(Args, Debug)]
pub(crate) struct ServeArguments {
    #[command(flatten)]
    subject: Subject,

    /// What is measured (may be given several times) [default: all]
    #[arg(long, value_enum)]
    case: Vec<Case>,

    /// Questions at once about one video, for the case words
    #[arg(long, value_name = "N", default_value_t = 16, value_parser = at_least_one)]
    at_once: usize,

    /// Tokens of each answer, for the case words
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = at_least_one)]
    tokens: usize,

    /// Clients at once, for the case crowd
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = at_least_one)]
    clients: usize,

    /// Requests of all clients together, for the case crowd; one in twenty breaks off
    #[arg(long, value_name = "N", default_value_t = 10_000, value_parser = at_least_one)]
    requests: usize,

    /// Frames sampled from the demonstration clip
    #[arg(long, value_name = "T", default_value_t = 32, value_parser = at_least_one)]
    frames: usize,

    /// Frames of the live camera, at 2 a second: 7200 are an hour
    #[arg(long, value_name = "N", default_value_t = 7200, value_parser = at_least_one)]
    live_frames: usize,
}

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Case {
    /// What the server adds to a request beside the model's own seconds
    Overhead,
    /// `/health` while a video is encoded
    Health,
    /// How long work goes on after its client has gone
    Gone,
    /// From a question about a stored video to the first word, after a restart
    Restart,
    /// Words a second of several questions at once, against one after the other
    Words,
    /// Clients of which some break off: is anything lost, wrong or leaking?
    Crowd,
    /// A live camera: are frames lost, does memory grow, how soon is a question answered?
    Live,
}

pub(crate) fn run(arguments: &ServeArguments, global: &GlobalArguments) -> anyhow::Result<()> {
    let cases = match arguments.case.is_empty() {
        true => Case::value_variants().to_vec(),
        false => arguments.case.clone(),
    };
    arguments.subject.set_threads()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut served = Served::start(arguments).await?;
        for case in cases {
            let mut record = match case {
                Case::Overhead => one::overhead(&served).await,
                Case::Health => one::health(&served).await,
                Case::Gone => one::gone(&served).await,
                Case::Restart => one::restart(&mut served).await,
                Case::Words => many::words(&served, arguments.at_once, arguments.tokens).await,
                Case::Crowd => many::crowd(&served, arguments.clients, arguments.requests).await,
                Case::Live => live::camera(&served, arguments.live_frames).await,
            }?;
            served.describe(case_name(case), &mut record);
            print(&record, global)?;
        }
        served.stop().await;
        Ok(())
    })
}

fn case_name(case: Case) -> String {
    case.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned())
}

fn print(record: &Map<String, Value>, global: &GlobalArguments) -> anyhow::Result<()> {
    if global.json {
        output::line(Value::from(record.clone()))?;
        return Ok(());
    }
    let text = record.iter().map(|(key, value)| match value {
        Value::Number(number) if number.is_f64() => {
            format!("{key} {:.4}", number.as_f64().unwrap_or(f64::NAN))
        }
        value => format!("{key} {value}"),
    });
    output::line(text.collect::<Vec<_>>().join("  "))?;
    Ok(())
}

/// The value below which so much of all values lies.
fn percentile(values: &mut [f64], share: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    let index = ((values.len() as f64 * share).ceil() as usize).clamp(1, values.len().max(1)) - 1;
    values.get(index).copied().unwrap_or(f64::NAN)
}
