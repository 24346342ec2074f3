//! Norms, softmax, rotary positions and activations against f64, and their gradients against central differences.
#![allow(clippy::unwrap_used)]

mod common;

use common::{Unaligned, all_kernels, assert_close, numeric_gradient, same_on_any_threads, to_f64, values};
use vqtoken_kernels::{Activation, Norm, NormGradients, NormKind, RotaryDirection};

const WIDTHS: [usize; 6] = [1, 3, 8, 17, 33, 100];

fn norm_reference(kind: NormKind, x: &[f64], weight: &[f64], bias: &[f64]) -> Vec<f64> {
    let width = weight.len();
    let mut y = Vec::new();
    for row in x.chunks(width) {
        let mean = match kind {
            NormKind::Layer => row.iter().sum::<f64>() / width as f64,
            NormKind::Rms => 0.0,
        };
        let variance = row.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / width as f64;
        let inverse = 1.0 / (variance + f64::from(1e-3_f32)).sqrt();
        y.extend(row.iter().zip(weight).zip(bias).map(|((x, w), b)| (x - mean) * inverse * w + b));
    }
    y
}

#[test]
fn norms_and_their_gradients() {
    for kernels in all_kernels() {
        for width in WIDTHS {
            for kind in [NormKind::Layer, NormKind::Rms] {
                let rows = if width == 3 { 70 } else { 3 };
                let [x, weight, bias, dy] = [(1, rows * width), (2, width), (3, width), (4, rows * width)]
                    .map(|(seed, n)| values(seed, n));
                let norm = Norm { kind, weight: &weight, bias: Some(&bias), epsilon: 1e-3 };
                let name = format!("{kernels:?} {width} {kind:?}");
                let input = Unaligned::new(&x, 3);
                let mut y = Unaligned::poisoned(x.len(), 1);
                kernels.norm(&norm, input.get(), y.get_mut()).unwrap();
                y.assert_untouched();
                let [x, w, b] = [&x, &weight, &bias].map(|x| to_f64(x));
                assert_close(&name, y.get(), &norm_reference(kind, &x, &w, &b), 2e-5);

                let mut dx = Unaligned::poisoned(x.len(), 5);
                let [mut dweight, mut dbias] = [vec![f32::NAN; width], vec![f32::NAN; width]];
                let gradients =
                    NormGradients { dx: dx.get_mut(), dweight: &mut dweight, dbias: Some(&mut dbias) };
                kernels.norm_backward(&norm, input.get(), &dy, gradients).unwrap();
                dx.assert_untouched();
                let loss = |y: Vec<f64>| y.iter().zip(&dy).map(|(y, dy)| y * f64::from(*dy)).sum::<f64>();
                let exact = numeric_gradient(&x, |x| loss(norm_reference(kind, x, &w, &b)));
                assert_close(&name, dx.get(), &exact, 2e-5);
                let exact = numeric_gradient(&w, |w| loss(norm_reference(kind, &x, w, &b)));
                assert_close(&name, &dweight, &exact, 2e-5);
                let exact = numeric_gradient(&b, |b| loss(norm_reference(kind, &x, &w, b)));
                assert_close(&name, &dbias, &exact, 2e-5);
            }
        }
    }
}

fn softmax_reference(x: &[f64], width: usize) -> Vec<f64> {
    let row = |row: &[f64]| {
        let total: f64 = row.iter().map(|x| x.exp()).sum();
        row.iter().map(|x| x.exp() / total).collect::<Vec<f64>>()
    };
    x.chunks(width).flat_map(row).collect()
}

