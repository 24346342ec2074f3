//! The macro that selects an instruction set at run time.

/// Compiles a function over [`Simd`](super::Simd) for every instruction set, and defines a function that takes
/// [`crate::Kernels`] first and calls the variant for it.
macro_rules! kernel {
    ($(#[$meta:meta])* $vis:vis fn $name:ident($($arg:ident: $ty:ty),* $(,)?) $(-> $out:ty)? = $generic:path) => {
        $(#[$meta])*
        #[allow(clippy::too_many_arguments)]
        $vis fn $name(kernels: $crate::Kernels, $($arg: $ty),*) $(-> $out)? {
            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx2,fma")]
            fn avx2(simd: $crate::simd::Avx2, $($arg: $ty),*) $(-> $out)? {
                $generic(simd, $($arg),*)
            }
            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx2,fma,avx512f,avx512bw,avx512dq,avx512vl")]
            fn avx512(simd: $crate::simd::Avx512, $($arg: $ty),*) $(-> $out)? {
                $generic(simd, $($arg),*)
            }
            match kernels.isa() {
                // SAFETY: `Kernels` of this instruction set exist only if the CPU supports it.
                #[cfg(target_arch = "x86_64")]
                $crate::Isa::Avx2 => unsafe { avx2($crate::simd::Avx2::assume(), $($arg),*) },
                // SAFETY: as above.
                #[cfg(target_arch = "x86_64")]
                $crate::Isa::Avx512 | $crate::Isa::Amx => unsafe { avx512($crate::simd::Avx512::assume(), $($arg),*) },
                _ => $generic($crate::simd::Portable, $($arg),*),
            }
        }
    };
}
pub(crate) use kernel;
