//! The command `vqtoken`.

use std::process::ExitCode;

fn main() -> ExitCode {
    vqtoken_kernels::keep_freed_memory();
    ExitCode::from(vqtoken::command_line(std::env::args_os()))
}
