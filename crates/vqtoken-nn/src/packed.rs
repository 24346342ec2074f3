//! Weights of linear layers packed for the kernels, and the precision that they are kept in.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use vqtoken_kernels::PackedLinear;

use crate::kernel_ops::kernels;

/// How the weights of linear layers are kept, and multiplied, for inference.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Precision {
    /// bf16 where the CPU multiplies it natively or where the checkpoint is bf16 already, else `f32`.
    #[default]
    Auto,
    /// Four bytes a weight.
    F32,
    /// Two bytes a weight; activations are rounded to bf16 too where the CPU multiplies bf16 natively.
    Bf16,
    /// One byte a weight, one scale an output channel; activations are rounded to int8 with one scale a token.
    Int8,
}

impl Precision {
    /// What is meant for weights that are stored as bf16 (`stored_bf16`) or as something wider: never `Auto`.
    pub fn resolve(self, stored_bf16: bool) -> Self {
        match self {
            Self::Auto if stored_bf16 || kernels().multiplies_bf16() => Self::Bf16,
            Self::Auto => Self::F32,
            other => other,
        }
    }
}

impl fmt::Display for Precision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Auto => "auto",
            Self::F32 => "f32",
            Self::Bf16 => "bf16",
            Self::Int8 => "int8",
        })
    }
}

impl FromStr for Precision {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "auto" => Ok(Self::Auto),
            "f32" => Ok(Self::F32),
            "bf16" => Ok(Self::Bf16),
            "int8" => Ok(Self::Int8),
            _ => Err(format!("{text:?} is no precision: give auto, f32, bf16 or int8")),
        }
    }
}

/// The packed weights, and bias, of a linear layer; shared by clones of the model.
#[derive(Clone)]
pub struct Packed(Arc<PackedLinear>);

impl Packed {
    /// Takes weights that have been packed.
    pub fn new(weights: PackedLinear) -> Self {
        Self(Arc::new(weights))
    }

    /// Features of an input.
    pub fn inputs(&self) -> usize {
        self.0.inputs()
    }

    /// Features of an output.
    pub fn outputs(&self) -> usize {
        self.0.outputs()
    }

    /// Bytes that the weights take.
    pub fn bytes(&self) -> usize {
        self.0.bytes()
    }

    /// The weights of one output, `[d_input]`, as they are kept.
    ///
    /// # Panics
    ///
    /// Panics if there is no such output.
    pub fn row(&self, output: usize) -> Vec<f32> {
        self.0.row(output)
    }

    pub(crate) fn share(&self) -> Arc<PackedLinear> {
        self.0.clone()
    }
}

/// A layer whose weight can be packed.
pub trait Pack {
    /// `[d_output, d_input]`
    fn shape(&self) -> [usize; 2];

    /// Whether the packed weights are to hold a bias.
    fn has_bias(&self) -> bool;

    /// Bytes of its packed weights, 0 if it has none.
    fn packed_bytes(&self) -> usize;

    /// Puts packed weights, of the layer's shape, in the place of its parameters.
    fn set_packed(&mut self, packed: Packed);
}

/// A module that has such layers somewhere inside.
pub trait PackLayers {
    /// Calls `visit` with each of them and with its path, as checkpoints name it.
    fn for_each_packable(&mut self, path: &str, visit: &mut dyn FnMut(&str, &mut dyn Pack));
}

impl<T: PackLayers> PackLayers for Option<T> {
    fn for_each_packable(&mut self, path: &str, visit: &mut dyn FnMut(&str, &mut dyn Pack)) {
        if let Some(module) = self {
            module.for_each_packable(path, visit);
        }
    }
}

impl<T: PackLayers> PackLayers for Vec<T> {
    fn for_each_packable(&mut self, path: &str, visit: &mut dyn FnMut(&str, &mut dyn Pack)) {
        for (index, module) in self.iter_mut().enumerate() {
            module.for_each_packable(&format!("{path}.{index}"), visit);
        }
    }
}

/// Implements [`PackLayers`] for a module by naming the fields that have layers to pack.
#[macro_export]
macro_rules! pack_layers {
    ($module:ty { $($field:ident),+ $(,)? }) => {
        impl $crate::PackLayers for $module {
            fn for_each_packable(&mut self, path: &str, visit: &mut dyn FnMut(&str, &mut dyn $crate::Pack)) {
                let dot = if path.is_empty() { "" } else { "." };
                $(
                    let name = format!("{path}{dot}{}", stringify!($field));
                    $crate::PackLayers::for_each_packable(&mut self.$field, &name, visit);
                )+
            }
        }
    };
}

impl fmt::Debug for Packed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Packed[{} x {}, {} bytes]", self.outputs(), self.inputs(), self.bytes())
    }
}
