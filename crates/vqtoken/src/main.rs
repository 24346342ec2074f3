//! The command `vqtoken`.

mod cli;

use std::process::ExitCode;

use clap::Parser;

use cli::{Command, Options};

fn main() -> ExitCode {
    let options = Options::parse();
    match run(&options) {
        Ok(()) => ExitCode::SUCCESS,
        // Whoever reads our output has read enough; that is no failure.
        Err(error) if cli::output::is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            let usage = error.downcast_ref::<cli::UsageError>().is_some();
            cli::output::report(&error, options.global.json);
            ExitCode::from(if usage { 2 } else { 1 })
        }
    }
}

fn run(options: &Options) -> anyhow::Result<()> {
    match &options.command {
        Command::Ask(arguments) => cli::ask::run(arguments, &options.global),
        Command::Serve(arguments) => cli::serve::run(arguments, &options.global),
        Command::Watch(arguments) => cli::watch::run(arguments, &options.global),
        Command::Encode(arguments) => cli::encode::run(arguments, &options.global),
        Command::Show(arguments) => cli::show::run(arguments, &options.global),
        Command::Inspect(arguments) => cli::inspect::run(arguments, &options.global),
        Command::Demo(arguments) => cli::demo::run(arguments, &options.global),
        Command::Train(arguments) => cli::train::run_command(arguments, &options.global),
        Command::Data(arguments) => cli::data::run(arguments, &options.global),
        Command::Eval(arguments) => cli::eval::run(arguments, &options.global),
        Command::Bench(arguments) => cli::bench::run(arguments, &options.global),
    }
}
