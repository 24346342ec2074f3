//! `vqtoken demo`: the clip that the project renders itself.

use std::path::PathBuf;

use crate::{demo_clip, figures};
use clap::Args;

use super::output;
use crate::cli::GlobalArguments;

#[derive(Args, Debug)]
pub(crate) struct DemoArguments {
    /// The clip to write
    #[arg(short, long, value_name = "OUT.mp4", default_value = "demo.mp4")]
    output: PathBuf,
}

pub(crate) fn run(arguments: &DemoArguments, global: &GlobalArguments) -> anyhow::Result<()> {
    super::check_folder_of(&arguments.output)?;
    demo_clip::write(&arguments.output)?;
    let bytes = std::fs::metadata(&arguments.output)?.len();
    output::line(match global.json {
        true => serde_json::json!({ "output": arguments.output, "bytes": bytes }).to_string(),
        false => format!("{}: {}", arguments.output.display(), figures::bytes(bytes as f64)),
    })?;
    Ok(())
}
