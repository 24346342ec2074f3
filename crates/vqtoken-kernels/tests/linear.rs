//! Linear layers and matrix products against loops in f64.
#![allow(clippy::unwrap_used)]

mod common;

use common::{Unaligned, all_kernels, assert_close, bits, same_on_any_threads, values};
use half::bf16;
use vqtoken_kernels::{Activation, Fused, Isa, Kernels, LayerCall, Matrix, PackedLinear, ShapeError};

/// Shapes `[M, inputs, outputs]`: single rows, full tiles, sizes that divide nothing, and more rows than a task has.
const SHAPES: [[usize; 3]; 14] = [
    [1, 1, 1],
    [1, 7, 5],
    [1, 129, 67],
    [1, 386, 100],
    [2, 3, 17],
    [5, 31, 33],
    [6, 64, 32],
    [7, 385, 47],
    [13, 800, 19],
    [97, 50, 16],
    [101, 33, 1],
    [200, 65, 70],
    [10, 2600, 21],
    [290, 40, 35],
];

/// All of them; under Miri those that it finishes in time.
fn shapes() -> impl Iterator<Item = [usize; 3]> {
    SHAPES.into_iter().filter(|shape| !cfg!(miri) || shape.iter().product::<usize>() < 1_000)
}

/// `x W^T`.
fn product(x: &[f32], w: &[f32], [rows, inputs, outputs]: [usize; 3]) -> Vec<f64> {
    let mut y = vec![0.0; rows * outputs];
    for i in 0..rows {
        for j in 0..outputs {
            for k in 0..inputs {
                y[i * outputs + j] += f64::from(x[i * inputs + k]) * f64::from(w[j * inputs + k]);
            }
        }
    }
    y
}

fn activate(activation: Option<Activation>, x: f64) -> f64 {
    let Some(activation) = activation else { return x };
    match activation {
        Activation::Relu => x.max(0.0),
        Activation::Silu => x / (1.0 + (-x).exp()),
        Activation::GeluTanh => {
            0.5 * x * (1.0 + ((2.0 / std::f64::consts::PI).sqrt() * (x + 0.044_715 * x * x * x)).tanh())
        }
        Activation::Gelu => {
            // The cumulative distribution function by Simpson's rule.
            let (n, h) = (2000, x / 2000.0);
            let density = |t: f64| (-t * t / 2.0).exp() / (2.0 * std::f64::consts::PI).sqrt();
            let sum: f64 = (0..=n)
                .map(|i| {
                    density(f64::from(i) * h) * if i == 0 || i == n { 1.0 } else { f64::from(2 + i % 2 * 2) }
                })
                .sum();
            x * (0.5 + sum * h / 3.0)
        }
    }
}

fn run(layer: &PackedLinear, x: &[f32], rows: usize, fused: Fused<'_>) -> Vec<f32> {
    let x = Unaligned::new(x, 3);
    let mut y = Unaligned::poisoned(rows * layer.outputs(), 5);
    layer.forward(x.get(), y.get_mut(), fused).unwrap();
    y.assert_untouched();
    y.get().to_vec()
}

#[test]
fn f32_against_f64() {
    for kernels in all_kernels() {
        for shape @ [rows, inputs, outputs] in shapes() {
            let (x, w) = (values(1, rows * inputs), values(2, outputs * inputs));
            let w = Unaligned::new(&w, 1);
            let layer = PackedLinear::f32(kernels, w.get(), outputs, inputs).unwrap();
            let y = run(&layer, &x, rows, Fused::default());
            assert_close(&format!("{kernels:?} {shape:?}"), &y, &product(&x, w.get(), shape), 2e-6);
        }
    }
}

