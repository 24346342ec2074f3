//! Any text is refused in one line, or is a configuration that can be written and read again.

#![no_main]

use libfuzzer_sys::fuzz_target;
use vqtoken_model::config::OneVisionConfig;

fuzz_target!(|text: &str| match OneVisionConfig::parse("config.json", text) {
    Ok(config) => {
        let again = OneVisionConfig::parse("config.json", &config.to_json()).expect("what was written can be read");
        assert_eq!(again.trained_input(), config.trained_input());
        assert_eq!(again.text.vocabulary, config.text.vocabulary);
    }
    Err(error) => assert!(!error.to_string().is_empty()),
});
