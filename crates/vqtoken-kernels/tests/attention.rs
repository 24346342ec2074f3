//! Attention against loops in f64, and its gradients against central differences.
#![allow(clippy::unwrap_used)]

mod common;

use common::{
    Unaligned, all_kernels, assert_close, bits, numeric_gradient, same_on_any_threads, to_f64, values,
};
use vqtoken_kernels::{
    AttentionForward, AttentionGradients, AttentionShape, Causality, Kernels, Layout, StepShape, TextCache,
};

fn shape(sizes: [usize; 6], layout: Layout, causality: Causality) -> AttentionShape {
    let [batch, heads, kv_heads, queries, keys, head_dim] = sizes;
    let scale = 1.0 / (head_dim as f32).sqrt();
    AttentionShape { batch, heads, kv_heads, queries, keys, head_dim, layout, causality, scale }
}

/// The offset of feature `d` of a token's head.
fn offset(s: &AttentionShape, b: usize, t: usize, h: usize, d: usize, heads: usize, tokens: usize) -> usize {
    match s.layout {
        Layout::TokensFirst => ((b * tokens + t) * heads + h) * s.head_dim + d,
        Layout::HeadsFirst => ((b * heads + h) * tokens + t) * s.head_dim + d,
    }
}

fn reference(s: &AttentionShape, q: &[f64], k: &[f64], v: &[f64]) -> Vec<f64> {
    let mut out = vec![0.0; q.len()];
    for b in 0..s.batch {
        for h in 0..s.heads {
            let g = h / (s.heads / s.kv_heads);
            for i in 0..s.queries {
                let visible = match s.causality {
                    Causality::Bidirectional => s.keys,
                    Causality::Causal => s.keys - s.queries + i + 1,
                };
                let at = |d| offset(s, b, i, h, d, s.heads, s.queries);
                let key = |j, d| offset(s, b, j, g, d, s.kv_heads, s.keys);
                let scores: Vec<f64> = (0..visible)
                    .map(|j| {
                        (0..s.head_dim).map(|d| q[at(d)] * k[key(j, d)]).sum::<f64>() * f64::from(s.scale)
                    })
                    .collect();
                let largest = scores.iter().copied().fold(f64::MIN, f64::max);
                let weights: Vec<f64> = scores.iter().map(|x| (x - largest).exp()).collect();
                let total: f64 = weights.iter().sum();
                for d in 0..s.head_dim {
                    out[at(d)] = (0..visible).map(|j| weights[j] * v[key(j, d)]).sum::<f64>() / total;
                }
            }
        }
    }
    out
}

fn inputs(s: &AttentionShape, size: f32) -> [Vec<f32>; 3] {
    let scaled = |seed, count| values(seed, count).iter().map(|x| x * size).collect();
    [scaled(1, s.query_len()), scaled(2, s.key_len()), values(3, s.key_len())]
}

fn forward(
    kernels: Kernels,
    s: &AttentionShape,
    [q, k, v]: &[Vec<f32>; 3],
    save: bool,
) -> (Vec<f32>, Vec<f32>) {
    let [q, k, v] = [Unaligned::new(q, 1), Unaligned::new(k, 3), Unaligned::new(v, 5)];
    let mut out = Unaligned::poisoned(s.query_len(), 7);
    let mut log_sums = vec![f32::NAN; s.log_sums_len()];
    kernels
        .attention(s, (q.get(), k.get(), v.get()), out.get_mut(), save.then_some(&mut log_sums[..]))
        .unwrap();
    out.assert_untouched();
    (out.get().to_vec(), log_sums)
}

#[test]
fn forward_against_f64() {
    let cases = [
        ([1, 1, 1, 1, 1, 1], Causality::Bidirectional),
        ([2, 3, 3, 5, 7, 11], Causality::Bidirectional),
        ([1, 2, 1, 33, 50, 8], Causality::Bidirectional),
        ([1, 14, 2, 1, 83, 64], Causality::Causal),
        ([1, 2, 2, 1, 9, 7], Causality::Bidirectional),
        ([2, 4, 2, 20, 20, 24], Causality::Causal),
        ([1, 2, 1, 37, 300, 20], Causality::Causal),
        ([1, 1, 1, 40, 331, 72], Causality::Bidirectional),
        ([1, 1, 1, 310, 310, 5], Causality::Causal),
    ];
    for kernels in all_kernels() {
        for (sizes, causality) in cases {
            for layout in [Layout::TokensFirst, Layout::HeadsFirst] {
                let s = shape(sizes, layout, causality);
                for size in [1.0, 8.0] {
                    let input = inputs(&s, size);
                    let exact = reference(&s, &to_f64(&input[0]), &to_f64(&input[1]), &to_f64(&input[2]));
                    for save in [false, true] {
                        let (out, log_sums) = forward(kernels, &s, &input, save);
                        assert_close(&format!("{kernels:?} {s:?} {save}"), &out, &exact, 2e-5);
                        assert!(!save || log_sums.iter().all(|x| x.is_finite()));
                    }
                }
            }
        }
    }
}

