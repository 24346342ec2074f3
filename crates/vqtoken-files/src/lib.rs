//! Files that are written whole or not at all, names that are safe to print, and sizes that are bounded before they are believed.
//!
//! ```
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let folder = tempfile::tempdir()?;
//! # let path = folder.path().join("report.txt");
//! use std::io::Write;
//!
//! vqtoken_files::write(&path, b"all at once")?;
//!
//! let mut file = vqtoken_files::NewFile::create(&path)?;
//! writeln!(file, "piece by piece")?;
//! file.finish()?; // until here, the old text is in the file
//! # assert_eq!(std::fs::read_to_string(&path)?, "piece by piece\n");
//! # Ok(())
//! # }
//! ```

mod disk;
mod error;
mod file;
mod folder;
mod limits;
mod text;

pub use error::WriteError;
pub use file::{NewFile, write, write_with};
pub use folder::{create_folder, remove_leftovers, write_folder};
pub use limits::{Limit, LimitError, Limits};
pub use text::{Quoted, quoted, visible};
