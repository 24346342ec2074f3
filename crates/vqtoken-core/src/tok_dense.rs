//! TokDense: how much accuracy each visual token carries.

/// Accuracy in percent over the (mean) number of visual tokens fed to the language model; 0 tokens give 0.
///
/// Source: VQToken, Table 1 (57.72% at 13.08 tokens is a TokDense of 4.41).
pub fn tok_dense(accuracy_percent: f64, tokens: f64) -> f64 {
    if tokens > 0.0 { accuracy_percent / tokens } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_of_the_paper() {
        assert!((tok_dense(57.72, 13.08) - 4.412).abs() < 1e-3);
        assert!((tok_dense(57.46, 32.0) - 1.796).abs() < 1e-3);
        assert_eq!(tok_dense(43.0, 0.0), 0.0);
    }
}