#[test]
fn bias_activation_and_residual_against_f64() {
    for kernels in all_kernels() {
        for shape @ [rows, inputs, outputs] in [[1, 70, 37], [7, 30, 19], [100, 400, 35]] {
            let (x, w) = (values(1, rows * inputs), values(2, outputs * inputs));
            let (bias, residual) = (values(3, outputs), values(4, rows * outputs));
            let residual = Unaligned::new(&residual, 7);
            let layer = PackedLinear::f32(kernels, &w, outputs, inputs).unwrap().with_bias(&bias).unwrap();
            for activation in [
                None,
                Some(Activation::Gelu),
                Some(Activation::GeluTanh),
                Some(Activation::Silu),
                Some(Activation::Relu),
            ] {
                let y = run(
                    &layer,
                    &x,
                    rows,
                    Fused { activation, residual: Some(residual.get()), ..Fused::default() },
                );
                let exact: Vec<f64> = product(&x, &w, shape)
                    .iter()
                    .zip(residual.get())
                    .enumerate()
                    .map(|(i, (sum, residual))| {
                        activate(activation, sum + f64::from(bias[i % outputs])) + f64::from(*residual)
                    })
                    .collect();
                assert_close(&format!("{kernels:?} {shape:?} {activation:?}"), &y, &exact, 2e-6);
            }
        }
    }
}

#[test]
fn bf16_against_f64() {
    for kernels in all_kernels() {
        for shape @ [rows, inputs, outputs] in shapes() {
            let (x, w) = (values(1, rows * inputs), values(2, outputs * inputs));
            let halves: Vec<u16> = w.iter().map(|x| bf16::from_f32(*x).to_bits()).collect();
            let rounded: Vec<f32> = halves.iter().map(|x| bf16::from_bits(*x).to_f32()).collect();
            let layer = PackedLinear::bf16(kernels, &halves, outputs, inputs).unwrap();
            let y = run(&layer, &x, rows, Fused::default());
            // A single row is never rounded.
            let x = match kernels.multiplies_bf16() && rows > 1 {
                true => x.iter().map(|x| bf16::from_f32(*x).to_f32()).collect(),
                false => x,
            };
            assert_close(&format!("{kernels:?} {shape:?}"), &y, &product(&x, &rounded, shape), 2e-6);
        }
    }
}

/// The exact result of int8: quantization (as finely as sums in `i32` allow, or to bytes), integer sums, two scales.
fn int8_reference(kernels: Kernels, x: &[f32], w: &[f32], [rows, inputs, outputs]: [usize; 3]) -> Vec<f32> {
    let quantize = |row: &[f32], most: f32| {
        let largest = row.iter().fold(0.0_f32, |m, x| m.max(x.abs()));
        let inverse = if largest > 0.0 { most / largest } else { 0.0 };
        let values: Vec<i32> = row.iter().map(|x| (x * inverse).round_ties_even() as i32).collect();
        (values, largest / most)
    };
    let fine = (i32::MAX as usize / 127 / inputs.max(1)).min(32_767) as f32;
    let most = if rows > 1 && kernels.multiplies_int8() { 127.0 } else { fine };
    let x: Vec<_> = (0..rows).map(|i| quantize(&x[i * inputs..][..inputs], most)).collect();
    let w: Vec<_> = (0..outputs).map(|j| quantize(&w[j * inputs..][..inputs], 127.0)).collect();
    x.iter()
        .flat_map(|(x, a)| {
            w.iter().map(move |(w, b)| {
                let sum: i32 = x.iter().zip(w).map(|(x, w)| x * w).sum();
                sum as f32 * a * b
            })
        })
        .collect()
}