#[test]
fn gradients_against_central_differences() {
    let cases = [
        ([1, 1, 1, 3, 4, 3], Causality::Bidirectional),
        ([2, 4, 2, 7, 7, 6], Causality::Causal),
        ([1, 2, 1, 5, 21, 4], Causality::Causal),
        ([1, 2, 2, 19, 10, 5], Causality::Bidirectional),
    ];
    for kernels in all_kernels() {
        for (sizes, causality) in cases {
            for layout in [Layout::TokensFirst, Layout::HeadsFirst] {
                let s = shape(sizes, layout, causality);
                let input = inputs(&s, 2.0);
                let dout = values(9, s.query_len());
                let (dq, dk, dv) = backward(kernels, &s, &input, &dout);
                let [q, k, v] = [to_f64(&input[0]), to_f64(&input[1]), to_f64(&input[2])];
                let loss = |out: Vec<f64>| out.iter().zip(&dout).map(|(a, b)| a * f64::from(*b)).sum::<f64>();
                let name = format!("{kernels:?} {s:?}");
                assert_close(&name, &dq, &numeric_gradient(&q, |q| loss(reference(&s, q, &k, &v))), 3e-6);
                assert_close(&name, &dk, &numeric_gradient(&k, |k| loss(reference(&s, &q, k, &v))), 3e-6);
                assert_close(&name, &dv, &numeric_gradient(&v, |v| loss(reference(&s, &q, &k, v))), 3e-6);
            }
        }
    }
}

fn backward(
    kernels: Kernels,
    s: &AttentionShape,
    input: &[Vec<f32>; 3],
    dout: &[f32],
) -> (Vec<f32>, Vec<f32>, Vec<f32>) {
    let (out, log_sums) = forward(kernels, s, input, true);
    let [q, k, v] = input;
    let saved = AttentionForward { q, k, v, out: &out, log_sums: &log_sums };
    let [mut dq, mut dk, mut dv] = [q.len(), k.len(), v.len()].map(|count| Unaligned::poisoned(count, 3));
    let gradients = AttentionGradients { dq: dq.get_mut(), dk: dk.get_mut(), dv: dv.get_mut() };
    let dout = Unaligned::new(dout, 1);
    kernels.attention_backward(s, saved, dout.get(), gradients).unwrap();
    [&dq, &dk, &dv].iter().for_each(|x| x.assert_untouched());
    (dq.get().to_vec(), dk.get().to_vec(), dv.get().to_vec())
}

#[test]
fn gradients_over_many_blocks_match_the_directional_derivative() {
    let s = shape([1, 2, 1, 330, 330, 9], Layout::TokensFirst, Causality::Causal);
    let input = inputs(&s, 2.0);
    let dout = values(9, s.query_len());
    // The directional derivative along one random direction of all inputs.
    let step: Vec<Vec<f64>> = (0..3).map(|i| to_f64(&values(20 + i, input[i as usize].len()))).collect();
    let moved = |t: f64| {
        let at = |i: usize| -> Vec<f64> {
            input[i].iter().zip(&step[i]).map(|(x, step)| f64::from(*x) + t * step).collect()
        };
        let out = reference(&s, &at(0), &at(1), &at(2));
        out.iter().zip(&dout).map(|(a, b)| a * f64::from(*b)).sum::<f64>()
    };
    let exact = (moved(1e-5) - moved(-1e-5)) / 2e-5;
    for kernels in all_kernels() {
        let (dq, dk, dv) = backward(kernels, &s, &input, &dout);
        let slope: f64 = [dq, dk, dv]
            .iter()
            .zip(&step)
            .map(|(gradient, step)| gradient.iter().zip(step).map(|(a, b)| f64::from(*a) * b).sum::<f64>())
            .sum();
        assert!((slope - exact).abs() < 1e-4 * exact.abs().max(1.0), "{kernels:?}: {slope} expected {exact}");
    }
}

#[test]
fn the_same_bits_on_any_threads() {
    for kernels in all_kernels() {
        let s = shape([2, 4, 2, 70, 170, 12], Layout::TokensFirst, Causality::Causal);
        let (input, dout) = (inputs(&s, 1.0), values(9, s.query_len()));
        same_on_any_threads("attention", || forward(kernels, &s, &input, true).0);
        same_on_any_threads("gradients of attention", || {
            let (dq, dk, dv) = backward(kernels, &s, &input, &dout);
            [dq, dk, dv].concat()
        });
        let s = shape([1, 4, 2, 1, 170, 12], Layout::TokensFirst, Causality::Bidirectional);
        let input = inputs(&s, 1.0);
        same_on_any_threads("decoding", || forward(kernels, &s, &input, false).0);
    }
}

