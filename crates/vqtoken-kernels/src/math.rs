//! Exponentials, logistic function and normal distribution on vectors. NaN in, NaN out.

use crate::simd::{SHIFT, Simd};

/// `e^x` within 2 ulp; zero below -87.7 (no subnormal results), infinity above 88.3.
#[inline(always)]
pub(crate) fn exp<S: Simd>(s: S, x: S::F) -> S::F {
    // x is the second operand, so that NaN passes through.
    let x = s.min(s.splat(89.0), s.max(s.splat(-88.0), x));
    let (shifted, y) = split_exp(s, x);
    s.mul(y, s.to_exponent(shifted))
}

/// `2^x` within 2 ulp for `x` below 127.5, unspecified above; zero below -127.
///
/// The polynomial is the minimax one of degree 5 on -0.5..0.5, with a relative error of 9.2e-8.
#[inline(always)]
pub(crate) fn exp2<S: Simd>(s: S, x: S::F) -> S::F {
    // x is the second operand, so that NaN passes through.
    let x = s.max(s.splat(-127.0), x);
    let shifted = s.add(x, s.splat(SHIFT));
    let r = s.sub(x, s.sub(shifted, s.splat(SHIFT)));
    let square = s.mul(r, r);
    let low = s.fma(r, s.splat(0.693_146_98), s.splat(1.0));
    let middle = s.fma(r, s.splat(0.055_507_337), s.splat(0.240_222_42));
    let high = s.fma(r, s.splat(1.326_472_7e-3), s.splat(9.671_512_7e-3));
    let y = s.fma(square, s.fma(square, high, middle), low);
    s.mul(y, s.to_exponent(shifted))
}

/// Splits `e^x = 2^n y` with `y` about 1: [`SHIFT`]` + n`, and `y`.
#[inline(always)]
fn split_exp<S: Simd>(s: S, x: S::F) -> (S::F, S::F) {
    let shifted = s.fma(x, s.splat(std::f32::consts::LOG2_E), s.splat(SHIFT));
    let n = s.sub(shifted, s.splat(SHIFT));
    // ln 2 in two parts; n times the first one is exact.
    let r = s.fma(n, s.splat(-0.693_359_4), x);
    let r = s.fma(n, s.splat(2.121_944_4e-4), r);
    // Estrin's scheme, not Horner's: independent terms hide the latency that dominates an exponential.
    let square = s.mul(r, r);
    let low = s.fma(r, s.splat(1.0 / 6.0), s.splat(0.5));
    let middle = s.fma(r, s.splat(1.0 / 120.0), s.splat(1.0 / 24.0));
    let high = s.fma(r, s.splat(1.0 / 5040.0), s.splat(1.0 / 720.0));
    let rest = s.fma(s.mul(square, square), high, s.fma(square, middle, low));
    let y = s.fma(square, rest, s.add(r, s.splat(1.0)));
    (shifted, y)
}

/// The logistic function `1 / (1 + e^-x)`.
#[inline(always)]
pub(crate) fn sigmoid<S: Simd>(s: S, x: S::F) -> S::F {
    let one = s.splat(1.0);
    s.div(one, s.add(one, exp(s, s.sub(s.splat(0.0), x))))
}

/// The density of the normal distribution.
#[inline(always)]
pub(crate) fn normal_density<S: Simd>(s: S, x: S::F) -> S::F {
    let exponent = s.mul(s.mul(x, x), s.splat(-0.5));
    s.mul(exp(s, exponent), s.splat(0.398_942_3))
}

