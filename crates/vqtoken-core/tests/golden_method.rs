//! The method against numbers of public implementations (PyTorch, scikit-learn): `golden/*/cases`.
//!
//! `VQTOKEN_GOLDEN` names another directory of that layout, or one of several such directories.

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout)]

#[path = "../../../golden/locate.rs"]
mod locate;

use std::path::{Path, PathBuf};

use safetensors::{Dtype, SafeTensors};
use vqtoken_core::{
    Codebook, EmptyCode, GridShape, TokenGrid, UnitTokens, elbow, lloyd, normalize, silhouette,
};

/// The `cases` directories.
fn case_folders() -> Vec<PathBuf> {
    locate::golden_sets().into_iter().map(|set| set.join("cases")).collect()
}

struct Cases(Vec<u8>);

impl Cases {
    fn read(path: &Path) -> Self {
        Self(std::fs::read(path).unwrap_or_else(|error| panic!("{path:?}: {error}")))
    }

    fn tensor<const B: usize, N>(
        &self,
        name: &str,
        dtype: Dtype,
        of: fn([u8; B]) -> N,
    ) -> (Vec<usize>, Vec<N>) {
        let tensors = SafeTensors::deserialize(&self.0).unwrap();
        let tensor = tensors.tensor(name).unwrap();
        assert_eq!(tensor.dtype(), dtype, "{name}");
        (tensor.shape().to_vec(), tensor.data().as_chunks::<B>().0.iter().map(|&bytes| of(bytes)).collect())
    }

    fn f32(&self, name: &str) -> (Vec<usize>, Vec<f32>) {
        self.tensor(name, Dtype::F32, f32::from_le_bytes)
    }

    fn labels(&self, name: &str) -> Vec<u32> {
        let (_, labels) = self.tensor(name, Dtype::I64, i64::from_le_bytes);
        labels.into_iter().map(|label| u32::try_from(label).unwrap()).collect()
    }
}

#[track_caller]
fn assert_close(found: &[f32], expected: &[f32], tolerance: f32) {
    assert_eq!(found.len(), expected.len());
    let differences = found.iter().zip(expected).map(|(a, b)| (a - b).abs());
    let worst =
        differences.fold(0.0f32, |worst, difference| if difference <= worst { worst } else { difference });
    assert!(worst <= tolerance, "differs by {worst}");
}

#[test]
fn golden_normalising_and_lloyd() {
    for folder in case_folders() {
        let cases = Cases::read(&folder.join("vqtoken.safetensors"));
        let (shape, data) = cases.f32("tokens");
        let &[frames, patches, dim] = shape.as_slice() else { panic!("tokens are {shape:?}, not [T, N, D]") };
        let grid = TokenGrid::new(GridShape { frames, height: 1, width: patches }, dim, data).unwrap();
        assert_close(&normalize(grid.data(), dim), &cases.f32("normalized").1, 1e-6);

        let (initial_shape, initial) = cases.f32("initial_centroids");
        let initial = Codebook::new(initial_shape[0], dim, initial).unwrap();
        let fit = lloyd(&UnitTokens::new(&grid), &initial, 20, EmptyCode::Keep).unwrap();
        assert_eq!(fit.labels, cases.labels("labels"));
        assert_close(fit.centroids.data(), &cases.f32("centroids").1, 1e-5);
        assert_close(fit.codebook.data(), &cases.f32("codebook").1, 1e-5);
        println!("{folder:?}: {} tokens, {} iterations", fit.labels.len(), fit.iterations.len());
    }
}

#[test]
fn golden_silhouette_of_given_clusters() {
    for folder in case_folders() {
        let cases = Cases::read(&folder.join("silhouette.safetensors"));
        let (shape, points) = cases.f32("points");
        let labels = cases.labels("labels");
        let codes = labels.iter().max().map_or(0, |&label| label as usize + 1);
        let (_, expected) = cases.tensor("silhouette_mean", Dtype::F64, f64::from_le_bytes);
        let found = silhouette(&points, shape[1], &labels, codes);
        assert!((found - expected[0]).abs() < 1e-6, "{found} instead of {}", expected[0]);
    }
}

#[test]
fn golden_elbow_of_given_curves() {
    #[derive(serde::Deserialize)]
    struct Curve {
        k: Vec<usize>,
        distortion: Vec<f64>,
        chosen: usize,
    }
    for folder in case_folders() {
        let curves: Vec<Curve> =
            serde_json::from_slice(&std::fs::read(folder.join("elbow.json")).unwrap()).unwrap();
        assert!(!curves.is_empty());
        for curve in curves {
            assert_eq!(elbow(&curve.k, &curve.distortion), Some(curve.chosen));
        }
    }
}