#[test]
fn softmax_and_its_gradient() {
    for kernels in all_kernels() {
        for width in WIDTHS {
            let x: Vec<f32> = values(1, 19 * width).iter().map(|x| x * 20.0).collect();
            let dy = values(2, 19 * width);
            let mut y = Unaligned::new(&x, 3);
            kernels.softmax(y.get_mut(), width).unwrap();
            y.assert_untouched();
            assert_close("softmax", y.get(), &softmax_reference(&to_f64(&x), width), 2e-6);
            let mut dx = Unaligned::new(&dy, 1);
            kernels.softmax_backward(y.get(), dx.get_mut(), width).unwrap();
            dx.assert_untouched();
            let count = 2 * width;
            let exact = numeric_gradient(&to_f64(&x[..count]), |x| {
                softmax_reference(x, width).iter().zip(&dy).map(|(y, dy)| y * f64::from(*dy)).sum()
            });
            assert_close("gradient", &dx.get()[..count], &exact, 3e-6);
        }
        let mut x =
            [1.0, f32::NEG_INFINITY, f32::NAN, 1.0, f32::INFINITY, 1.0, f32::NEG_INFINITY, f32::NEG_INFINITY];
        kernels.softmax(&mut x, 2).unwrap();
        assert_eq!(x[..2], [1.0, 0.0]);
        assert!(x[2..].iter().all(|x| x.is_nan()));
    }
}

#[test]
fn activations_and_their_derivatives() {
    let x: Vec<f32> = values(1, 1003).iter().map(|x| x * 12.0).collect();
    // The cumulative distribution function from its series.
    let normal = |x: f64| {
        let (mut term, mut sum) = (x, x);
        for n in 1..400 {
            term *= x * x / f64::from(2 * n + 1);
            sum += term;
        }
        0.5 + sum * (-x * x / 2.0).exp() / (2.0 * std::f64::consts::PI).sqrt()
    };
    let functions: [(Activation, &dyn Fn(f64) -> f64); 4] = [
        (Activation::Gelu, &|x| x * normal(x)),
        (Activation::GeluTanh, &|x| {
            0.5 * x * (1.0 + ((2.0 / std::f64::consts::PI).sqrt() * (x + 0.044_715 * x.powi(3))).tanh())
        }),
        (Activation::Silu, &|x| x / (1.0 + (-x).exp())),
        (Activation::Relu, &|x| x.max(0.0)),
    ];
    for kernels in all_kernels() {
        for (activation, function) in functions {
            let name = format!("{kernels:?} {activation:?}");
            let mut y = Unaligned::new(&x, 3);
            kernels.activate(activation, y.get_mut());
            y.assert_untouched();
            let exact: Vec<f64> = x.iter().map(|x| function(f64::from(*x))).collect();
            assert_close(&name, y.get(), &exact, 4e-7);
            let dy = values(2, x.len());
            let mut dx = Unaligned::new(&dy, 5);
            kernels.activate_backward(activation, &x, dx.get_mut()).unwrap();
            dx.assert_untouched();
            let slope = |x: f64| (function(x + 1e-5) - function(x - 1e-5)) / 2e-5;
            let exact: Vec<f64> =
                x.iter().zip(&dy).map(|(x, dy)| slope(f64::from(*x)) * f64::from(*dy)).collect();
            assert_close(&name, dx.get(), &exact, 3e-6);
            let mut edges = [f32::NAN, f32::INFINITY, 0.0, 1e30, -1e30];
            kernels.activate(activation, &mut edges);
            assert!(
                edges[0].is_nan() && edges[1] == f32::INFINITY && edges[2] == 0.0 && edges[3] == 1e30,
                "{name}"
            );
            assert!(edges[4] == 0.0, "{name} {edges:?}");
        }
    }
}

#[test]
fn rows_are_summed() {
    for kernels in all_kernels() {
        for (rows, width) in [(0, 5), (1, 1), (3, 17), (300, 33), (129, 96)] {
            let x = Unaligned::new(&values(1, rows * width), 3);
            let mut sums = Unaligned::poisoned(width, 1);
            kernels.sum_rows(x.get(), width, sums.get_mut()).unwrap();
            sums.assert_untouched();
            let mut exact = vec![0.0; width];
            for (i, x) in x.get().iter().enumerate() {
                exact[i % width] += f64::from(*x);
            }
            assert_close("sums of rows", sums.get(), &exact, 1e-6 * rows.max(1) as f64);
        }
        let x = values(1, 700 * 20);
        same_on_any_threads("sums of rows", || {
            let mut sums = vec![0.0; 20];
            kernels.sum_rows(&x, 20, &mut sums).unwrap();
            sums
        });
    }
}