#[test]
fn masked_keys_have_no_effect_and_nan_stays_in_its_head() {
    for kernels in all_kernels() {
        let s = shape([1, 2, 2, 20, 20, 6], Layout::HeadsFirst, Causality::Causal);
        let clean = inputs(&s, 1.0);
        let mut poisoned = clean.clone();
        // The last key of head 0, which only its last query attends to.
        poisoned[1][19 * 6] = f32::NAN;
        let ((a, _), (b, _)) = (forward(kernels, &s, &clean, true), forward(kernels, &s, &poisoned, true));
        assert_eq!(a[..19 * 6], b[..19 * 6]);
        assert!(b[19 * 6..20 * 6].iter().all(|x| x.is_nan()));
        assert_eq!(a[20 * 6..], b[20 * 6..]);
        // A score of minus infinity has no weight, even if it comes first.
        let s = shape([1, 1, 1, 2, 3, 1], Layout::HeadsFirst, Causality::Bidirectional);
        let input = [vec![1.0, 1.0], vec![f32::NEG_INFINITY, 0.0, 0.0], vec![5.0, 1.0, 3.0]];
        assert_eq!(forward(kernels, &s, &input, false).0, [2.0, 2.0]);
        let s = shape([1, 1, 1, 1, 3, 1], Layout::HeadsFirst, Causality::Bidirectional);
        let input = [vec![1.0], vec![f32::NEG_INFINITY, 0.0, 0.0], vec![5.0, 1.0, 3.0]];
        assert_eq!(forward(kernels, &s, &input, false).0, [2.0]);
    }
}

#[test]
fn wrong_shapes_are_errors() {
    let kernels = Kernels::best();
    let s = shape([1, 2, 1, 2, 2, 2], Layout::HeadsFirst, Causality::Bidirectional);
    let (q, k) = ([0.0; 8], [0.0; 4]);
    assert!(kernels.attention(&s, (&q, &k, &k), &mut [0.0; 8], None).is_ok());
    assert!(kernels.attention(&s, (&k, &k, &k), &mut [0.0; 8], None).is_err());
    assert!(kernels.attention(&s, (&q, &q, &k), &mut [0.0; 8], None).is_err());
    assert!(kernels.attention(&s, (&q, &k, &k), &mut [0.0; 4], None).is_err());
    assert!(kernels.attention(&s, (&q, &k, &k), &mut [0.0; 8], Some(&mut [0.0; 3])).is_err());
    let uneven = AttentionShape { heads: 3, kv_heads: 2, ..s };
    assert!(kernels.attention(&uneven, (&q, &k, &k), &mut [0.0; 8], None).is_err());
    let more_queries = AttentionShape { queries: 4, ..s };
    assert!(kernels.attention(&more_queries, (&[0.0; 16], &k, &k), &mut [0.0; 16], None).is_ok());
    let causal = AttentionShape { causality: Causality::Causal, ..more_queries };
    assert!(kernels.attention(&causal, (&[0.0; 16], &k, &k), &mut [0.0; 16], None).is_err());
}

#[test]
fn a_step_of_several_texts_has_the_bits_of_each_text_alone() {
    let (heads, kv_heads, head_dim) = (6, 2, 40);
    for kernels in all_kernels() {
        let texts: Vec<_> = [1, 7, 70]
            .map(|keys| {
                shape([1, heads, kv_heads, 1, keys, head_dim], Layout::TokensFirst, Causality::Causal)
            })
            .into_iter()
            .enumerate()
            .map(|(text, shape)| {
                let seed = 10 * text as u64;
                let (q, k) = (values(seed, shape.query_len()), values(seed + 1, shape.key_len()));
                let v = values(seed + 2, shape.key_len());
                let mut alone = vec![f32::NAN; q.len()];
                kernels.attention(&shape, (&q, &k, &v), &mut alone, None).unwrap();
                (q, k, v, alone)
            })
            .collect();
        let q: Vec<f32> = texts.iter().flat_map(|(q, ..)| q.clone()).collect();
        let caches: Vec<_> = texts.iter().map(|(_, keys, values, _)| TextCache { keys, values }).collect();
        let step = StepShape { heads, kv_heads, head_dim, scale: 1.0 / (head_dim as f32).sqrt() };
        same_on_any_threads("step", || {
            let mut out = vec![f32::NAN; q.len()];
            kernels.step_attention(&step, &q, &caches, &mut out).unwrap();
            let alone: Vec<f32> = texts.iter().flat_map(|(.., alone)| alone.clone()).collect();
            assert_eq!(bits(&out), bits(&alone), "{kernels:?}");
            out
        });
        let short = TextCache { keys: caches[1].keys, values: caches[0].values };
        let mut out = vec![0.0; heads * head_dim];
        assert!(kernels.step_attention(&step, &q[..out.len()], &[short], &mut out).is_err());
        assert!(kernels.step_attention(&step, &q, &caches[..1], &mut out).is_err());
    }
}
