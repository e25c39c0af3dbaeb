#!/usr/bin/env bash
# Everything that is checked without running the program: format, lints, dependencies.

. "$(dirname "$0")/common.sh"
cd "$(dirname "$0")/.."

deny_version=0.20.2
deny="$cache/cargo-deny-$deny_version/bin/cargo-deny"

say "format"
cargo fmt --check

say "lints"
cargo clippy --locked --all-targets --features canary -- -D warnings

if [ ! -x "$deny" ]; then
    say "cargo-deny $deny_version: building it into $cache, once; this takes some minutes"
    # Apart from our own build, of which it shares nothing.
    env -u CARGO_TARGET_DIR cargo install cargo-deny --version "$deny_version" --locked --quiet \
        --root "$cache/cargo-deny-$deny_version"
fi

say "licences, bans and sources of the dependencies"
"$deny" check --hide-inclusion-graph licenses bans sources

say "advisories"
if "$deny" fetch db; then
    "$deny" check --disable-fetch advisories
else
    say "advisories: NOT checked, the advisory database cannot be fetched from here"
fi
