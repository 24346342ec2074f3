//! How golden cases are read and compared.

#![allow(dead_code, reason = "every test file uses its own part of this module")]

use std::path::Path;

use safetensors::SafeTensors;

/// One safetensors file of cases.
pub(crate) struct Cases(Vec<u8>);

impl Cases {
    pub(crate) fn open(set: &Path, name: &str) -> Self {
        let path = set.join("cases").join(name).with_extension("safetensors");
        Self(std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display())))
    }

    pub(crate) fn shape(&self, name: &str) -> Vec<usize> {
        SafeTensors::deserialize(&self.0).unwrap().tensor(name).unwrap().shape().to_vec()
    }

    pub(crate) fn floats(&self, name: &str) -> Vec<f32> {
        let tensors = SafeTensors::deserialize(&self.0).unwrap();
        let bytes = tensors.tensor(name).unwrap().data();
        bytes.chunks_exact(4).map(|b| f32::from_le_bytes(b.try_into().unwrap())).collect()
    }

    pub(crate) fn ids(&self, name: &str) -> Vec<u32> {
        let tensors = SafeTensors::deserialize(&self.0).unwrap();
        let bytes = tensors.tensor(name).unwrap().data();
        bytes.chunks_exact(8).map(|b| i64::from_le_bytes(b.try_into().unwrap()).try_into().unwrap()).collect()
    }
}

pub(crate) fn assert_close(what: &str, actual: &[f32], expected: &[f32], tolerance: f32) {
    assert_eq!(actual.len(), expected.len(), "{what}: lengths");
    let mut worst = 0.0_f32;
    for (i, (a, e)) in actual.iter().zip(expected).enumerate() {
        assert!((a - e).abs() <= tolerance, "{what}, element {i}: {a} is not within {tolerance} of {e}");
        worst = worst.max((a - e).abs());
    }
    println!("{what}: largest difference {worst:e}");
}
