//! `vqtoken archive`: many videos as tokens, found by words, by a video, by place and moment.

mod add;
mod append;
mod duplicates;
mod list;
mod open;
mod search;
mod upkeep;

use clap::{Args, Subcommand};

use super::GlobalArguments;
pub(crate) use search::{FolderSearchArguments, run_on_folder};

#[derive(Args, Debug)]
pub(crate) struct ArchiveArguments {
    #[command(subcommand)]
    command: ArchiveCommand,
}

#[derive(Debug, Subcommand)]
enum ArchiveCommand {
    /// Add videos, folders of videos and .vqt files; what is there already is skipped
    Add(add::AddArguments),
    /// Add the .vqt files of a stream from standard input, one after the other
    Append(append::AppendArguments),
    /// Find videos by words, by a video or by a picture, and say when and where in the picture
    Search(search::SearchArguments),
    /// Find videos that show the same: cut, shifted, re-encoded, cropped, mirrored, faster, or one inside another
    Duplicates(duplicates::DuplicatesArguments),
    /// List the videos
    List(list::ListArguments),
    /// Remove videos
    Remove(upkeep::RemoveArguments),
    /// Read everything and compare it with its checksums
    Verify(upkeep::FolderArgument),
    /// Write the vectors anew without those of removed videos
    Compact(upkeep::FolderArgument),
    /// Write the moments and their vectors to a Parquet file
    Export(upkeep::ExportArguments),
}

pub(crate) fn run(arguments: &ArchiveArguments, global: &GlobalArguments) -> anyhow::Result<()> {
    match &arguments.command {
        ArchiveCommand::Add(arguments) => add::run(arguments, global),
        ArchiveCommand::Append(arguments) => append::run(arguments, global),
        ArchiveCommand::Search(arguments) => search::run(arguments, global),
        ArchiveCommand::Duplicates(arguments) => duplicates::run(arguments, global),
        ArchiveCommand::List(arguments) => list::run(arguments, global),
        ArchiveCommand::Remove(arguments) => upkeep::remove(arguments, global),
        ArchiveCommand::Verify(arguments) => upkeep::verify(arguments, global),
        ArchiveCommand::Compact(arguments) => upkeep::compact(arguments, global),
        ArchiveCommand::Export(arguments) => upkeep::export(arguments, global),
    }
}
