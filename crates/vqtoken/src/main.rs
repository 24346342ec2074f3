//! The command `vqtoken`.

use std::process::ExitCode;

fn main() -> ExitCode {
    ExitCode::from(vqtoken::command_line(std::env::args_os()))
}
