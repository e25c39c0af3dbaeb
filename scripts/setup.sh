#!/usr/bin/env bash
# Installs the Debian packages that are missing. Each is looked for by what it provides, so that a
# tool that was installed in another way counts.
#
# Usage: setup.sh [build] [test]   what they are needed for

. "$(dirname "$0")/common.sh"

missing=()

# need PACKAGE COMMAND..: the package is missing where the command fails.
need() {
    local package="$1"
    shift
    "$@" >/dev/null 2>&1 || missing+=("$package")
}

# The C library of clang; libclang-cpp, which lies in the same places, is another.
has_libclang() {
    local place
    [ -n "${LIBCLANG_PATH:-}" ] && return
    for place in '/usr/lib/llvm-*/lib' '/usr/lib*' '/usr/lib/*-linux-*'; do
        compgen -G "$place/libclang.so*" && return
        compgen -G "$place/libclang-[0-9]*.so*" && return
    done
    return 1
}

has_header() {
    echo "#include <$1>" | cc -E -x c -
}

# Kafka asks for Java 17 or later.
has_java_17() {
    [ "$(java -version 2>&1 | sed -n '1s/[^"]*"\([0-9]*\).*/\1/p')" -ge 17 ]
}

# The browser that opens pages in the tests.
has_chromium() {
    chromium --version || google-chrome --version
}

need_to_build() {
    need g++ g++ --version
    need make make --version
    need pkg-config pkg-config --version
    need libclang-dev has_libclang
    need libssl-dev has_header openssl/ssl.h
    need zlib1g-dev has_header zlib.h
}

need_to_test() {
    need default-jre-headless has_java_17
    need maven mvn --version
    need python3-venv python3 -c 'import venv, ensurepip'
    need chromium has_chromium
}

install_missing() {
    say "installing with apt-get: ${missing[*]}"
    command -v apt-get >/dev/null \
        || die "not found: ${missing[*]} (Debian names). Install them in your system's way."
    local as_root=()
    if [ "$(id -u)" -ne 0 ]; then
        command -v sudo >/dev/null \
            || die "sudo is not here. As root: apt-get install ${missing[*]}"
        as_root=(sudo)
    fi
    "${as_root[@]}" apt-get update -qq
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
        apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null \
        || die "apt-get could not install ${missing[*]}."
}

for purpose in "$@"; do
    say "looking for what is needed to $purpose"
    "need_to_$purpose"
done
if [ "${#missing[@]}" -gt 0 ]; then
    install_missing
fi
command -v cargo >/dev/null \
    || die "cargo is not here. Install Rust 1.88 or later from https://rustup.rs and try again."