#[test]
fn independent_rows_do_not_depend_on_each_other() {
    for kernels in all_kernels() {
        for [rows, inputs, outputs] in [[2, 129, 67], [7, 385, 47], [33, 64, 70], [3, 2601, 400]] {
            let (mut x, w) = (values(1, rows * inputs), values(2, outputs * inputs));
            // An outlier channel of one row must not change how another is multiplied.
            x[inputs + 5] = 300.0;
            let (bias, residual) = (values(3, outputs), values(4, rows * outputs));
            let halves: Vec<u16> = w.iter().map(|x| bf16::from_f32(*x).to_bits()).collect();
            let layers = [
                PackedLinear::f32(kernels, &w, outputs, inputs),
                PackedLinear::bf16(kernels, &halves, outputs, inputs),
                PackedLinear::int8(kernels, &w, outputs, inputs),
                PackedLinear::int4(kernels, &w, outputs, inputs),
                PackedLinear::int8_coarse(kernels, &w, outputs, inputs),
            ];
            for (kind, layer) in layers.into_iter().enumerate() {
                let layer = layer.unwrap().with_bias(&bias).unwrap();
                let forward = |x: &[f32], residual: &[f32]| {
                    let mut y = vec![f32::NAN; x.len() / inputs * outputs];
                    let fused = Fused {
                        activation: Some(Activation::Silu),
                        residual: Some(residual),
                        ..Fused::default()
                    };
                    layer.forward_independent(x, &mut y, fused).unwrap();
                    bits(&y)
                };
                let together = forward(&x, &residual);
                for row in 0..rows {
                    let of_row = |x: &[f32], width: usize| x[row * width..][..width].to_vec();
                    let (x, residual) = (of_row(&x, inputs), of_row(&residual, outputs));
                    // Beside another row, and alone.
                    let other = values(9, inputs);
                    let pair =
                        forward(&[x.clone(), other].concat(), &[residual.clone(), residual.clone()].concat());
                    let found = &together[row * outputs..][..outputs];
                    assert!(found == &pair[..outputs], "{kernels:?} kind {kind} row {row}");
                    if kind != 1 || !kernels.multiplies_bf16() {
                        assert!(found == forward(&x, &residual), "{kernels:?} kind {kind} row {row} alone");
                    }
                }
            }
        }
    }
}

#[test]
fn int8_is_exact_integer_arithmetic_on_every_instruction_set() {
    for kernels in all_kernels() {
        for shape @ [rows, inputs, outputs] in shapes() {
            let (mut x, mut w) = (values(1, rows * inputs), values(2, outputs * inputs));
            // The extremes that 16-bit sums would saturate on, and rows of zeros.
            x[..inputs].fill(1.0);
            w[..inputs].fill(-1.0);
            if outputs > 1 {
                w[inputs..2 * inputs].fill(0.0);
            }
            let layer = PackedLinear::int8(kernels, &w, outputs, inputs).unwrap();
            let y = run(&layer, &x, rows, Fused::default());
            assert!(y == int8_reference(kernels, &x, &w, shape), "{kernels:?} {shape:?}");
        }
    }
}

/// The exact result of coarse int8 with AVX2: values of 0..=127 less an offset, integer sums, two scales.
fn coarse_reference(x: &[f32], w: &[f32], [rows, inputs, outputs]: [usize; 3]) -> Vec<f32> {
    let quantize = |row: &[f32]| {
        let least = row.iter().fold(0.0_f32, |m, x| m.min(*x));
        let scale = row.iter().fold(0.0_f32, |m, x| m.max(*x)) / 127.0 - least / 127.0;
        let inverse = if scale > 0.0 { 1.0 / scale } else { 0.0 };
        let offset = (-least * inverse).round_ties_even();
        let value = |x: &f32| ((x * inverse).round_ties_even() + offset).clamp(0.0, 127.0) - offset;
        (row.iter().map(|x| value(x) as i32).collect::<Vec<_>>(), scale)
    };
    let weight = |row: &[f32]| {
        let largest = row.iter().fold(0.0_f32, |m, x| m.max(x.abs()));
        let inverse = if largest > 0.0 { 127.0 / largest } else { 0.0 };
        (row.iter().map(|x| (x * inverse).round_ties_even() as i32).collect::<Vec<_>>(), largest / 127.0)
    };
    let x: Vec<_> = (0..rows).map(|i| quantize(&x[i * inputs..][..inputs])).collect();
    let w: Vec<_> = (0..outputs).map(|j| weight(&w[j * inputs..][..inputs])).collect();
    x.iter()
        .flat_map(|(x, a)| {
            w.iter().map(move |(w, b)| {
                let sum: i32 = x.iter().zip(w).map(|(x, w)| x * w).sum();
                sum as f32 * a * b
            })
        })
        .collect()
}

