#!/usr/bin/env bash
# Makes the Python environment of the tests' independent reader in the cache, once for each state
# of its requirements.

. "$(dirname "$0")/common.sh"

requirements="$(cd "$(dirname "$0")/.." && pwd)/tests/it/reader/requirements.txt"
home="$cache/reader"

make_environment() {
    local scratch="$1"
    python3 -m venv "$scratch" \
        && "$scratch/bin/python" -m pip install --quiet --disable-pip-version-check \
            --only-binary :all: --requirement "$requirements" \
        && cp "$requirements" "$scratch/requirements.txt"
}

if cmp -s "$requirements" "$home/requirements.txt"; then
    say "Python reader: there already ($home)"
else
    say "Python reader: installing $(paste -sd' ' "$requirements") into $home"
    build_once "$home" make_environment || die "The Python reader could not be installed."
fi