#[test]
fn rotary_rotates_and_rotates_back() {
    for kernels in all_kernels() {
        for (tokens, heads, head_dim) in [(3, 2, 2), (5, 3, 14), (2, 14, 64)] {
            let half = head_dim / 2;
            let x = values(1, tokens * heads * head_dim);
            let angles: Vec<f32> = values(2, tokens * half).iter().map(|x| x * 3.0).collect();
            let cos: Vec<f32> = angles.iter().map(|x| x.cos()).collect();
            let sin: Vec<f32> = angles.iter().map(|x| x.sin()).collect();
            let mut y = Unaligned::new(&x, 3);
            kernels.rotary(y.get_mut(), (heads, head_dim), (&cos, &sin), RotaryDirection::Forward).unwrap();
            let mut exact = vec![0.0; x.len()];
            for (i, exact) in exact.iter_mut().enumerate() {
                let (row, d) = (i / head_dim, i % head_dim);
                let angle = f64::from(angles[row / heads * half + d % half]);
                let (own, other) = (f64::from(x[i]), f64::from(x[row * head_dim + (d + half) % head_dim]));
                *exact = own * angle.cos() + if d < half { -other } else { other } * angle.sin();
            }
            assert_close("rotary", y.get(), &exact, 1e-6);
            kernels.rotary(y.get_mut(), (heads, head_dim), (&cos, &sin), RotaryDirection::Backward).unwrap();
            assert_close("rotary back", y.get(), &to_f64(&x), 1e-6);
            y.assert_untouched();
        }
    }
}

#[test]
fn the_same_bits_on_any_threads() {
    for kernels in all_kernels() {
        let (x, dy, weight) = (values(1, 200 * 65), values(2, 200 * 65), values(3, 65));
        let norm = Norm { kind: NormKind::Layer, weight: &weight, bias: None, epsilon: 1e-6 };
        same_on_any_threads("norm", || {
            let (mut dx, mut dweight) = (vec![0.0; x.len()], vec![0.0; 65]);
            let gradients = NormGradients { dx: &mut dx, dweight: &mut dweight, dbias: None };
            kernels.norm_backward(&norm, &x, &dy, gradients).unwrap();
            [dx, dweight].concat()
        });
        same_on_any_threads("softmax", || {
            let mut y = x.clone();
            kernels.softmax(&mut y, 65).unwrap();
            y
        });
    }
}

#[test]
fn wrong_lengths_are_errors() {
    let kernels = all_kernels()[0];
    assert!(kernels.softmax(&mut [0.0; 5], 2).is_err());
    assert!(kernels.softmax(&mut [0.0; 5], 0).is_err());
    assert!(kernels.softmax_backward(&[0.0; 4], &mut [0.0; 6], 2).is_err());
    assert!(kernels.activate_backward(Activation::Silu, &[0.0; 4], &mut [0.0; 5]).is_err());
    assert!(kernels.sum_rows(&[0.0; 5], 2, &mut [0.0; 2]).is_err());
    assert!(kernels.sum_rows(&[0.0; 4], 2, &mut [0.0; 3]).is_err());
    assert!(kernels.sum_rows(&[], 0, &mut []).is_ok());
    let norm = Norm { kind: NormKind::Layer, weight: &[1.0; 3], bias: None, epsilon: 1e-6 };
    assert!(kernels.norm(&norm, &[0.0; 7], &mut [0.0; 7]).is_err());
    assert!(kernels.norm(&norm, &[0.0; 6], &mut [0.0; 7]).is_err());
    assert!(kernels.norm(&Norm { weight: &[], ..norm }, &[], &mut []).is_ok());
    assert!(kernels.rotary(&mut [0.0; 6], (2, 3), (&[0.0; 1], &[0.0; 1]), RotaryDirection::Forward).is_err());
    assert!(kernels.rotary(&mut [0.0; 6], (1, 4), (&[0.0; 2], &[0.0; 2]), RotaryDirection::Forward).is_err());
}
