//! Any bytes are refused, or are the one code of an index map; any index map is coded so that it comes back.

#![no_main]

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use vqtoken_core::{GridShape, IndexMap};
use vqtoken_files::{Limit, Limits};

#[derive(Arbitrary, Debug)]
struct Input<'a> {
    frames: u16,
    height: u8,
    width: u8,
    codes: u32,
    bytes: &'a [u8],
}

fuzz_target!(|input: Input| {
    let Input { frames, height, width, codes, bytes } = input;
    let shape = GridShape { frames: frames.into(), height: height.into(), width: width.into() };
    // Decoding takes as long as the limit on labels allows, a microsecond each at most.
    let limits = Limits::default().with(Limit::Labels, 1 << 20);
    if let Ok(map) = IndexMap::decode_within(shape, codes as usize, bytes, &limits) {
        assert_eq!(map.encode(), bytes);
    }
    let cells = shape.height * shape.width;
    let frames = (bytes.len() / cells.max(1)).min(shape.frames);
    let shape = GridShape { frames, ..shape };
    let wide = |(index, &byte): (usize, &u8)| (u32::from(byte) * (1 + index as u32 % 3)) % codes.max(1);
    let labels = bytes.iter().take(shape.len()).enumerate().map(wide).collect();
    if let Ok(map) = IndexMap::new(shape, codes as usize, labels) {
        let mut coded = map.encode();
        assert_eq!(IndexMap::decode(shape, codes as usize, &coded).as_ref(), Ok(&map));
        coded.push(0);
        assert!(IndexMap::decode(shape, codes as usize, &coded).is_err());
        coded.truncate(coded.len() - 2);
        assert!(IndexMap::decode(shape, codes as usize, &coded).is_err());
    }
});
