//! `quantize`: codes and index map of tokens.

use numpy::PyArrayDyn;
use pyo3::prelude::*;
use vqtoken::picture;
use vqtoken::{Budget, QuantizerConfig};

use crate::arrays::{TokenGrid, view};
use crate::errors::{Exception, OrRaise};
use crate::token_hash::TokenHash;
use crate::work;

/// What one K of an adaptive budget costs.
#[pyclass(frozen, module = "vqtoken", get_all)]
pub(crate) struct CurvePoint {
    /// K.
    codes: usize,
    /// The sum over tokens of 1 - cosine to their centroid.
    distortion: f64,
    /// The sum of squared distances from each unit token to the mean of its cluster.
    inertia: f64,
    /// The mean cosine silhouette, if the rule asks for it.
    silhouette: Option<f64>,
}

#[pymethods]
impl CurvePoint {
    fn __repr__(&self) -> String {
        let Self { codes, distortion, inertia, .. } = self;
        format!("CurvePoint(codes={codes}, distortion={distortion:.6}, inertia={inertia:.6})")
    }
}

/// A quantized clip.
#[pyclass(frozen, module = "vqtoken")]
pub(crate) struct Quantization {
    quantization: vqtoken::Quantization,
    budget: Budget,
    /// Of the tokens as they were given: `[T, H, W]` or `[N]`.
    shape: Vec<usize>,
}

impl Quantization {
    pub(crate) fn new(quantization: vqtoken::Quantization, budget: Budget, shape: Vec<usize>) -> Self {
        Self { quantization, budget, shape }
    }
}

#[pymethods]
impl Quantization {
    /// The means of the unit tokens of each code, `[K, D]`, read-only.
    #[getter]
    fn codebook<'py>(this: &Bound<'py, Self>) -> PyResult<Bound<'py, PyArrayDyn<f32>>> {
        let codebook = &this.get().quantization.codebook;
        view(codebook.data(), &[codebook.codes(), codebook.dim()], this.clone().into_any())
    }

    /// The code of each token, `[T, H, W]` or `[N]` as the tokens were, read-only.
    #[getter]
    fn index_map<'py>(this: &Bound<'py, Self>) -> PyResult<Bound<'py, PyArrayDyn<u32>>> {
        view(this.get().quantization.index_map.labels(), &this.get().shape, this.clone().into_any())
    }

    /// K: at most what was asked, at most the distinct directions of the tokens.
    #[getter]
    fn codes(&self) -> usize {
        self.quantization.stats.codes
    }

    /// The sum over tokens of 1 - cosine to the nearest centroid, which k-means minimises.
    #[getter]
    fn distortion(&self) -> f64 {
        self.quantization.stats.distortion
    }

    /// The sum of squared distances from each unit token to its code.
    #[getter]
    fn inertia(&self) -> f64 {
        self.quantization.stats.inertia
    }

    /// The inertia of a single code.
    #[getter]
    fn variance(&self) -> f64 {
        self.quantization.stats.variance
    }

    /// Whether the fit ended because no label changed.
    #[getter]
    fn converged(&self) -> bool {
        self.quantization.stats.converged
    }

    /// Iterations of the fit.
    #[getter]
    fn iterations(&self) -> usize {
        self.quantization.stats.iterations.len()
    }

    /// A point for each K of an adaptive budget, by which its rule chose; empty for a fixed budget.
    #[getter]
    fn curve(&self) -> Vec<CurvePoint> {
        let points = self.quantization.stats.curve.iter();
        points
            .map(|point| CurvePoint {
                codes: point.codes,
                distortion: point.distortion,
                inertia: point.inertia,
                silhouette: point.silhouette,
            })
            .collect()
    }

    /// Where and when each code occurs.
    fn hash(&self) -> TokenHash {
        TokenHash(vqtoken::TokenHash::new(&self.quantization.index_map))
    }

    /// The curve by which an adaptive budget chose K, as PNG.
    #[pyo3(signature = (title = "tokens"))]
    fn curve_picture(&self, title: &str) -> PyResult<Vec<u8>> {
        let Self { quantization, budget, .. } = self;
        let tokens = quantization.index_map.labels().len();
        let image = picture::draw_curve(&quantization.stats, budget, title, tokens).or_raise()?;
        picture::png(&image).map_err(|error| Exception::Tokens.error(error.to_string()))
    }

    fn __repr__(&self) -> String {
        format!(
            "Quantization({} codes of {} tokens)",
            self.codes(),
            self.quantization.index_map.labels().len()
        )
    }
}

/// A budget from a number or a text such as `adaptive:elbow:12-32`.
pub(crate) fn budget_of(budget: &Bound<'_, PyAny>) -> PyResult<Budget> {
    let text = match budget.extract::<usize>() {
        Ok(codes) => codes.to_string(),
        Err(_) => budget.str()?.to_string(),
    };
    text.parse::<Budget>().or_raise()
}

/// A budget in its one spelling, such as `32` or `adaptive:elbow:12-32`. Raises `ReduceError` for what is none.
#[pyfunction]
pub(crate) fn check_budget(budget: &Bound<'_, PyAny>) -> PyResult<String> {
    let budget = budget_of(budget)?;
    budget.check().or_raise()?;
    Ok(budget.to_string())
}

/// Up to so many tokens are computed on the caller's thread, which cannot be interrupted meanwhile: another thread would cost more.
const QUICK_TOKENS: usize = 1024;

/// Codes and index map of tokens `[T, H, W, D]` or `[N, D]`: spherical k-means over the tokens scaled to length 1.
///
/// `budget` is K, or `"adaptive"`, `"adaptive:RULE"`, `"adaptive:RULE:MIN-MAX"`. The same seed gives the same bits.
#[pyfunction]
#[pyo3(signature = (tokens, budget = None, *, seed = 0, restarts = None, max_iterations = None))]
pub(crate) fn quantize(
    py: Python<'_>,
    tokens: &Bound<'_, PyAny>,
    budget: Option<&Bound<'_, PyAny>>,
    seed: u64,
    restarts: Option<usize>,
    max_iterations: Option<usize>,
) -> PyResult<Quantization> {
    let (grid, shape) = TokenGrid::of(tokens)?;
    let budget = budget.map_or(Ok(Budget::PAPER_FIXED), budget_of)?;
    let mut config = QuantizerConfig::new(budget).with_seed(seed);
    config = restarts.map_or(config, |restarts| config.with_restarts(restarts));
    config = max_iterations.map_or(config, |iterations| config.with_max_iterations(iterations));
    let fit = move || vqtoken::quantize(&grid, &config).or_raise();
    let quantization = maybe_long(py, shape.iter().product(), fit)?;
    Ok(Quantization::new(quantization, budget, shape))
}

/// Computes over `tokens` tokens: on the caller's thread if that is quick.
pub(crate) fn maybe_long<T: Send + 'static>(
    py: Python<'_>,
    tokens: usize,
    compute: impl FnOnce() -> PyResult<T> + Send + 'static,
) -> PyResult<T> {
    match tokens > QUICK_TOKENS {
        true => work::run(py, None, move |_| compute()),
        false => {
            work::check_not_forked()?;
            py.detach(compute)
        }
    }
}
