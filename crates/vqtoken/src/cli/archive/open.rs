//! Opening an archive, and the retriever that its vectors are made with.

use std::path::{Path, PathBuf};

use crate::checkpoint::SiglipCheckpoint;
use crate::{Retriever, TokenRetriever};
use clap::Args;
use vqtoken_archive::{Archive, ArchiveOptions};
use vqtoken_search::Finder;

use crate::cli::{BaseArguments, GlobalArguments, ModelArguments, output, pipeline};

/// With what vectors are made.
#[derive(Args, Clone, Debug)]
pub(crate) struct FinderArguments {
    /// A whole SigLIP checkpoint, such as google/siglip-so400m-patch14-384, that compares texts with frames [default: the part of the model
    /// that compares texts with codes]
    #[arg(long, value_name = "DIR|HUB_ID")]
    pub(crate) retriever: Option<PathBuf>,
}

/// The retriever that was asked for.
pub(crate) fn finder(arguments: &FinderArguments, model: &ModelArguments) -> anyhow::Result<Finder> {
    let spinner = output::spinner("retriever");
    let finder = match (&arguments.retriever, &model.model) {
        (Some(retriever), _) => {
            let checkpoint = SiglipCheckpoint::open_within(retriever, &model.limits())?;
            Finder::Pictures(Box::new(Retriever::from_checkpoint(&checkpoint, model.precision)?))
        }
        (None, Some(directory)) => {
            Finder::Tokens(Box::new(TokenRetriever::load_within(directory, &model.limits())?))
        }
        (None, None) => Finder::Tokens(Box::new(TokenRetriever::embedded()?)),
    };
    spinner.finish_and_clear();
    Ok(finder)
}

/// The first layers of the retriever's tower that are the model's whole tower, so that a frame goes through them once for both.
pub(crate) fn shared_layers(
    arguments: &FinderArguments,
    model: &ModelArguments,
    base: &BaseArguments,
) -> anyhow::Result<Option<usize>> {
    let Some(retriever) = &arguments.retriever else { return Ok(None) };
    let retriever = SiglipCheckpoint::open_within(retriever, &model.limits())?;
    Ok(retriever.layers_shared_with(&pipeline::checkpoint(model, base)?)?)
}

fn options(global: &GlobalArguments) -> ArchiveOptions {
    // An archive keeps what was added; a limit with eviction is for the server's store.
    ArchiveOptions::default().with_most_bytes(u64::MAX >> 1).with_limits(global.limits())
}

/// Opens an archive to change it; it is made if it is not there.
pub(crate) fn to_write(folder: &Path, global: &GlobalArguments) -> anyhow::Result<Archive> {
    let archive = Archive::open(folder, options(global))?;
    for loss in &archive.recovery().lost {
        output::note(format_args!("warning: {loss}"));
    }
    Ok(archive)
}

/// Opens an archive that is there, to change it.
pub(crate) fn existing(folder: &Path, global: &GlobalArguments) -> anyhow::Result<Archive> {
    drop(to_read(folder, global)?);
    to_write(folder, global)
}

/// Opens an archive to read it, also while another process adds to it.
pub(crate) fn to_read(folder: &Path, global: &GlobalArguments) -> anyhow::Result<Archive> {
    Ok(Archive::open_to_read(folder, options(global))?)
}
