#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use watchfire_fuzz::checks::Checks;

static CHECKS: LazyLock<Checks> = LazyLock::new(Checks::new);

fuzz_target!(|input: &[u8]| CHECKS.decoder(input));