#[test]
fn coarse_int8_is_exact_integer_arithmetic_on_every_instruction_set() {
    for kernels in all_kernels() {
        for shape @ [rows, inputs, outputs] in shapes() {
            let (mut x, mut w) = (values(1, rows * inputs), values(2, outputs * inputs));
            // The extremes that 16-bit sums would saturate on, and rows on one side of zero and of zeros.
            x[..inputs].fill(1.0);
            w[..inputs].fill(-1.0);
            if rows > 2 {
                x[inputs..2 * inputs].iter_mut().for_each(|x| *x = -0.5 - x.abs());
                x[2 * inputs..3 * inputs].fill(0.0);
            }
            let layer = PackedLinear::int8_coarse(kernels, &w, outputs, inputs).unwrap();
            let y = run(&layer, &x, rows, Fused::default());
            let has_offsets = rows > 1 && kernels.isa() >= Isa::Avx2 && !kernels.multiplies_int8();
            let expected = match has_offsets {
                true => coarse_reference(&x, &w, shape),
                false => int8_reference(kernels, &x, &w, shape),
            };
            assert!(y == expected, "{kernels:?} {shape:?}");
        }
    }
}

#[test]
fn int8_is_close_to_f32() {
    let (rows, inputs, outputs) = (20, 1152, 64);
    let (x, w) = (values(1, rows * inputs), values(2, outputs * inputs));
    let exact = product(&x, &w, [rows, inputs, outputs]);
    for kernels in all_kernels() {
        for make in [PackedLinear::int8, PackedLinear::int8_coarse] {
            let y = run(&make(kernels, &w, outputs, inputs).unwrap(), &x, rows, Fused::default());
            let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
            let y = common::to_f64(&y);
            let cosine = dot(&y, &exact) / (dot(&y, &y) * dot(&exact, &exact)).sqrt();
            assert!(cosine > 0.9999, "{cosine}");
        }
    }
}

type Make = fn(Kernels, &[f32], usize, usize) -> Result<PackedLinear, ShapeError>;

fn bf16(kernels: Kernels, w: &[f32], outputs: usize, inputs: usize) -> Result<PackedLinear, ShapeError> {
    let halves: Vec<u16> = w.iter().map(|x| bf16::from_f32(*x).to_bits()).collect();
    PackedLinear::bf16(kernels, &halves, outputs, inputs)
}

const MAKERS: [Make; 5] =
    [PackedLinear::f32, bf16, PackedLinear::int8, PackedLinear::int4, PackedLinear::int8_coarse];

#[test]
fn int4_multiplies_the_weights_that_it_stores() {
    for shape @ [rows, inputs, outputs] in shapes() {
        let (x, w) = (values(1, rows * inputs), values(2, outputs * inputs));
        let mut single: Option<Vec<u32>> = None;
        for kernels in all_kernels() {
            let layer = PackedLinear::int4(kernels, &w, outputs, inputs).unwrap();
            let stored: Vec<f32> = (0..outputs).flat_map(|output| layer.row(output)).collect();
            let what = format!("{kernels:?} {shape:?}");
            let exact = product(&x, &stored, shape);
            let y = run(&layer, &x, rows, Fused::default());
            // A single row is rounded to steps of 1/32,767 of its largest value.
            assert_close(&what, &y, &exact, if rows == 1 { 1e-4 } else { 2e-6 });
            let mut alone = vec![f32::NAN; rows * outputs];
            layer.forward_independent(&x, &mut alone, Fused::default()).unwrap();
            if rows > 0 {
                assert_close(&what, &alone, &exact, 1e-4);
            }
            assert_eq!(single.get_or_insert_with(|| bits(&alone)), &bits(&alone), "{what}");
        }
    }
}

#[test]
fn int4_is_close_to_f32_and_takes_four_and_a_half_bits() {
    let (rows, inputs, outputs) = (20, 1152, 64);
    let (x, w) = (values(1, rows * inputs), values(2, outputs * inputs));
    let exact = product(&x, &w, [rows, inputs, outputs]);
    for kernels in all_kernels() {
        let layer = PackedLinear::int4(kernels, &w, outputs, inputs).unwrap();
        assert_eq!(layer.bytes() * 8 * 2, inputs * outputs * 9);
        let y = common::to_f64(&run(&layer, &x, rows, Fused::default()));
        let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
        let cosine = dot(&y, &exact) / (dot(&y, &y) * dot(&exact, &exact)).sqrt();
        assert!(cosine > 0.995, "{cosine}");
    }
}

