//! `VQTOKEN_ISA` forces an instruction set. Child processes check it, since an environment variable is process-wide.
#![allow(clippy::unwrap_used)]

use std::process::Command;

use vqtoken_kernels::{ISA_VARIABLE, Isa, IsaError, Kernels};

/// Not a test by itself: prints what the variable selects.
#[test]
fn child() {
    match Kernels::from_env() {
        Ok(kernels) => println!("isa is {}", kernels.isa()),
        Err(error) => println!("error is {error}"),
    }
}

fn ask(value: Option<&str>) -> String {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "child", "--nocapture"]).env_remove(ISA_VARIABLE);
    if let Some(value) = value {
        command.env(ISA_VARIABLE, value);
    }
    String::from_utf8(command.output().unwrap().stdout).unwrap()
}

#[test]
fn the_variable_forces_every_supported_instruction_set() {
    for isa in [Isa::Portable, Isa::Avx2, Isa::Avx512, Isa::Amx] {
        let answer = ask(Some(&isa.to_string()));
        match Kernels::new(isa) {
            Ok(_) => assert!(answer.contains(&format!("isa is {isa}")), "{answer}"),
            Err(error @ IsaError::Missing { .. }) => {
                println!("skipped: this CPU does not support {isa}");
                assert!(answer.contains(&format!("error is {error}")), "{answer}");
            }
            Err(error) => panic!("{error}"),
        }
    }
    assert!(ask(Some("mmx")).contains("'mmx' is unknown"));
    assert!(ask(None).contains(&format!("isa is {}", Kernels::best().isa())));
}
