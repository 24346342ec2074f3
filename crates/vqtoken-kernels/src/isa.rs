//! Which instruction set the kernels use: detected once, or forced by `VQTOKEN_ISA`.

use std::fmt;
use std::str::FromStr;
use std::sync::OnceLock;

/// The environment variable that forces an instruction set.
pub const ISA_VARIABLE: &str = "VQTOKEN_ISA";

/// An instruction set that kernels are written for. Each one is a superset of those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Isa {
    /// Plain Rust, which the compiler vectorizes for the target's baseline (SSE2 or NEON).
    Portable,
    /// AVX2 and FMA.
    Avx2,
    /// AVX-512 F, BW, DQ and VL, and its BF16 and VNNI dot products where the CPU has them.
    Avx512,
    /// AVX-512, and the AMX tile products of bf16 and int8.
    Amx,
}

/// Why an instruction set cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum IsaError {
    /// Not the name of an instruction set.
    #[error(
        "instruction set '{name}' is unknown: set VQTOKEN_ISA to portable, avx2, avx512 or amx, or unset it"
    )]
    Unknown {
        /// The name given.
        name: String,
    },
    /// The CPU or the operating system does not support it.
    #[error("this CPU cannot run the {wanted} kernels: set VQTOKEN_ISA to {best} or lower, or unset it")]
    Missing {
        /// The instruction set asked for.
        wanted: Isa,
        /// The best one that is supported.
        best: Isa,
    },
}

impl fmt::Display for Isa {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Isa::Portable => "portable",
            Isa::Avx2 => "avx2",
            Isa::Avx512 => "avx512",
            Isa::Amx => "amx",
        })
    }
}

impl FromStr for Isa {
    type Err = IsaError;

    fn from_str(name: &str) -> Result<Self, IsaError> {
        match name {
            "portable" => Ok(Isa::Portable),
            "avx2" => Ok(Isa::Avx2),
            "avx512" => Ok(Isa::Avx512),
            "amx" => Ok(Isa::Amx),
            _ => Err(IsaError::Unknown { name: name.to_owned() }),
        }
    }
}

/// All kernels, bound to an instruction set that this CPU supports.
///
/// Every constructor asks the CPU, which is what makes calling the kernels safe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kernels {
    isa: Isa,
}

impl Kernels {
    /// The best instruction set of this CPU.
    pub fn best() -> Self {
        static BEST: OnceLock<Isa> = OnceLock::new();
        Self { isa: *BEST.get_or_init(detect) }
    }

    /// The kernels of one instruction set.
    ///
    /// # Errors
    /// If the CPU does not support it.
    pub fn new(isa: Isa) -> Result<Self, IsaError> {
        let best = Self::best().isa;
        if isa > best { Err(IsaError::Missing { wanted: isa, best }) } else { Ok(Self { isa }) }
    }

    /// The kernels that `VQTOKEN_ISA` selects, or the best ones if it is not set.
    ///
    /// # Errors
    /// If the variable is not the name of an instruction set, or of one that the CPU does not support.
    pub fn from_env() -> Result<Self, IsaError> {
        match std::env::var_os(ISA_VARIABLE) {
            None => Ok(Self::best()),
            Some(name) => Self::new(name.to_string_lossy().parse()?),
        }
    }

    /// Those of [`Kernels::from_env`], read once per process, or the best ones if that fails.
    ///
    /// Model loading calls `from_env` and reports its error, so nothing is hidden here.
    pub fn global() -> Self {
        static GLOBAL: OnceLock<Kernels> = OnceLock::new();
        *GLOBAL.get_or_init(|| Self::from_env().unwrap_or_else(|_| Self::best()))
    }

    /// The kernels of every instruction set that this CPU supports, slowest first.
    pub fn available() -> Vec<Self> {
        [Isa::Portable, Isa::Avx2, Isa::Avx512, Isa::Amx]
            .into_iter()
            .filter(|isa| *isa <= Self::best().isa)
            .map(|isa| Self { isa })
            .collect()
    }

    /// The instruction set in use.
    pub fn isa(self) -> Isa {
        self.isa
    }

    /// Whether the CPU multiplies bf16 natively; otherwise bf16 weights are widened to `f32`.
    pub fn multiplies_bf16(self) -> bool {
        self.isa == Isa::Amx || self.has_bf16_dot()
    }

    /// Whether the CPU multiplies bytes natively. Then int8 layers round the activations of several rows to int8; elsewhere they keep up
    /// to 16 bits.
    pub fn multiplies_int8(self) -> bool {
        self.isa == Isa::Amx || self.has_vnni()
    }

    /// Whether AVX-512 BF16 may be used.
    pub(crate) fn has_bf16_dot(self) -> bool {
        #[cfg(target_arch = "x86_64")]
        return self.isa >= Isa::Avx512 && is_x86_feature_detected!("avx512bf16");
        #[cfg(not(target_arch = "x86_64"))]
        false
    }

    /// Whether AVX-512 VNNI may be used.
    pub(crate) fn has_vnni(self) -> bool {
        #[cfg(target_arch = "x86_64")]
        return self.isa >= Isa::Avx512 && is_x86_feature_detected!("avx512vnni");
        #[cfg(not(target_arch = "x86_64"))]
        false
    }
}

fn detect() -> Isa {
    #[cfg(target_arch = "x86_64")]
    if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
        let avx512 = is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("avx512bw")
            && is_x86_feature_detected!("avx512dq")
            && is_x86_feature_detected!("avx512vl");
        return match avx512 {
            true if crate::amx::is_available() => Isa::Amx,
            true => Isa::Avx512,
            false => Isa::Avx2,
        };
    }
    Isa::Portable
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_round_trip() {
        for kernels in Kernels::available() {
            assert_eq!(kernels.isa().to_string().parse(), Ok(kernels.isa()));
        }
        assert_eq!("sse9".parse::<Isa>(), Err(IsaError::Unknown { name: "sse9".to_owned() }));
    }

    #[test]
    fn an_unsupported_instruction_set_is_an_error() {
        let best = Kernels::best().isa();
        for isa in [Isa::Portable, Isa::Avx2, Isa::Avx512, Isa::Amx] {
            match Kernels::new(isa) {
                Ok(kernels) => assert!(kernels.isa() == isa && isa <= best),
                Err(error) => assert!(isa > best && error.to_string().contains(&best.to_string())),
            }
        }
    }
}
