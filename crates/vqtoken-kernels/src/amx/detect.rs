//! Whether AMX can be used: asked of the CPU, and of the operating system.

use std::arch::{asm, x86_64};

/// Whether the CPU has AMX with bf16 and int8 beside AVX-512 BF16, and the operating system lets this process use it.
pub(crate) fn request() -> bool {
    if cfg!(miri) {
        return false; // Miri reads no assembly, and this asks the CPU in assembly.
    }
    const OSXSAVE: u32 = 1 << 27;
    const TILES: u32 = 1 << 22 | 1 << 24 | 1 << 25;
    if x86_64::__cpuid(0).eax < 7 || x86_64::__cpuid(1).ecx & OSXSAVE == 0 {
        return false;
    }
    let tiles = x86_64::__cpuid_count(7, 0).edx & TILES == TILES;
    tiles && is_x86_feature_detected!("avx512bf16") && permitted()
}

/// Linux hands out the tiles' state on request only.
#[cfg(target_os = "linux")]
fn permitted() -> bool {
    const ARCH_PRCTL: i64 = 158;
    const REQUEST_STATE_PERMISSION: i64 = 0x1023;
    const TILE_DATA: i64 = 18;
    let status: i64;
    // SAFETY: the call takes two numbers and touches no memory of this process; `syscall` overwrites rcx and r11.
    unsafe {
        asm!(
            "syscall",
            inlateout("rax") ARCH_PRCTL => status,
            in("rdi") REQUEST_STATE_PERMISSION,
            in("rsi") TILE_DATA,
            lateout("rcx") _,
            lateout("r11") _,
            options(nostack),
        );
    }
    status == 0
}

#[cfg(not(target_os = "linux"))]
fn permitted() -> bool {
    false
}
