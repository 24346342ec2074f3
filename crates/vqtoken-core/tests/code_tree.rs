//! Many codes joined to fewer, without the video.

#![allow(clippy::unwrap_used)]

use vqtoken_core::{
    Budget, CodeTree, Codebook, GridShape, IndexMap, Quality, QuantizerConfig, TokenGrid, VideoTokens,
    Windows, quantize,
};

const DIM: usize = 6;

/// A clip of 6 things that look a little different in every cell.
fn grid() -> TokenGrid {
    let shape = GridShape { frames: 4, height: 6, width: 6 };
    let mut state = 1_u64;
    let mut noise = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f32 / (1 << 24) as f32 - 0.5
    };
    let mut values = Vec::new();
    for cell in 0..shape.len() {
        let thing = (cell / 7) % 6;
        values.extend((0..DIM).map(|channel| if channel == thing { 1.0 } else { 0.0 } + 0.2 * noise()));
    }
    TokenGrid::new(shape, DIM, values).unwrap()
}

fn tokens(codebook: Codebook, index_map: IndexMap) -> VideoTokens {
    VideoTokens {
        timestamps: (0..index_map.shape().frames).map(|frame| frame as f64).collect(),
        budget: Budget::Fixed(codebook.codes()),
        codebook,
        index_map,
        model: "mini".into(),
        source: None,
        windows: None,
        quality: Quality::Exact,
    }
}

fn fine() -> VideoTokens {
    let quantization = quantize(&grid(), &QuantizerConfig::new(Budget::Fixed(48))).unwrap();
    tokens(quantization.codebook, quantization.index_map)
}

/// Tokens with 4 codes of which the second and the fourth hold no cell.
fn with_unused() -> VideoTokens {
    let shape = GridShape { frames: 1, height: 1, width: 3 };
    let codes = vec![1.0, 0.0, 0.5, 0.5, 0.0, 1.0, -1.0, 0.0];
    tokens(Codebook::new(4, 2, codes).unwrap(), IndexMap::new(shape, 4, vec![0, 2, 2]).unwrap())
}

#[test]
fn any_number_of_codes_is_a_quantization_of_the_same_grid() {
    let fine = fine();
    let tree = CodeTree::new(&fine);
    assert_eq!(tree.leaves(), 48);
    assert_eq!(tree.at(48).unwrap(), (fine.codebook.clone(), fine.index_map.clone()));
    for codes in 1..48 {
        let (codebook, index_map) = tree.at(codes).unwrap();
        assert_eq!((codebook.codes(), index_map.codes()), (codes, codes));
        assert_eq!(index_map.shape(), fine.index_map.shape());
        let labels = tree.labels(codes);
        for (&label, &leaf) in index_map.labels().iter().zip(fine.index_map.labels()) {
            assert_eq!(label, labels[leaf as usize]);
        }
        // Numbered as they appear, as the fine codes are, and every one is somewhere.
        let mut next = 0;
        for &label in index_map.labels() {
            assert!(label <= next);
            next = next.max(label + 1);
        }
        assert_eq!(next as usize, codes);
    }
    assert_eq!(tree.at(0).unwrap(), tree.at(1).unwrap());
    assert_eq!(tree.at(1000).unwrap(), tree.at(48).unwrap());
}

#[test]
fn a_code_is_the_mean_of_its_tokens() {
    let fine = fine();
    let (codebook, index_map) = CodeTree::new(&fine).at(6).unwrap();
    for code in 0..6 {
        let mut sum = [0.0_f64; DIM];
        let mut cells = 0.0;
        let labels = index_map.labels().iter().zip(fine.index_map.labels());
        for (_, &leaf) in labels.filter(|(label, _)| **label as usize == code) {
            let values = fine.codebook.code(leaf as usize);
            sum.iter_mut().zip(values).for_each(|(sum, &value)| *sum += f64::from(value));
            cells += 1.0;
        }
        for (&value, sum) in codebook.code(code).iter().zip(sum) {
            assert!((f64::from(value) - sum / cells).abs() < 1e-6);
        }
    }
    // The six things of the clip are what six codes are.
    assert!((0..144).all(|cell| {
        let same = (0..144).filter(|&other| (other / 7) % 6 == (cell / 7) % 6);
        same.into_iter().all(|other| index_map.labels()[other] == index_map.labels()[cell])
    }));
}

