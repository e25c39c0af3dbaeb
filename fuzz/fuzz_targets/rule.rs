#![no_main]

use libfuzzer_sys::fuzz_target;
use watchfire_fuzz::checks::Checks;

thread_local! {
    static CHECKS: Checks = Checks::new();
}

fuzz_target!(|input: &[u8]| CHECKS.with(|checks| checks.rule(input)));
