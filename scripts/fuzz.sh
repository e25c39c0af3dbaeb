#!/usr/bin/env bash
# Runs every fuzz target in turn on the core of the library, with what earlier runs have found.
#
# Usage: fuzz.sh SECONDS [TARGET..]   for each target; without targets: all of them

. "$(dirname "$0")/common.sh"
cd "$(dirname "$0")/.."

seconds="${1:?for how many seconds each target runs}"
targets=("${@:2}")
[ ${#targets[@]} -gt 0 ] || targets=(decoder rule state)

fuzz_version=0.13.2
if [ ! -x "$cache/cargo-fuzz-$fuzz_version/bin/cargo-fuzz" ]; then
    say "cargo-fuzz $fuzz_version: building it into $cache, once; this takes some minutes"
    # Apart from our own build, of which it shares nothing.
    env -u CARGO_TARGET_DIR cargo install cargo-fuzz --version "$fuzz_version" --locked --quiet \
        --root "$cache/cargo-fuzz-$fuzz_version"
fi

# Beside the project's build, since the flags differ.
export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-$PWD/target}/fuzz"
found="$CARGO_TARGET_DIR/corpus"

fuzz() {
    # Coverage is all that is asked of the compiler, so the stable one will do: the project has
    # no unsafe code for a sanitizer to watch.
    "$cache/cargo-fuzz-$fuzz_version/bin/cargo-fuzz" "$@"
}

say "inputs to begin with"
cargo run --quiet --locked --manifest-path fuzz/Cargo.toml --bin seeds "$found"

for target in "${targets[@]}"; do
    say "$target: $seconds s"
    mkdir -p "$found/$target"
    fuzz run --sanitizer none "$target" "$found/$target" "fuzz/corpus/$target" -- \
        -max_total_time="$seconds" -max_len=16384 -timeout=10 -rss_limit_mb=2048 \
        -print_final_stats=1
done
say "nothing found; what covers more than before is in $found"