#[test]
fn the_curve_never_rises_and_is_what_the_quantizer_says() {
    let quantization = quantize(&grid(), &QuantizerConfig::new(Budget::Fixed(48))).unwrap();
    let stats = quantization.stats.clone();
    let tree = CodeTree::new(&tokens(quantization.codebook, quantization.index_map));
    let curve = tree.curve();
    assert_eq!(curve.iter().map(|point| point.codes).collect::<Vec<_>>(), (1..=48).collect::<Vec<_>>());
    assert!(curve.windows(2).all(|pair| pair[1].distortion <= pair[0].distortion));
    assert!(curve.windows(2).all(|pair| pair[1].inertia <= pair[0].inertia));
    // Codes are stored as f32.
    assert!((curve[47].distortion - stats.distortion).abs() < 1e-4, "{curve:?}");
    assert!((curve[47].inertia - stats.inertia).abs() < 1e-4);
    assert!((curve[0].inertia - stats.variance).abs() < 1e-4);
    let merges = tree.merges();
    assert_eq!(merges.len(), 47);
    for merge in &merges {
        assert!(merge.into < merge.from);
        let point = curve[merge.codes - 1];
        assert_eq!((merge.distortion, merge.inertia), (point.distortion, point.inertia));
    }
    assert_eq!((merges[0].codes, merges[46].codes), (47, 1));
}

#[test]
fn the_merges_alone_give_the_labels_of_any_number_of_codes() {
    let tree = CodeTree::new(&fine());
    let mut leaders: Vec<usize> = (0..48).collect();
    for merge in tree.merges() {
        leaders.iter_mut().filter(|leader| **leader == merge.from).for_each(|leader| *leader = merge.into);
        let mut firsts: Vec<usize> = leaders.clone();
        firsts.sort_unstable();
        firsts.dedup();
        let label = |leader| firsts.binary_search(leader).unwrap() as u32;
        assert_eq!(leaders.iter().map(label).collect::<Vec<_>>(), tree.labels(merge.codes));
    }
}

#[test]
fn the_elbow_is_at_the_things_of_the_clip() {
    let tree = CodeTree::new(&fine());
    assert_eq!(tree.elbow(1, 48), 6);
    assert_eq!(tree.elbow(4, 24), 6);
    assert_eq!((tree.elbow(7, 7), tree.elbow(0, 0), tree.elbow(60, 90), tree.elbow(9, 3)), (7, 1, 48, 3));
}

#[test]
fn the_same_tokens_give_the_same_tree_on_any_number_of_threads() {
    let expected = CodeTree::new(&fine());
    for threads in [1, 3] {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let tree = pool.install(|| CodeTree::new(&fine()));
        assert_eq!(tree.merges(), expected.merges());
        assert_eq!(tree.at(7).unwrap(), expected.at(7).unwrap());
    }
}

#[test]
fn codes_of_no_cell_join_first_and_at_no_cost() {
    let tokens = with_unused();
    let tree = CodeTree::new(&tokens);
    let curve = tree.curve();
    assert_eq!(curve[3].distortion, curve[1].distortion);
    assert!(curve[0].distortion > curve[1].distortion);
    for codes in 1..=4 {
        let (codebook, index_map) = tree.at(codes).unwrap();
        assert_eq!((codebook.codes(), index_map.codes()), (codes, codes));
        assert!(codebook.data().iter().all(|value| value.is_finite()));
    }
    let (codebook, index_map) = tree.at(4).unwrap();
    assert_eq!((codebook, index_map), (tokens.codebook, tokens.index_map));
    let (codebook, index_map) = tree.at(2).unwrap();
    assert_eq!((codebook.data(), index_map.labels()), (&[1.0, 0.0, 0.0, 1.0][..], &[0, 1, 1][..]));
}

#[test]
fn one_code_is_a_tree_without_merges() {
    let shape = GridShape { frames: 1, height: 1, width: 2 };
    let one =
        tokens(Codebook::new(1, 2, vec![0.6, 0.8]).unwrap(), IndexMap::new(shape, 1, vec![0, 0]).unwrap());
    let tree = CodeTree::new(&one);
    assert!(tree.merges().is_empty());
    assert_eq!((tree.curve().len(), tree.elbow(1, 9)), (1, 1));
    assert_eq!(tree.tokens_at(1).unwrap(), one);
}

#[test]
fn tokens_of_fewer_codes_are_a_file_like_any_other() {
    let fine = fine();
    let tree = CodeTree::new(&fine);
    let joined = tree.tokens_at(12).unwrap();
    assert_eq!((joined.budget, joined.windows), (Budget::Fixed(12), None));
    assert_eq!(VideoTokens::from_bytes(&joined.to_bytes().unwrap()).unwrap(), joined);
    assert_eq!(tree.tokens_at(48).unwrap(), fine);
    let windows = Windows { seconds: 2.0, total: None };
    let windowed = VideoTokens { budget: Budget::Fixed(24), windows: Some(windows), ..fine };
    let joined = CodeTree::new(&windowed).tokens_at(12).unwrap();
    assert_eq!(joined.budget, Budget::Fixed(24));
    assert_eq!(joined.windows, Some(Windows { seconds: 2.0, total: Some(Budget::Fixed(12)) }));
}

#[test]
fn parts_that_do_not_belong_together_are_an_error() {
    let fine = fine();
    let codebook = Codebook::new(2, DIM, vec![0.5; 2 * DIM]).unwrap();
    let error = CodeTree::new(&VideoTokens { codebook, ..fine }).at(2).unwrap_err().to_string();
    assert!(error.contains("take codebook and index map from one quantization"), "{error}");
}
