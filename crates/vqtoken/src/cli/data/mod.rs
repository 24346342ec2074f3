//! `vqtoken data`: data sets that the project makes itself.

mod shapes;

use clap::{Args, Subcommand};

use crate::cli::GlobalArguments;

#[derive(Args, Debug)]
pub(crate) struct DataArguments {
    #[command(subcommand)]
    set: DataSet,
}

#[derive(Debug, Subcommand)]
enum DataSet {
    /// Moving shapes with questions of NExT-QA's kinds: videos, CSV, LLaVA-style JSON, captions, exact truth
    Shapes(shapes::ShapesArguments),
}

pub(crate) fn run(arguments: &DataArguments, global: &GlobalArguments) -> anyhow::Result<()> {
    match &arguments.set {
        DataSet::Shapes(arguments) => shapes::run(arguments, global),
    }
}
