//! int8 layers whose inputs have a few channels far larger than the rest.
#![allow(clippy::unwrap_used)]

mod common;

use common::{Unaligned, all_kernels, bits, same_on_any_threads, values};
use vqtoken_kernels::{Activation, Fused, Kernels, PackedLinear, ShapeError};

const INPUTS: usize = 300;
const OUTPUTS: usize = 70;

/// Inputs with some channels multiplied by 100.
fn with_outliers(rows: usize, outliers: &[usize]) -> Vec<f32> {
    let mut x = values(1, rows * INPUTS);
    for row in x.chunks_mut(INPUTS) {
        outliers.iter().for_each(|channel| row[*channel] *= 100.0);
    }
    x
}

fn weights() -> Vec<f32> {
    values(2, OUTPUTS * INPUTS)
}

fn exact(x: &[f32], w: &[f32]) -> Vec<f64> {
    let product = |x: &[f32], w: &[f32]| x.iter().zip(w).map(|(x, w)| f64::from(*x) * f64::from(*w)).sum();
    x.chunks(INPUTS).flat_map(|x| w.chunks(INPUTS).map(move |w| product(x, w))).collect()
}

/// Each value rounded to 127 steps of its row.
fn rounded(x: &[f32]) -> Vec<f32> {
    let row = |row: &[f32]| {
        let step = row.iter().fold(0.0_f32, |largest, x| largest.max(x.abs())) / 127.0;
        row.iter().map(|x| (x / step).round_ties_even() * step).collect::<Vec<f32>>()
    };
    x.chunks(INPUTS).flat_map(row).collect()
}

fn cosine(a: &[f64], b: &[f64]) -> f64 {
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()
}

type Make = fn(Kernels, &[f32], usize, usize) -> Result<PackedLinear, ShapeError>;

const MAKERS: [Make; 2] = [PackedLinear::int8, PackedLinear::int8_coarse];

fn run(make: Make, kernels: Kernels, x: &[f32], w: &[f32], fused: Fused<'_>) -> Vec<f32> {
    let layer = make(kernels, w, OUTPUTS, INPUTS).unwrap();
    let (x, mut y) = (Unaligned::new(x, 3), Unaligned::poisoned(x.len() / INPUTS * OUTPUTS, 1));
    layer.forward(x.get(), y.get_mut(), fused).unwrap();
    y.assert_untouched();
    y.get().to_vec()
}

#[test]
fn outliers_do_not_cost_the_other_channels_their_precision() {
    for (kernels, make) in all_kernels().into_iter().flat_map(|kernels| MAKERS.map(|make| (kernels, make))) {
        for outliers in [vec![17], vec![0, 1, 150, 299], (0..9).map(|i| i * 33).collect()] {
            for rows in [1, 2, 23, 200] {
                let (x, w) = (with_outliers(rows, &outliers), weights());
                let exact = exact(&x, &w);
                let plain = cosine(&exact, &self::exact(&rounded(&x), &w));
                let y = common::to_f64(&run(make, kernels, &x, &w, Fused::default()));
                let ours = cosine(&exact, &y);
                let name = format!("{kernels:?} {outliers:?} {rows}: {ours} against {plain}");
                assert!(ours > 0.9999, "{name}");
                assert!(1.0 - plain > 5.0 * (1.0 - ours), "{name}");
            }
        }
    }
}

#[test]
fn bias_activation_and_residual_come_after_outliers() {
    for (kernels, make) in all_kernels().into_iter().flat_map(|kernels| MAKERS.map(|make| (kernels, make))) {
        let outliers = [3, 77];
        let (x, w) = (with_outliers(9, &outliers), weights());
        let (bias, residual) = (values(3, OUTPUTS), values(4, 9 * OUTPUTS));
        let plain = run(make, kernels, &x, &w, Fused::default());
        let layer = make(kernels, &w, OUTPUTS, INPUTS).unwrap().with_bias(&bias).unwrap();
        let mut y = vec![f32::NAN; plain.len()];
        let fused =
            Fused { activation: Some(Activation::Silu), residual: Some(&residual), ..Fused::default() };
        layer.forward(&x, &mut y, fused).unwrap();
        let mut expected: Vec<f32> = plain.iter().enumerate().map(|(i, y)| y + bias[i % OUTPUTS]).collect();
        kernels.activate(Activation::Silu, &mut expected);
        expected.iter_mut().zip(&residual).for_each(|(y, residual)| *y += residual);
        assert_eq!(bits(&y), bits(&expected));
    }
}

#[test]
fn the_same_bits_on_any_threads() {
    for (kernels, make) in all_kernels().into_iter().flat_map(|kernels| MAKERS.map(|make| (kernels, make))) {
        let outliers = [5, 6, 255];
        let w = weights();
        for rows in [1, 150] {
            let x = with_outliers(rows, &outliers);
            same_on_any_threads("outliers", || run(make, kernels, &x, &w, Fused::default()));
        }
    }
}

#[test]
fn a_non_finite_outlier_affects_only_its_row() {
    for (kernels, make) in all_kernels().into_iter().flat_map(|kernels| MAKERS.map(|make| (kernels, make))) {
        for bad in [f32::NAN, f32::INFINITY] {
            let mut x = with_outliers(7, &[40]);
            x[3 * INPUTS + 40] = bad;
            let y = run(make, kernels, &x, &weights(), Fused::default());
            for (row, y) in y.chunks(OUTPUTS).enumerate() {
                assert!(y.iter().all(|y| if row == 3 { y.is_nan() } else { y.is_finite() }), "{row}");
            }
        }
    }
}
