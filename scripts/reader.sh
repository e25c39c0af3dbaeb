#!/usr/bin/env bash
# Makes the Python environments of the tests in the cache, once for each state of their
# requirements: that of the independent reader, and that of the schema of OCSF, without which one
# test is skipped.

. "$(dirname "$0")/common.sh"

folder="$(cd "$(dirname "$0")/.." && pwd)/tests/it/reader"

make_environment() {
    local requirements="$1" scratch="$2"
    python3 -m venv "$scratch" \
        && "$scratch/bin/python" -m pip install --quiet --disable-pip-version-check \
            --only-binary :all: --requirement "$requirements" \
        && cp "$requirements" "$scratch/requirements.txt"
}

# Makes the environment $1 by the requirements in file $2.
environment() {
    local home="$cache/$1" requirements="$folder/$2"
    if cmp -s "$requirements" "$home/requirements.txt"; then
        say "Python environment $1: there already ($home)"
        return
    fi
    say "Python environment $1: installing $(paste -sd' ' "$requirements") into $home"
    build_once "$home" make_environment "$requirements"
}

environment reader requirements.txt || die "The Python reader could not be installed."
environment ocsf requirements-ocsf.txt \
    || say "The schema of OCSF could not be installed: the test against it is skipped"