#[test]
fn nan_and_infinity_affect_only_their_row() {
    for kernels in all_kernels() {
        for (format, make) in MAKERS.iter().enumerate() {
            for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
                for rows in [1, 9] {
                    let (inputs, outputs) = (41, 37);
                    let mut x = values(1, rows * inputs);
                    let w: Vec<f32> = values(2, outputs * inputs).iter().map(|x| x.abs() + 0.1).collect();
                    x[(rows - 1) * inputs + 40] = bad;
                    let y = run(&make(kernels, &w, outputs, inputs).unwrap(), &x, rows, Fused::default());
                    let (good, poisoned) = y.split_at((rows - 1) * outputs);
                    assert!(good.iter().all(|y| y.is_finite()), "{kernels:?} {format} {bad}");
                    let expected = |y: &f32| match format {
                        2 | 4 => y.is_nan(),
                        // A weight that is rounded to zero makes NaN of infinity.
                        3 => !y.is_finite(),
                        _ => {
                            if bad.is_nan() {
                                y.is_nan()
                            } else {
                                *y == bad
                            }
                        }
                    };
                    assert!(poisoned.iter().all(expected), "{kernels:?} {format} {bad}: {poisoned:?}");
                }
            }
            // A poisoned weight poisons its output channel.
            let mut w = values(2, 37 * 41);
            w[36 * 41] = f32::NAN;
            let y = run(&make(kernels, &w, 37, 41).unwrap(), &values(1, 3 * 41), 3, Fused::default());
            assert!(y.chunks(37).all(|y| y[36].is_nan() && y[..36].iter().all(|y| y.is_finite())));
        }
    }
}

#[test]
fn the_same_bits_on_any_threads() {
    for kernels in all_kernels() {
        for make in MAKERS {
            for (rows, inputs, outputs) in [(1, 500, 300), (150, 700, 100), (40, 2500, 60)] {
                let (x, w) = (values(1, rows * inputs), values(2, outputs * inputs));
                let layer = make(kernels, &w, outputs, inputs).unwrap();
                let fused = Fused { activation: Some(Activation::Silu), ..Fused::default() };
                same_on_any_threads("linear", || run(&layer, &x, rows, fused));
            }
        }
        for [m, k, n] in [[130, 500, 90], [60, 4000, 70]] {
            let (a, b) = (values(1, m * k), values(2, k * n));
            same_on_any_threads("matmul", || {
                let mut y = vec![f32::NAN; m * n];
                kernels
                    .matmul(Matrix::new(&a, m, k).unwrap(), Matrix::new(&b, k, n).unwrap(), &mut y)
                    .unwrap();
                y
            });
        }
    }
}

#[test]
fn layers_with_the_same_input_get_the_bits_that_each_has_alone() {
    for kernels in all_kernels() {
        for make in MAKERS {
            for (rows, inputs) in [(1, 70), (2, 33), (7, 70), (40, 200), (150, 130)] {
                let x = values(1, rows * inputs);
                let layers: Vec<_> = [37, 1, 300]
                    .into_iter()
                    .zip(2..)
                    .map(|(outputs, seed)| {
                        let layer = make(kernels, &values(seed, outputs * inputs), outputs, inputs).unwrap();
                        layer.with_bias(&values(seed + 10, outputs)).unwrap()
                    })
                    .collect();
                let fused = Fused { activation: Some(Activation::GeluTanh), ..Fused::default() };
                let mut ys: Vec<_> = layers.iter().map(|l| vec![f32::NAN; rows * l.outputs()]).collect();
                let mut calls: Vec<_> =
                    layers.iter().zip(&mut ys).map(|(layer, y)| LayerCall { layer, y, fused }).collect();
                PackedLinear::forward_all(&x, &mut calls).unwrap();
                for (layer, y) in layers.iter().zip(&ys) {
                    assert_eq!(bits(y), bits(&run(layer, &x, rows, fused)), "{kernels:?} {rows} x {inputs}");
                }
            }
        }
    }
}

