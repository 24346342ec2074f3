//! Any answer to any options means one of them, or none; the reading does not change with the blanks around it.

#![no_main]

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use vqtoken_eval::{Parsed, parse_choice};

#[derive(Arbitrary, Debug)]
struct Input {
    answer: String,
    options: Vec<String>,
}

fuzz_target!(|input: Input| {
    let options = &input.options[..input.options.len().min(26)];
    let parsed = parse_choice(&input.answer, options);
    if let Parsed::Option(index) = parsed {
        assert!(index < options.len());
    }
    assert_eq!(parse_choice(&format!(" \n{}\t ", input.answer), options), parsed);
});
