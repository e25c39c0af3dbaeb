# What the other scripts share: where things are cached, how they speak. Sourced, not run.

set -euo pipefail

cache="${XDG_CACHE_HOME:-$HOME/.cache}/watchfire"

say() { printf '==> %s\n' "$*"; }

die() {
    printf 'error: %s\n' "$*" >&2
    exit 1
}

# Makes directory $1 by running the command that follows with a scratch directory as its last
# argument. A run that is cut short leaves nothing behind that looks complete.
build_once() {
    local target="$1" scratch
    shift
    mkdir -p "$(dirname "$target")"
    scratch="$(mktemp -d "$target.XXXXXX")"
    if "$@" "$scratch"; then
        rm -rf "$target"
        mv "$scratch" "$target"
    else
        rm -rf "$scratch"
        return 1
    fi
}
