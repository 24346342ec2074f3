//! Files of tokens: `tokens`, f32 `[N, D]`, in safetensors. Only their header is held, and as many tokens as are asked for.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::ops::Range;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use safetensors::Dtype;
use safetensors::tensor::Metadata;
use vqtoken_files::quoted;

/// The largest header that the format allows.
const MOST_HEADER: u64 = 100_000_000;

/// An open file of tokens.
#[derive(Debug)]
pub(crate) struct TokenFile {
    path: PathBuf,
    file: File,
    /// Where the first token begins.
    start: u64,
    count: usize,
    dim: usize,
}

impl TokenFile {
    /// Reads the header and holds it against the size of the file.
    pub(crate) fn open(path: &Path) -> anyhow::Result<Self> {
        let name = quoted(&path);
        let mut file = File::open(path).map_err(|error| {
            anyhow::anyhow!("{name} cannot be opened: {error}: name a safetensors file of tokens")
        })?;
        let not_safetensors = || {
            format!(
                "{name} is no safetensors file: write `tokens` into one, as safetensors.numpy.save_file does"
            )
        };
        let size = file.metadata()?.len();
        let mut length = [0; 8];
        file.read_exact(&mut length).with_context(not_safetensors)?;
        let header = u64::from_le_bytes(length);
        if header > MOST_HEADER.min(size.saturating_sub(8)) {
            bail!(not_safetensors());
        }
        let mut bytes = Vec::new();
        file.by_ref().take(header).read_to_end(&mut bytes).with_context(not_safetensors)?;
        // Shapes and places are held against each other by the reader of the header, so no product below overflows.
        let metadata: Metadata = serde_json::from_slice(&bytes).with_context(not_safetensors)?;
        let Some(info) = metadata.info("tokens") else {
            bail!("{name} holds no tensor named `tokens`: write them under that name");
        };
        let (Dtype::F32, &[count, dim]) = (info.dtype, info.shape.as_slice()) else {
            bail!(
                "`tokens` in {name} are {:?} {:?}: write them as F32 [N, D], one row a token",
                info.dtype,
                info.shape
            );
        };
        if count == 0 || dim == 0 {
            bail!(
                "`tokens` in {name} are [{count}, {dim}], which is nothing: give at least one token of one channel"
            );
        }
        let start = 8 + header;
        let (begin, end) = info.data_offsets;
        if size - start < end as u64 {
            bail!("{name} is cut short: copy or write it again");
        }
        let start = start + begin as u64;
        Ok(Self { path: path.to_owned(), file, start, count, dim })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// N.
    pub(crate) fn count(&self) -> usize {
        self.count
    }

    /// D.
    pub(crate) fn dim(&self) -> usize {
        self.dim
    }

    /// Some of the tokens, `[_, D]`.
    pub(crate) fn rows(&self, rows: Range<usize>) -> anyhow::Result<Vec<f32>> {
        let mut bytes = vec![0; rows.len() * self.dim * 4];
        let mut file = &self.file;
        file.seek(SeekFrom::Start(self.start + (rows.start * self.dim * 4) as u64))
            .and_then(|_| file.read_exact(&mut bytes))
            .map_err(|error| anyhow::anyhow!("{} cannot be read: {error}", quoted(&self.path)))?;
        Ok(bytes.as_chunks().0.iter().map(|&value| f32::from_le_bytes(value)).collect())
    }
}