#[test]
fn layers_with_the_same_input_may_be_of_different_kinds_and_lengths_are_checked() {
    let kernels = Kernels::best();
    let (x, w) = (values(1, 3 * 20), values(2, 10 * 20));
    let layers =
        [PackedLinear::f32(kernels, &w, 10, 20).unwrap(), PackedLinear::int8(kernels, &w, 10, 20).unwrap()];
    let mut ys = [vec![0.0; 30], vec![0.0; 30]];
    let calls = |ys: &mut [Vec<f32>; 2]| {
        let calls = layers.iter().zip(ys).map(|(layer, y)| LayerCall { layer, y, fused: Fused::default() });
        PackedLinear::forward_all(&x, &mut calls.collect::<Vec<_>>())
    };
    calls(&mut ys).unwrap();
    for (layer, y) in layers.iter().zip(&ys) {
        assert_eq!(bits(y), bits(&run(layer, &x, 3, Fused::default())));
    }
    assert!(calls(&mut [vec![0.0; 30], vec![0.0; 29]]).is_err());
    let like = PackedLinear::f32(kernels, &w, 10, 20).unwrap();
    let mut short = vec![0.0; 29];
    let mut calls = [
        LayerCall { layer: &layers[0], y: &mut ys[0], fused: Fused::default() },
        LayerCall { layer: &like, y: &mut short, fused: Fused::default() },
    ];
    assert!(PackedLinear::forward_all(&x, &mut calls).is_err());
    assert!(PackedLinear::forward_all(&x[..59], &mut calls[..1]).is_err());
    assert!(PackedLinear::forward_all(&x, &mut []).is_ok());
}

#[test]
fn empty_sides_give_the_bias_or_nothing() {
    for kernels in all_kernels() {
        for make in MAKERS {
            let layer = make(kernels, &[], 3, 0).unwrap().with_bias(&[1.0, 2.0, 3.0]).unwrap();
            assert_eq!(run(&layer, &[], 2, Fused::default()), [1.0, 2.0, 3.0, 1.0, 2.0, 3.0]);
            assert_eq!(run(&layer, &[], 1, Fused::default()), [1.0, 2.0, 3.0]);
            let layer = make(kernels, &values(1, 15), 3, 5).unwrap();
            assert!(run(&layer, &[], 0, Fused::default()).is_empty());
            let layer = make(kernels, &[], 0, 5).unwrap();
            assert!(run(&layer, &values(1, 10), 2, Fused::default()).is_empty());
        }
    }
}

#[test]
fn a_product_that_nobody_wants_any_more_is_left_undone() {
    use std::sync::atomic::{AtomicUsize, Ordering};
    for kernels in all_kernels() {
        for make in MAKERS {
            let (rows, inputs, outputs) = (60, 50, 400);
            let (x, w) = (values(1, rows * inputs), values(2, outputs * inputs));
            let layer = make(kernels, &w, outputs, inputs).unwrap();
            let whole = bits(&run(&layer, &x, rows, Fused::default()));
            let asked = AtomicUsize::new(0);
            let after = |most: usize| {
                asked.store(0, Ordering::Relaxed);
                let is_unwanted = || asked.fetch_add(1, Ordering::Relaxed) >= most;
                let fused = Fused { is_unwanted: Some(&is_unwanted), ..Fused::default() };
                bits(&run(&layer, &x, rows, fused))
            };
            assert_eq!(after(usize::MAX), whole, "asking changes nothing");
            let times = asked.load(Ordering::Relaxed);
            assert!(times > 3, "{kernels:?} was asked {times} times");
            assert_ne!(after(times / 2), whole);
            assert_ne!(after(0), whole);
        }
    }
}

