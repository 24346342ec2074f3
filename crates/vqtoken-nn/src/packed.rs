//! Packed weights of linear layers, and the precision that they are stored in.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use vqtoken_kernels::{Kernels, PackedLinear, WeightKind};

/// The precision in which inference stores and multiplies the weights of linear layers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Precision {
    /// bf16 if the CPU multiplies it natively or the checkpoint is stored in bf16, else `f32`.
    #[default]
    Auto,
    /// Four bytes a weight.
    F32,
    /// Two bytes a weight; activations are rounded to bf16 too if the CPU multiplies it natively.
    Bf16,
    /// One byte a weight and one scale an output channel; activations are quantized with one scale a token, to int8 where the CPU multiplies
    /// bytes and to up to 16 bits elsewhere, but for vision towers, where they have 7 bits with AVX2.
    Int8,
    /// Half a byte a weight and one scale for each 32 inputs of an output channel, for the layers of a language model; all others are `Int8`.
    Int4,
}

impl Precision {
    /// Replaces `Auto` by the precision to use for weights that a checkpoint stores as `stored`; never returns `Auto`.
    pub fn resolve(self, stored: Self) -> Self {
        match self {
            Self::Auto if stored == Self::Bf16 || Kernels::global().multiplies_bf16() => Self::Bf16,
            Self::Auto => Self::F32,
            other => other,
        }
    }

    /// Whether a product with a single row gives it the bits that it has beside other, independent rows.
    pub fn is_alike_for_single_rows(self) -> bool {
        self != Self::Bf16 || !Kernels::global().multiplies_bf16()
    }

    /// Whether what a product with several rows gives for one of them does not depend on the others, even if they are not independent.
    pub fn is_alike_beside_any_rows(self) -> bool {
        self != Self::Int8 || !Kernels::global().multiplies_int8()
    }

    /// [`Self::weight_kind`] in a vision tower, which bears coarser activations than a language model.
    pub fn tower_weight_kind(self) -> WeightKind {
        match self {
            Self::Int8 | Self::Int4 => WeightKind::Int8Coarse,
            other => other.weight_kind(),
        }
    }

    /// The type of packed weights; `f32` for an unresolved `Auto`.
    pub fn weight_kind(self) -> WeightKind {
        match self {
            Self::Auto | Self::F32 => WeightKind::F32,
            Self::Bf16 => WeightKind::Bf16,
            Self::Int8 => WeightKind::Int8,
            Self::Int4 => WeightKind::Int4,
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
            Self::Int4 => "int4",
        })
    }
}

impl FromStr for Precision {
    type Err = PrecisionError;

    fn from_str(text: &str) -> Result<Self, PrecisionError> {
        match text {
            "auto" => Ok(Self::Auto),
            "f32" => Ok(Self::F32),
            "bf16" => Ok(Self::Bf16),
            "int8" => Ok(Self::Int8),
            "int4" => Ok(Self::Int4),
            _ => Err(PrecisionError { text: text.to_owned() }),
        }
    }
}

/// The text is not the name of a precision.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("invalid precision {text:?}: expected auto, f32, bf16, int8 or int4")]
#[non_exhaustive]
pub struct PrecisionError {
    /// The text given.
    pub text: String,
}

/// Says whether what is being computed is still wanted; once it says no, it never says yes again.
#[derive(Clone)]
pub struct Wanted(Arc<dyn Fn() -> bool + Send + Sync>);

impl Wanted {
    /// Asks `is_wanted` again and again, from several threads, in the middle of products.
    pub fn new(is_wanted: impl Fn() -> bool + Send + Sync + 'static) -> Self {
        Self(Arc::new(is_wanted))
    }

    /// Whether it still is.
    pub fn is_wanted(&self) -> bool {
        (self.0)()
    }
}

/// The packed weights and the bias of a linear layer. Clones share them.
#[derive(Clone)]
pub struct Packed {
    weights: Arc<PackedLinear>,
    wanted: Option<Wanted>,
}

impl Packed {
    /// Wraps packed weights.
    pub fn new(weights: PackedLinear) -> Self {
        Self { weights: Arc::new(weights), wanted: None }
    }

    /// Products that are not wanted any more are left undone, and what comes out is of no use. Other clones go on.
    pub(crate) fn set_wanted(&mut self, wanted: Wanted) {
        self.wanted = Some(wanted);
    }

    /// Features of an input.
    pub fn inputs(&self) -> usize {
        self.weights.inputs()
    }

    /// Features of an output.
    pub fn outputs(&self) -> usize {
        self.weights.outputs()
    }

    /// Bytes of the weights.
    pub fn bytes(&self) -> usize {
        self.weights.bytes()
    }

    /// The weights of one output, `[d_input]`, as they are stored.
    ///
    /// # Panics
    ///
    /// Panics if `output` is not below the number of outputs.
    pub fn row(&self, output: usize) -> Vec<f32> {
        self.weights.row(output)
    }

    pub(crate) fn weights(&self) -> &PackedLinear {
        &self.weights
    }

    pub(crate) fn wanted(&self) -> Option<&Wanted> {
        self.wanted.as_ref()
    }
}

/// A layer whose weight can be packed.
pub trait Pack {
    /// `[d_output, d_input]`
    fn shape(&self) -> [usize; 2];

    /// Whether the layer has a bias.
    fn has_bias(&self) -> bool;

    /// Bytes of its packed weights; 0 if it is not packed.
    fn packed_bytes(&self) -> usize;

    /// Replaces the parameters by packed weights of the same shape.
    fn set_packed(&mut self, packed: Packed);

    /// Leaves products with packed weights undone once they are not wanted any more; what comes out then is of no use. Other clones of the
    /// layer go on.
    fn set_wanted(&mut self, wanted: Wanted);
}

/// A module that contains layers whose weights can be packed.
pub trait PackLayers {
    /// Calls `visit` with the path of each such layer, as checkpoints name it, and the layer.
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

/// Implements [`PackLayers`] for a module, given the fields that contain such layers.
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
