//! Where memory comes from.

use std::ffi::c_long;

use libmimalloc_sys::{mi_option_set_default, mi_option_t};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// `mi_option_purge_delay` of `mimalloc.h`, which the bindings leave out: for how many milliseconds
/// what was given back stays with the process.
const PURGE_DELAY: mi_option_t = 15;

/// A partition that is folded anew takes some seconds and much memory, which the next one needs.
/// Memory that comes from the system must be cleared each time: that costs a sixth of a recovery.
const KEPT_MS: c_long = 60_000;

/// Keeps memory that was given back for a while. `MIMALLOC_PURGE_DELAY` in the environment says
/// otherwise.
#[expect(unsafe_code, reason = "the allocator's safe interface lacks it")]
pub fn keep_for_a_while() {
    // SAFETY: sets a number that the allocator reads at any time.
    unsafe { mi_option_set_default(PURGE_DELAY, KEPT_MS) }
}

#[cfg(test)]
mod tests {
    use libmimalloc_sys::mi_option_get;

    use super::*;

    #[test]
    #[expect(unsafe_code, reason = "the allocator's safe interface lacks it")]
    fn the_option_is_the_one_that_is_meant() {
        let get = || {
            // SAFETY: reads a number.
            unsafe { mi_option_get(PURGE_DELAY) }
        };
        assert_eq!(get(), 1_000, "not the delay, or it has another default");
        keep_for_a_while();
        assert_eq!(get(), KEPT_MS);
    }
}
