//! Exponential, logistic function and normal distribution on vectors. NaN in gives NaN out.

use crate::simd::Simd;

/// `e^x`, within 2 units in the last place; zero below -87.7 (no subnormal numbers), infinity above 88.3.
#[inline(always)]
pub(crate) fn exp<S: Simd>(s: S, x: S::F) -> S::F {
    // x second: the bounds let NaN through.
    let x = s.min(s.splat(89.0), s.max(s.splat(-88.0), x));
    let (n, y) = parts(s, x);
    s.mul(y, s.pow2(n))
}

/// `e^x = 2^n y` with `y` about 1.
#[inline(always)]
fn parts<S: Simd>(s: S, x: S::F) -> (S::F, S::F) {
    let n = s.round(s.mul(x, s.splat(std::f32::consts::LOG2_E)));
    // ln 2 in two parts, the first exact when multiplied by n.
    let r = s.fma(n, s.splat(-0.693_359_4), x);
    let r = s.fma(n, s.splat(2.121_944_4e-4), r);
    // Pairs beside each other, not one after the other: waiting for results is what an exponential costs.
    let square = s.mul(r, r);
    let low = s.fma(r, s.splat(1.0 / 6.0), s.splat(0.5));
    let middle = s.fma(r, s.splat(1.0 / 120.0), s.splat(1.0 / 24.0));
    let high = s.fma(r, s.splat(1.0 / 5040.0), s.splat(1.0 / 720.0));
    let rest = s.fma(s.mul(square, square), high, s.fma(square, middle, low));
    let y = s.fma(square, rest, s.add(r, s.splat(1.0)));
    (n, y)
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

/// The distribution function of the normal distribution, `(1 + erf(x / sqrt 2)) / 2`, to 1.2e-7 of its value.
///
/// Source: the Chebyshev fit of erfc in Press et al., Numerical Recipes, section 6.2.
#[inline(always)]
pub(crate) fn normal_distribution<S: Simd>(s: S, x: S::F) -> S::F {
    let (zero, one) = (s.splat(0.0), s.splat(1.0));
    let size = s.max(s.sub(zero, x), x);
    let z = s.mul(size, s.splat(std::f32::consts::FRAC_1_SQRT_2));
    let t = s.div(one, s.fma(z, s.splat(0.5), one));
    let mut p = s.splat(0.170_872_77);
    for coefficient in [
        -0.822_152_23,
        1.488_515_9,
        -1.135_203_98,
        0.278_868_07,
        -0.186_288_06,
        0.096_784_18,
        0.374_091_96,
        1.000_023_68,
        -1.265_512_23,
    ] {
        p = s.fma(p, t, s.splat(coefficient));
    }
    let exponent = s.fma(s.mul(x, x), s.splat(-0.5), p);
    let tail = s.mul(s.mul(t, exp(s, exponent)), s.splat(0.5));
    s.select_gt(x, zero, s.sub(one, tail), tail)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Kernels;
    use crate::simd::kernel;

    #[inline(always)]
    fn apply<S: Simd>(s: S, which: usize, x: &[f32], y: &mut [f32]) {
        for (x, y) in x.chunks(S::LANES).zip(y.chunks_mut(S::LANES)) {
            let v = s.load_or(x, 0.0);
            let v = match which {
                0 => exp(s, v),
                1 => sigmoid(s, v),
                2 => normal_density(s, v),
                _ => normal_distribution(s, v),
            };
            s.store_some(y, v);
        }
    }
    kernel!(fn apply_all(which: usize, x: &[f32], y: &mut [f32]) = apply);

    #[test]
    fn close_to_f64_everywhere() {
        let x: Vec<f32> = (-200_000..=200_000).map(|i| i as f32 * 4.7e-4).collect();
        let mut y = vec![f32::NAN; x.len()];
        for kernels in Kernels::available() {
            apply_all(kernels, 0, &x, &mut y);
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
            apply_all(kernels, 1, &x, &mut y);
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
    fn normal_distribution_at_known_points() {
        // erf from tables: erf(0.5), erf(1), erf(2).
        let root = std::f32::consts::SQRT_2;
        let x = [0.0, 0.5 * root, root, 2.0 * root, -root, 30.0, -30.0];
        let exact = [0.5, 0.760_249_94, 0.921_350_4, 0.997_661_13, 0.078_649_6, 1.0, 0.0];
        for kernels in Kernels::available() {
            let mut y = [f32::NAN; 7];
            apply_all(kernels, 3, &x, &mut y);
            for (y, exact) in y.iter().zip(exact) {
                assert!((y - exact).abs() < 2e-7, "{y} {exact}");
            }
        }
    }

    #[test]
    fn edges() {
        let x = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 0.0, -0.0];
        for kernels in Kernels::available() {
            let mut y = [1.0; 5];
            apply_all(kernels, 0, &x, &mut y);
            assert!(y[0].is_nan());
            assert_eq!(y[1..], [f32::INFINITY, 0.0, 1.0, 1.0]);
            apply_all(kernels, 3, &x, &mut y);
            assert!(y[0].is_nan());
            assert_eq!(y[1..3], [1.0, 0.0]);
        }
    }
}
