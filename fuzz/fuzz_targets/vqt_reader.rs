//! Any bytes are refused, or are video tokens that can be stored and read again. Each input is read as it is, and with its
//! checksum put right, so that the parts behind that check are reached too.

#![no_main]

use libfuzzer_sys::fuzz_target;
use vqtoken_core::VideoTokens;
use vqtoken_files::{Limit, Limits};

fuzz_target!(|bytes: &[u8]| {
    check(bytes);
    if let Some(bytes) = with_checksum(bytes) {
        check(&bytes);
    }
});

fn check(bytes: &[u8]) {
    // A fuzzer learns more from many small maps than from one that takes a second.
    let limits = Limits::default().with(Limit::Labels, 1 << 20);
    match VideoTokens::from_bytes_within(bytes, &limits) {
        Ok(tokens) => {
            let stored = tokens.to_bytes().expect("what was read can be stored");
            let again = VideoTokens::from_bytes(&stored).expect("what was stored can be read");
            assert_eq!(again, tokens);
            assert_eq!(again.to_bytes().as_ref(), Ok(&stored));
        }
        Err(error) => assert!(!error.to_string().contains(char::is_control), "{error:?}"),
    }
}

/// The same file with the checksum that the reader expects, if it has a place for one.
fn with_checksum(bytes: &[u8]) -> Option<Vec<u8>> {
    let key = b"\"checksum\":\"";
    let place = bytes.windows(key.len()).position(|window| window == key)? + key.len();
    let mut bytes = bytes.to_vec();
    bytes.get_mut(place..place + 8)?.fill(b'0');
    let checksum = format!("{:08x}", crc32fast::hash(&bytes));
    bytes[place..place + 8].copy_from_slice(checksum.as_bytes());
    Some(bytes)
}