/// The cumulative distribution function of the normal distribution, `(1 + erf(x / sqrt 2)) / 2`, to a relative 1.2e-7.
///
/// Source: the Chebyshev fit of erfc in Press et al., Numerical Recipes, section 6.2.
#[inline(always)]
pub(crate) fn normal_distribution<S: Simd>(s: S, x: S::F) -> S::F {
    let (zero, one) = (s.splat(0.0), s.splat(1.0));
    let size = s.max(s.sub(zero, x), x);
    let z = s.mul(size, s.splat(std::f32::consts::FRAC_1_SQRT_2));
    let t = s.div(one, s.fma(z, s.splat(0.5), one));
    // Even and odd powers separately, to hide latency.
    let square = s.mul(t, t);
    let (mut odd, mut even) = (s.splat(0.170_872_77), s.splat(-0.822_152_23));
    for (odd_coefficient, even_coefficient) in [
        (1.488_515_9, -1.135_203_98),
        (0.278_868_07, -0.186_288_06),
        (0.096_784_18, 0.374_091_96),
        (1.000_023_68, -1.265_512_23),
    ] {
        odd = s.fma(odd, square, s.splat(odd_coefficient));
        even = s.fma(even, square, s.splat(even_coefficient));
    }
    let p = s.fma(odd, t, even);
    let exponent = s.fma(s.mul(x, x), s.splat(-0.5), p);
    let tail = s.mul(s.mul(t, exp(s, exponent)), s.splat(0.5));
    s.select_gt(x, zero, s.sub(one, tail), tail)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Kernels;
    use crate::simd::kernel;

    #[derive(Clone, Copy)]
    enum Function {
        Exp,
        Exp2,
        Sigmoid,
        NormalDistribution,
    }

    #[inline(always)]
    fn apply<S: Simd>(s: S, function: Function, x: &[f32], y: &mut [f32]) {
        for (x, y) in x.chunks(S::LANES).zip(y.chunks_mut(S::LANES)) {
            let v = s.load_or(x, 0.0);
            let v = match function {
                Function::Exp => exp(s, v),
                Function::Exp2 => exp2(s, v),
                Function::Sigmoid => sigmoid(s, v),
                Function::NormalDistribution => normal_distribution(s, v),
            };
            s.store_some(y, v);
        }
    }
    kernel!(fn apply_all(function: Function, x: &[f32], y: &mut [f32]) = apply);

    #[test]
    fn exp_and_sigmoid_are_close_to_f64() {
        let x: Vec<f32> = (-200_000..=200_000).map(|i| i as f32 * 4.7e-4).collect();
        let mut y = vec![f32::NAN; x.len()];
        for kernels in Kernels::available() {
            apply_all(kernels, Function::Exp, &x, &mut y);
            for (x, y) in x.iter().zip(&y) {
                let exact = f64::from(*x).exp();
                if *x < 88.3 {
                    assert!(
                        (f64::from(*y) - exact).abs() <= 2.5e-7 * exact + f64::from(f32::MIN_POSITIVE),
                        "exp {x}: {y} not {exact}"
                    );
                } else if *x > 88.4 {
                    assert_eq!(*y, f32::INFINITY, "{x}");
                } else {
                    assert!(*y > 2.1e38, "{x}");
                }
            }
            apply_all(kernels, Function::Sigmoid, &x, &mut y);
            for (x, y) in x.iter().zip(&y) {
                let exact = 1.0 / (1.0 + (-f64::from(*x)).exp());
                assert!(
                    (f64::from(*y) - exact).abs() <= 4e-7 * exact + 1e-38,
                    "sigmoid {x}: {y} not {exact}"
                );
            }
        }
    }

    #[test]
    fn exp2_is_close_to_f64() {
        let x: Vec<f32> = (-200_000..=127_000).map(|i| i as f32 * 1e-3).collect();
        let mut y = vec![f32::NAN; x.len()];
        for kernels in Kernels::available() {
            apply_all(kernels, Function::Exp2, &x, &mut y);
            for (x, y) in x.iter().zip(&y) {
                let exact = f64::from(*x).exp2();
                let error = (f64::from(*y) - exact).abs();
                assert!(error <= 2.5e-7 * exact + f64::from(f32::MIN_POSITIVE), "2^{x}: {y} not {exact}");
                assert!(*x > -127.0 || *y == 0.0, "2^{x}: {y}");
            }
            let mut y = [1.0; 4];
            apply_all(kernels, Function::Exp2, &[f32::NAN, f32::NEG_INFINITY, 0.0, -1.0], &mut y);
            assert!(y[0].is_nan());
            assert_eq!(y[1..], [0.0, 1.0, 0.5]);
        }
    }

    #[test]
    fn normal_distribution_at_known_points() {
        // erf from tables: erf(0.5), erf(1), erf(2).
        let root = std::f32::consts::SQRT_2;
        let x = [0.0, 0.5 * root, root, 2.0 * root, -root, 30.0, -30.0];
        let exact = [0.5, 0.760_249_94, 0.921_350_4, 0.997_661_13, 0.078_649_6, 1.0, 0.0];
        for kernels in Kernels::available() {
            let mut y = [f32::NAN; 7];
            apply_all(kernels, Function::NormalDistribution, &x, &mut y);
            for (y, exact) in y.iter().zip(exact) {
                assert!((y - exact).abs() < 2e-7, "{y} {exact}");
            }
        }
    }

    #[test]
    fn special_values() {
        let x = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 0.0, -0.0];
        for kernels in Kernels::available() {
            let mut y = [1.0; 5];
            apply_all(kernels, Function::Exp, &x, &mut y);
            assert!(y[0].is_nan());
            assert_eq!(y[1..], [f32::INFINITY, 0.0, 1.0, 1.0]);
            apply_all(kernels, Function::NormalDistribution, &x, &mut y);
            assert!(y[0].is_nan());
            assert_eq!(y[1..3], [1.0, 0.0]);
        }
    }
}
