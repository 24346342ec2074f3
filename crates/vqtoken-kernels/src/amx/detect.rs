//! Whether the CPU and the operating system support AMX.

use std::arch::{asm, x86_64};

/// Whether the CPU has AVX-512 BF16 and AMX with bf16 and int8, and the operating system lets this process use the tiles.
pub(crate) fn is_available() -> bool {
    if cfg!(miri) {
        return false; // Miri cannot run the assembly.
    }
    const OSXSAVE: u32 = 1 << 27;
    const TILES: u32 = 1 << 22 | 1 << 24 | 1 << 25;
    if x86_64::__cpuid(0).eax < 7 || x86_64::__cpuid(1).ecx & OSXSAVE == 0 {
        return false;
    }
    let tiles = x86_64::__cpuid_count(7, 0).edx & TILES == TILES;
    tiles && is_x86_feature_detected!("avx512bf16") && request_permission()
}

/// Linux enables the tile state only for processes that ask for it.
#[cfg(target_os = "linux")]
fn request_permission() -> bool {
    const ARCH_PRCTL: i64 = 158;
    const REQUEST_STATE_PERMISSION: i64 = 0x1023;
    const TILE_DATA: i64 = 18;
    let status: i64;
    // SAFETY: the call takes two integers and touches no memory of this process; `syscall` clobbers rcx and r11.
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
fn request_permission() -> bool {
    false
}