#[test]
fn wrong_lengths_are_errors() {
    let kernels = Kernels::best();
    assert!(PackedLinear::f32(kernels, &[0.0; 5], 2, 3).is_err());
    assert!(PackedLinear::bf16(kernels, &[0; 5], 2, 3).is_err());
    assert!(PackedLinear::int8(kernels, &[0.0; 5], 2, 3).is_err());
    assert!(PackedLinear::int8(kernels, &[0.0; 70_000], 1, 70_000).is_err());
    assert!(PackedLinear::int8_coarse(kernels, &[0.0; 5], 2, 3).is_err());
    assert!(PackedLinear::int4(kernels, &[0.0; 5], 2, 3).is_err());
    let layer = PackedLinear::f32(kernels, &[0.0; 6], 2, 3).unwrap();
    assert!(layer.forward(&[0.0; 7], &mut [0.0; 4], Fused::default()).is_err());
    assert!(layer.forward(&[0.0; 6], &mut [0.0; 5], Fused::default()).is_err());
    let fused = Fused { residual: Some(&[0.0; 3]), ..Fused::default() };
    assert!(layer.forward(&[0.0; 6], &mut [0.0; 4], fused).is_err());
    assert!(layer.with_bias(&[0.0; 3]).is_err());
    let a = Matrix::new(&[0.0; 6], 2, 3).unwrap();
    assert!(kernels.matmul(a, a, &mut [0.0; 4]).is_err());
    assert!(kernels.matmul(a, a.transposed(), &mut [0.0; 5]).is_err());
    assert!(kernels.matmul_bias(a, a.transposed(), &[0.0; 1], &mut [0.0; 4]).is_err());
}

#[test]
fn matmul_in_all_transposes() {
    for kernels in all_kernels() {
        let long = [[1, 2048, 1], [13, 2049, 37], [61, 2700, 5], [96, 5832, 48]];
        for shape @ [m, k, n] in shapes().chain(long) {
            let (a, b) = (values(1, m * k), values(2, n * k));
            let exact = product(&a, &b, shape);
            let transpose = |x: &[f32], rows: usize, columns: usize| -> Vec<f32> {
                (0..x.len()).map(|i| x[i % rows * columns + i / rows]).collect()
            };
            let (at, bt) = (transpose(&a, m, k), transpose(&b, n, k));
            let lefts = [Matrix::new(&a, m, k).unwrap(), Matrix::new(&at, k, m).unwrap().transposed()];
            let rights = [Matrix::new(&b, n, k).unwrap().transposed(), Matrix::new(&bt, k, n).unwrap()];
            let mut first = None;
            for left in lefts {
                for right in rights {
                    let mut y = Unaligned::poisoned(m * n, 1);
                    kernels.matmul(left, right, y.get_mut()).unwrap();
                    assert_close(&format!("{kernels:?} {shape:?}"), y.get(), &exact, 2e-6);
                    y.assert_untouched();
                    assert_eq!(first.get_or_insert_with(|| bits(y.get())), &bits(y.get()));
                    let bias = values(3, n);
                    let mut biased = Unaligned::poisoned(m * n, 3);
                    kernels.matmul_bias(left, right, &bias, biased.get_mut()).unwrap();
                    biased.assert_untouched();
                    let sums: Vec<f64> = (0..m * n).map(|i| exact[i] + f64::from(bias[i % n])).collect();
                    assert_close(&format!("{kernels:?} {shape:?} bias"), biased.get(), &sums, 2e-6);
                    kernels.matmul_add(left, right, y.get_mut()).unwrap();
                    let twice: Vec<f64> = exact.iter().map(|y| 2.0 * y).collect();
                    assert_close(&format!("{kernels:?} {shape:?}"), y.get(), &twice, 2e-6);
                }
            }
        }
    }
}

#[test]
fn rows_are_read_back_from_every_kind_of_weights() {
    use vqtoken_kernels::WeightKind;
    for kernels in Kernels::available() {
        for (outputs, inputs) in [(1, 1), (37, 19), (70, 131)] {
            let weights: Vec<f32> =
                (0..outputs * inputs).map(|i| ((i * 37 % 101) as f32 - 50.0) / 64.0).collect();
            for (kind, tolerance) in [
                (WeightKind::F32, 0.0),
                (WeightKind::Bf16, 0.0),
                (WeightKind::Int8, 0.004),
                (WeightKind::Int8Coarse, 0.004),
                (WeightKind::Int4, 0.1),
            ] {
                let packed = PackedLinear::pack(kernels, kind, [outputs, inputs], |rows, out| {
                    out.copy_from_slice(&weights[rows.start * inputs..rows.end * inputs]);
                })
                .unwrap();
                for (output, expected) in weights.chunks_exact(inputs).enumerate() {
                    let row = packed.row(output);
                    assert_eq!(row.len(), inputs);
                    assert!(row.iter().zip(expected).all(|(a, b)| (a - b).abs() <= tolerance), "{kind:?}");
                }
            }
        }
    }
}
