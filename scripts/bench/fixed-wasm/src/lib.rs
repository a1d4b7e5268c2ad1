//! Every export does its operation `n` times on pseudo-random numbers below 16; `nothing` is what the loop itself costs.
#![no_std]
#![allow(dead_code)]

#[path = "../../../../primitives/src/fixed.rs"]
mod fixed;

extern crate alloc;

use core::alloc::{GlobalAlloc, Layout};
use fixed::{Fixed, exp2, exp2_neg};

#[panic_handler]
fn panic(_: &core::panic::PanicInfo) -> ! {
    core::arch::wasm32::unreachable()
}

/// Nothing that is timed allocates.
struct NoMemory;

unsafe impl GlobalAlloc for NoMemory {
    unsafe fn alloc(&self, _: Layout) -> *mut u8 {
        core::ptr::null_mut()
    }
    unsafe fn dealloc(&self, _: *mut u8, _: Layout) {}
}

#[global_allocator]
static MEMORY: NoMemory = NoMemory;

fn repeat(n: u32, operation: impl Fn(Fixed, Fixed) -> u128) -> u64 {
    let (mut state, mut sum) = (1_u128, 0_u64);
    for _ in 0..n {
        let mut next = || {
            state = state
                .wrapping_mul(0x2360_ed05_1fc6_5da4_4385_df64_9fcc_f645)
                .wrapping_add(0x5851_f42d_4c95_7f2d_1405_7b7e_f767_814f);
            Fixed::from_bits(state >> 60)
        };
        let (a, b) = (next(), next());
        sum = sum.wrapping_add(operation(a, b) as u64);
    }
    sum
}

macro_rules! export {
    ($($name:ident: |$a:ident, $b:ident| $operation:expr;)*) => {
        $(#[unsafe(no_mangle)]
        pub extern "C" fn $name(n: u32) -> u64 {
            repeat(n, |$a, $b| $operation.to_bits() as u128)
        })*
    };
}

export! {
    nothing: |a, b| a.plus(b);
    times: |a, b| a.times(b);
    over: |a, b| a.over(b);
    exp2_: |a, _b| exp2(a);
    exp2_neg_: |a, _b| exp2_neg(a);
    log2_: |a, _b| a.log2().unwrap_or_default();
    ln_1p: |a, _b| a.ln_1p();
    pow_: |a, b| a.pow(b);
    decay: |a, b| fixed::decay(a.to_bits() as u64, b.to_bits() as u64);
}
