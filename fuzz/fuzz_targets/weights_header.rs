//! Any bytes are refused, or are tensors whose values can all be read. Each input is read as it is, and behind the length of a
//! header, so that the header itself is reached too.

#![no_main]

use libfuzzer_sys::fuzz_target;
use vqtoken_model::checkpoint::Weights;

fuzz_target!(|bytes: &[u8]| {
    check(bytes.to_vec());
    // The header is what stands before the last bracket; the values are the rest.
    let length = bytes.iter().rposition(|&byte| byte == b'}').map_or(0, |place| place + 1);
    check([&(length as u64).to_le_bytes()[..], bytes].concat());
});

fn check(bytes: Vec<u8>) {
    let Ok(weights) = Weights::from_bytes("weights", bytes) else { return };
    let names: Vec<String> = weights.names().map(str::to_owned).collect();
    for name in names {
        let values = weights.shape(&name).map(|shape| shape.iter().product::<usize>());
        // Element types that are not read, and values that are not finite, are errors.
        if let Ok(Some(read)) = weights.read(&name) {
            assert_eq!(Some(read.len()), values);
        }
    }
}
