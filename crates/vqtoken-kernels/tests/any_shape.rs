//! Products and attention of random shapes against f64.
#![allow(clippy::unwrap_used)]

mod common;

use common::{Unaligned, all_kernels, assert_close, values};
use half::bf16;
use proptest::prelude::*;
use vqtoken_kernels::{AttentionShape, Causality, Fused, Layout, Matrix, PackedLinear};

/// `x [M, K]` times the transpose of `w [N, K]`.
fn product(x: &[f32], w: &[f32], [rows, inputs, outputs]: [usize; 3]) -> Vec<f64> {
    let number = |i: usize, j: usize| -> f64 {
        (0..inputs).map(|k| f64::from(x[i * inputs + k]) * f64::from(w[j * inputs + k])).sum()
    };
    (0..rows).flat_map(|i| (0..outputs).map(move |j| (i, j))).map(|(i, j)| number(i, j)).collect()
}

fn config() -> ProptestConfig {
    ProptestConfig { cases: 40, failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn linear(rows in 1_usize..170, inputs in 1_usize..90, outputs in 1_usize..70, offset in 0_usize..9) {
        let shape = [rows, inputs, outputs];
        let (x, w) = (values(1, rows * inputs), values(2, outputs * inputs));
        let (bias, residual) = (values(3, outputs), values(4, rows * outputs));
        let exact: Vec<f64> = product(&x, &w, shape)
            .iter()
            .enumerate()
            .map(|(i, y)| y + f64::from(bias[i % outputs]) + f64::from(residual[i]))
            .collect();
        let (x, residual) = (Unaligned::new(&x, offset), Unaligned::new(&residual, 8 - offset));
        for kernels in all_kernels() {
            let layer = PackedLinear::f32(kernels, &w, outputs, inputs).unwrap().with_bias(&bias).unwrap();
            let mut y = Unaligned::poisoned(rows * outputs, offset);
            let fused = Fused { activation: None, residual: Some(residual.get()), ..Fused::default() };
            layer.forward(x.get(), y.get_mut(), fused).unwrap();
            y.assert_untouched();
            assert_close(&format!("{kernels:?} {shape:?}"), y.get(), &exact, 2e-6);
        }
    }

    #[test]
    fn bf16_and_int8(rows in 1_usize..60, inputs in 1_usize..150, outputs in 1_usize..80) {
        let shape = [rows, inputs, outputs];
        let (x, w) = (values(1, rows * inputs), values(2, outputs * inputs));
        // Values that bf16 represents, so that rounding activations changes nothing.
        let [x, w] = [x, w].map(|x| x.iter().map(|x| bf16::from_f32(*x).to_f32()).collect::<Vec<f32>>());
        let halves: Vec<u16> = w.iter().map(|x| bf16::from_f32(*x).to_bits()).collect();
        let exact = product(&x, &w, shape);
        for kernels in all_kernels() {
            let layers = [
                (PackedLinear::bf16(kernels, &halves, outputs, inputs).unwrap(), 2e-6),
                // Steps of 1/127 in both operands; rounding errors mostly cancel.
                (PackedLinear::int8(kernels, &w, outputs, inputs).unwrap(), 0.05),
                (PackedLinear::int8_coarse(kernels, &w, outputs, inputs).unwrap(), 0.1),
            ];
            for (layer, tolerance) in layers {
                let mut y = Unaligned::poisoned(rows * outputs, 1);
                layer.forward(&x, y.get_mut(), Fused::default()).unwrap();
                y.assert_untouched();
                assert_close(&format!("{kernels:?} {shape:?}"), y.get(), &exact, tolerance);
            }
        }
    }

    #[test]
    fn sums_of_products(rows in 1_usize..40, inner in 1_usize..200, columns in 1_usize..60) {
        let (a, b) = (values(1, rows * inner), values(2, columns * inner));
        let start = values(3, rows * columns);
        let exact: Vec<f64> = product(&a, &b, [rows, inner, columns])
            .iter()
            .zip(&start)
            .map(|(y, start)| y + f64::from(*start))
            .collect();
        let left = Matrix::new(&a, rows, inner).unwrap();
        let right = Matrix::new(&b, columns, inner).unwrap().transposed();
        for kernels in all_kernels() {
            let mut y = Unaligned::new(&start, 3);
            kernels.matmul_add(left, right, y.get_mut()).unwrap();
            y.assert_untouched();
            assert_close(&format!("{kernels:?}"), y.get(), &exact, 2e-6);
        }
    }

    #[test]
    fn attention(queries in 1_usize..40, before in 0_usize..170, head_dim in 1_usize..40, causal: bool) {
        let keys = queries + before;
        let shape = AttentionShape {
            batch: 1,
            heads: 2,
            kv_heads: 1,
            queries,
            keys,
            head_dim,
            layout: Layout::HeadsFirst,
            causality: if causal { Causality::Causal } else { Causality::Bidirectional },
            scale: 0.7,
        };
        let (q, k, v) = (values(1, shape.query_len()), values(2, shape.key_len()), values(3, shape.key_len()));
        let mut exact = Vec::new();
        for (row, q) in q.chunks(head_dim).enumerate() {
            let visible = if causal { row % queries + before + 1 } else { keys };
            let weights: Vec<f64> = product(q, &k[..visible * head_dim], [1, head_dim, visible])
                .iter()
                .map(|score| (score * f64::from(shape.scale)).exp())
                .collect();
            let total: f64 = weights.iter().sum();
            for d in 0..head_dim {
                let number = |j: usize| weights[j] * f64::from(v[j * head_dim + d]);
                exact.push((0..visible).map(number).sum::<f64>() / total);
            }
        }
        for kernels in all_kernels() {
            let mut out = Unaligned::poisoned(q.len(), 5);
            kernels.attention(&shape, (&q, &k, &v), out.get_mut(), None).unwrap();
            out.assert_untouched();
            assert_close(&format!("{kernels:?} {shape:?}"), out.get(), &exact, 1e-5);
        }
    }
}
