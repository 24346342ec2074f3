use proptest::prelude::*;

use super::*;

fn shape(frames: usize, height: usize, width: usize) -> GridShape {
    GridShape { frames, height, width }
}

/// Maps of up to 360 labels: of few or many codes, of noise or of a picture that moves to the right.
fn any_map() -> impl Strategy<Value = IndexMap> {
    let codes = prop_oneof![Just(1usize), Just(2), Just(3), Just(32), Just(256), Just(257), Just(70_000)];
    (1usize..=8, 1usize..=9, 1usize..=5, codes, any::<bool>()).prop_flat_map(|(t, h, w, codes, moving)| {
        let shape = shape(t, h, w);
        proptest::collection::vec(0..codes as u32, shape.len()).prop_map(move |mut labels| {
            for index in (h * w + 1..labels.len()).filter(|_| moving) {
                labels[index] = labels[index - h * w - 1];
            }
            IndexMap::new(shape, codes, labels).unwrap()
        })
    })
}

fn decode(map: &IndexMap, bytes: &[u8]) -> Result<IndexMap, MapCodingError> {
    IndexMap::decode(map.shape(), map.codes(), bytes)
}

proptest! {
    #[test]
    fn any_map_comes_back(map in any_map()) {
        let bytes = map.encode();
        prop_assert_eq!(decode(&map, &bytes), Ok(map));
    }

    #[test]
    fn cut_or_lengthened_codes_are_refused(map in any_map(), extra in proptest::collection::vec(any::<u8>(), 1..9)) {
        let bytes = map.encode();
        for length in 0..bytes.len() {
            let short = MapCodingError::Short { shape: map.shape(), bytes: length };
            prop_assert_eq!(decode(&map, &bytes[..length]), Err(short));
        }
        let long = MapCodingError::Long { shape: map.shape(), extra: extra.len() };
        prop_assert_eq!(decode(&map, &[bytes, extra].concat()), Err(long));
    }

    #[test]
    fn flipped_bits_are_refused_or_another_map(map in any_map(), place: prop::sample::Index, bit in 0..8) {
        let mut bytes = map.encode();
        let place = place.index(bytes.len());
        bytes[place] ^= 1u8 << bit;
        if let Ok(other) = decode(&map, &bytes) {
            prop_assert_eq!(other.encode(), bytes);
            prop_assert_ne!(other, map);
        }
    }

    #[test]
    fn any_bytes_are_refused_or_the_only_code_of_a_map(
        map in any_map(), bytes in proptest::collection::vec(any::<u8>(), 0..64),
    ) {
        if let Ok(other) = decode(&map, &bytes) {
            prop_assert_eq!(other.encode(), bytes);
        }
    }
}

/// Numbers without a pattern.
fn noise(count: usize, codes: u32) -> Vec<u32> {
    let mut state = 1u64;
    (0..count)
        .map(|_| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            ((state >> 33) % u64::from(codes)) as u32
        })
        .collect()
}

#[test]
fn noise_takes_hardly_more_than_its_entropy() {
    for (codes, width) in [(2, 1), (256, 8), (70_000, 17)] {
        let map = IndexMap::new(shape(8, 32, 32), codes, noise(8192, codes as u32)).unwrap();
        let (bytes, entropy) = (map.encode().len(), 1024 * width);
        assert!((entropy * 9 / 10..entropy * 21 / 20 + 8).contains(&bytes), "{codes} codes: {bytes} bytes");
    }
}

#[test]
fn what_stays_or_moves_costs_little() {
    let picture = noise(27 * 27, 32);
    let still = |index: usize| picture[index % 729];
    let moving = |index: usize| picture[(index % 729 + index / 729) % 729];
    for (name, map) in
        [("still", (0..23_328).map(still).collect::<Vec<_>>()), ("moving", (0..23_328).map(moving).collect())]
    {
        let map = IndexMap::new(shape(32, 27, 27), 32, map).unwrap();
        let bytes = map.encode().len();
        assert!(bytes < 729 * 5 / 8 + if name == "still" { 120 } else { 1200 }, "{name}: {bytes} bytes");
        assert_eq!(decode(&map, &map.encode()), Ok(map));
    }
}

#[test]
fn a_large_map_of_one_code_stays_within_the_limit() {
    let map = IndexMap::new(shape(1, 1000, 2000), 1, vec![0; 2_000_000]).unwrap();
    let bytes = map.encode();
    assert!((2_000_000 / MAX_LABELS_PER_BYTE..1000).contains(&bytes.len()), "{}", bytes.len());
    assert_eq!(decode(&map, &bytes), Ok(map));
}

#[test]
fn claims_are_checked_before_memory_is_taken() {
    let large = shape(1 << 15, 1 << 6, 1 << 5);
    let short = MapCodingError::Short { shape: large, bytes: 100 };
    assert_eq!(IndexMap::decode(large, 2, &[0; 100]), Err(short));
    let code = IndexMap::new(shape(1, 1, 2), 2, vec![0, 1]).unwrap().encode();
    assert_eq!(IndexMap::decode(shape(1, 1, 2), 0, &code), Err(MapCodingError::NoCodes));
    let empty = IndexMap::decode(shape(0, 1, 2), 2, &code);
    assert!(matches!(empty, Err(MapCodingError::Shape(GridError::Empty { .. }))), "{empty:?}");
    assert_eq!(IndexMap::decode(shape(1, 1, 2), 2, &[255; 4]), Err(MapCodingError::Damaged));
    assert!(IndexMap::decode(shape(1, 1, 2), usize::MAX, &code).is_err());
}

/// The bytes themselves are part of the file format: they must never change.
#[test]
fn the_code_of_a_known_map_is_known() {
    let labels = (0..60u32).map(|index| (index % 20 * 7 + index / 40) % 11).collect();
    let map = IndexMap::new(shape(3, 4, 5), 11, labels).unwrap();
    let code: String = map.encode().iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(code, "6e79f5d2666540915b893e4d54025b67996a");
}

#[test]
fn a_map_above_the_limit_is_refused_before_it_is_decoded() {
    let map = IndexMap::new(GridShape { frames: 100, height: 10, width: 10 }, 1, vec![0; 10_000]).unwrap();
    let coded = map.encode();
    let decode = |bound| {
        let limits = Limits::default().with(Limit::Labels, bound);
        IndexMap::decode_within(map.shape(), 1, &coded, &limits)
    };
    assert_eq!(decode(10_000).as_ref(), Ok(&map));
    assert!(matches!(decode(9_999), Err(MapCodingError::Limit(_))));
    // 49 kB can hold this many labels of a static video, 9.5 GB in memory: not even tried.
    let shape = GridShape { frames: 300_000, height: 30, width: 30 };
    assert!(matches!(IndexMap::decode(shape, 32, &vec![0; 49_000]), Err(MapCodingError::Limit(_))));
}
