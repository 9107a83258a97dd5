//! The tile registers of AMX, by inline assembly: the intrinsics are not stable.
//!
//! The kernel gives a process the registers when it is asked for them once. A [`Unit`] is a thread's use of them: it
//! loads a configuration and releases the registers when it is dropped, so that the kernel need not
//! save 8 KiB with every switch of threads.

pub(super) use unit::{Unit, is_available};

#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
mod unit {
    use std::arch::asm;
    use std::arch::x86_64::{__cpuid, __cpuid_count, _xgetbv};
    use std::marker::PhantomData;
    use std::sync::OnceLock;

    use crate::engine::cpu::bf16::tiles::{SIDE, TileUnit};

    /// Whether this machine has AMX-BF16 and the kernel gives this process its registers.
    pub fn is_available() -> bool {
        static PERMITTED: OnceLock<bool> = OnceLock::new();
        *PERMITTED.get_or_init(|| has_instructions() && is_permitted())
    }

    /// Whether the processor has AMX-TILE and AMX-BF16, and the kernel saves the registers of both.
    fn has_instructions() -> bool {
        const OSXSAVE: u32 = 1 << 27;
        const TILES: u32 = 1 << 24 | 1 << 22;
        const STATE: u64 = 1 << 17 | 1 << 18;
        let has_state = || {
            // SAFETY: `OSXSAVE` says that there is the instruction.
            let state = unsafe { enabled() };
            state & STATE == STATE
        };
        __cpuid(0).eax >= 7
            && __cpuid(1).ecx & OSXSAVE != 0
            && __cpuid_count(7, 0).edx & TILES == TILES
            && has_state()
    }

    #[target_feature(enable = "xsave")]
    unsafe fn enabled() -> u64 {
        // SAFETY: register 0 is there where the instruction is.
        unsafe { _xgetbv(0) }
    }

    /// Asks for the registers; Linux since 5.16 gives them.
    fn is_permitted() -> bool {
        const ARCH_PRCTL: i64 = 158;
        const ARCH_REQ_XCOMP_PERM: u64 = 0x1023;
        const XTILEDATA: u64 = 18;
        let result: i64;
        // SAFETY: the call changes nothing but which registers the process may use; older kernels refuse it.
        unsafe {
            asm!(
                "syscall",
                inlateout("rax") ARCH_PRCTL => result,
                in("rdi") ARCH_REQ_XCOMP_PERM,
                in("rsi") XTILEDATA,
                out("rcx") _,
                out("r11") _,
                options(nostack),
            );
        }
        result == 0
    }

    /// The operand of `ldtilecfg`.
    #[repr(C, align(64))]
    struct Configuration {
        palette: u8,
        start_row: u8,
        reserved: [u8; 14],
        bytes: [u16; 16],
        rows: [u8; 16],
    }

    /// Eight registers of 16 rows of 64 bytes.
    static WHOLE: Configuration = {
        let mut all = Configuration {
            palette: 1,
            start_row: 0,
            reserved: [0; 14],
            bytes: [0; 16],
            rows: [0; 16],
        };
        let mut tile = 0;
        while tile < 8 {
            all.bytes[tile] = (SIDE * size_of::<u32>()) as u16;
            all.rows[tile] = SIDE as u8;
            tile += 1;
        }
        all
    };

    /// The registers of the current thread.
    pub struct Unit(PhantomData<*const ()>);

    impl Unit {
        /// Configures them.
        ///
        /// # Panics
        /// Without AMX: the engine would be wrong.
        pub fn new() -> Self {
            assert!(is_available());
            // SAFETY: the instruction is there and permitted.
            unsafe { asm!("ldtilecfg [{}]", in(reg) &raw const WHOLE, options(nostack, readonly)) };
            Self(PhantomData)
        }
    }

    impl Drop for Unit {
        fn drop(&mut self) {
            // SAFETY: a unit is made where the instructions are, and `run` holds one a thread at a time.
            unsafe { asm!("tilerelease", options(nostack, nomem)) };
        }
    }

    /// Every instruction keeps to the registers of this module: no code is compiled with AMX enabled, so the compiler
    /// uses none of them.
    impl TileUnit for Unit {
        #[inline(always)]
        fn zero<const TILE: u8>(&mut self) {
            // SAFETY: a unit is made where the instructions are.
            unsafe { asm!("tilezero tmm{t}", t = const TILE, options(nostack, nomem)) };
        }

        #[inline(always)]
        unsafe fn load<const TILE: u8>(&mut self, from: *const u32, stride: usize) {
            // SAFETY: as above; the trait's requirements.
            unsafe {
                asm!(
                    "tileloadd tmm{t}, [{from} + {stride}]",
                    t = const TILE, from = in(reg) from, stride = in(reg) stride,
                    options(nostack, readonly),
                );
            }
        }

        #[inline(always)]
        unsafe fn store<const TILE: u8>(&mut self, to: *mut u32, stride: usize) {
            // SAFETY: as above; the trait's requirements.
            unsafe {
                asm!(
                    "tilestored [{to} + {stride}], tmm{t}",
                    t = const TILE, to = in(reg) to, stride = in(reg) stride,
                    options(nostack),
                );
            }
        }

        #[inline(always)]
        fn dot<const C: u8, const A: u8, const B: u8>(&mut self) {
            // SAFETY: a unit is made where the instructions are.
            unsafe {
                asm!(
                    "tdpbf16ps tmm{c}, tmm{a}, tmm{b}",
                    c = const C, a = const A, b = const B,
                    options(nostack, nomem),
                );
            }
        }
    }
}

#[cfg(not(all(target_arch = "x86_64", target_os = "linux")))]
mod unit {
    use crate::engine::cpu::bf16::tiles::TileUnit;

    /// No.
    pub fn is_available() -> bool {
        false
    }

    /// There is none.
    pub enum Unit {}

    impl Unit {
        /// # Panics
        /// Always: the engine would be wrong.
        pub fn new() -> Self {
            unreachable!("there is no AMX")
        }
    }

    impl TileUnit for Unit {
        fn zero<const TILE: u8>(&mut self) {
            match *self {}
        }

        unsafe fn load<const TILE: u8>(&mut self, _: *const u32, _: usize) {
            match *self {}
        }

        unsafe fn store<const TILE: u8>(&mut self, _: *mut u32, _: usize) {
            match *self {}
        }

        fn dot<const C: u8, const A: u8, const B: u8>(&mut self) {
            match *self {}
        }
    }
}
