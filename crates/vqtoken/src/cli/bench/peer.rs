//! The command that measures other people's programs on the same case: a figure means something beside another one of the same
//! machine.

use crate::Precision;
use serde_json::{Map, Value, json};
use vqtoken_kernels::Kernels;

use crate::cli::output;

/// The command for a case, given the options of `benchmarks/peer.py`.
pub(super) fn command(options: &str, threads: usize) -> String {
    format!("python benchmarks/peer.py {options} --threads {threads}")
}

/// The precision to compare one with: bf16 is what peers are fastest in where the CPU multiplies it, and slowest elsewhere.
pub(super) fn precision(of: Precision) -> &'static str {
    match of {
        Precision::F32 => "f32",
        _ if Kernels::global().multiplies_bf16() => "bf16",
        _ => "f32",
    }
}

/// Adds the command to a record.
pub(super) fn insert(command: Option<&str>, record: &mut Map<String, Value>) {
    if let Some(command) = command {
        record.insert("peer".to_owned(), json!(command));
    }
}

/// Prints the command below a figure.
pub(super) fn print(command: Option<&str>) -> anyhow::Result<()> {
    match command {
        Some(command) => Ok(output::line(format_args!("  beside it: {command}"))?),
        None => Ok(()),
    }
}
