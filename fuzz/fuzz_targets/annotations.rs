//! Any file is read as some benchmark's questions, or refused in one line. The first byte says which benchmark and which format.

#![no_main]

use std::cell::OnceCell;
use std::fs;

use libfuzzer_sys::fuzz_target;
use tempfile::TempDir;
use vqtoken_eval::{Annotations, Task};
use vqtoken_files::{Limit, Limits};

const EXTENSIONS: [&str; 4] = ["csv", "json", "jsonl", "parquet"];

thread_local! {
    static FOLDER: OnceCell<TempDir> = const { OnceCell::new() };
}

// The parquet library panics on some damage, which the reader catches; the fuzzer would stop at it.
fuzz_target!(init: std::panic::set_hook(Box::new(|_| ())), |input: &[u8]| {
    let Some((&kind, bytes)) = input.split_first() else { return };
    let task = Task::ALL[usize::from(kind / 4) % Task::ALL.len()];
    let extension = EXTENSIONS[usize::from(kind % 4)];
    FOLDER.with(|folder| {
        let folder = folder.get_or_init(|| tempfile::tempdir().expect("there is a folder for temporary files"));
        let path = folder.path().join("questions").with_extension(extension);
        fs::write(&path, bytes).expect("a small file can be written");
        let limits = Limits::default().with(Limit::Bytes, 1 << 26);
        match Annotations::one(path).with_limits(limits).read(task) {
            Ok(questions) => assert!(!questions.items.is_empty()),
            Err(error) => assert!(!error.to_string().contains(char::is_control), "{error:?}"),
        }
    });
});
