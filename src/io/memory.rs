//! Where memory comes from.

use std::ffi::{c_int, c_long};

use libmimalloc_sys::{mi_option_set_default, mi_option_t};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// `mi_option_purge_delay` of `mimalloc.h`, which the bindings leave out: for how many milliseconds
/// what was given back stays with the process.
const PURGE_DELAY: mi_option_t = 15;

/// A partition that is folded anew takes some seconds and much memory, which the next one needs.
/// Memory that comes from the system must be cleared each time: that costs a sixth of a recovery.
const KEPT_MS: c_long = 60_000;

/// The same while nothing like that is done.
const USUAL_MS: c_long = 1_000;

/// Keeps memory that was given back for a while. `MIMALLOC_PURGE_DELAY` in the environment says
/// otherwise.
pub fn keep_for_a_while() {
    keep_for(KEPT_MS);
}

/// Keeps it no longer than usual, once what was said before has run out.
pub fn give_back_soon() {
    keep_for(USUAL_MS);
}

#[expect(unsafe_code, reason = "the allocator's safe interface lacks it")]
fn keep_for(milliseconds: c_long) {
    // SAFETY: sets a number that the allocator reads at any time.
    unsafe { mi_option_set_default(PURGE_DELAY, milliseconds) }
}

/// `M_ARENA_MAX` of `malloc.h`.
const ARENA_MAX: c_int = -8;

/// Has the C libraries, which have an allocator of their own, take their memory from one pool: with
/// the usual one for each thread, what one thread gave back is of no use to the others, and stays.
#[cfg(target_env = "gnu")]
#[expect(unsafe_code, reason = "the allocator has no other interface")]
pub fn share_one_pool() {
    unsafe extern "C" {
        fn mallopt(parameter: c_int, value: c_int) -> c_int;
    }
    // SAFETY: sets a number; it is called before there are other threads.
    let is_set = unsafe { mallopt(ARENA_MAX, 1) };
    debug_assert!(is_set == 1, "no such setting");
}

/// Other C libraries have one pool anyway.
#[cfg(not(target_env = "gnu"))]
pub fn share_one_pool() {}

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
        give_back_soon();
        assert_eq!(get(), USUAL_MS);
    }
}
