#!/usr/bin/env bash
# Does this checkout publish, for the same matches logs, byte for byte what another commit does?
# Records logs with that commit (generated weeks and the simulation's worlds), folds them with both.
#
#     scripts/compare-folds.sh COMMIT [FOLDER]
#
# FOLDER keeps the logs, and what each of the two says; logs that are there already are used.

. "$(dirname "$0")/common.sh"

commit="${1:-}"
[ -n "$commit" ] || die "which commit? scripts/compare-folds.sh COMMIT [FOLDER]"
here="$(cd "$(dirname "$0")/.." && pwd)"
folder="$(realpath -m "${2:-$(mktemp -d)}")"
mkdir -p "$folder/logs" "$folder/other" "$folder/here"

# Runs an ignored test of the checkout $1.
run() {
    (cd "$1" && cargo test --locked --release --test it -- --exact --ignored --nocapture "$2")
}

say "Building $commit and this checkout"
other="$(mktemp -d)"
git -C "$here" worktree add --quiet --detach "$other" "$commit"
trap 'git -C "$here" worktree remove --force "$other"' EXIT

if ! compgen -G "$folder/logs/*.log" > /dev/null; then
    export WATCHFIRE_RECORD_TO="$folder/logs"
    run "$other" recorded::record_weeks
    (cd "$other" && cargo test --locked --release --test it -- --exact sim::engine_equals_oracle)
    unset WATCHFIRE_RECORD_TO
fi
export WATCHFIRE_RECORDED="$folder/logs"
WATCHFIRE_SAID="$folder/other" run "$other" recorded::fold_recorded_logs
WATCHFIRE_SAID="$folder/here" run "$here" recorded::fold_recorded_logs
diff --recursive --brief "$folder/other" "$folder/here" \
    || die "they say something else; see the files in $folder"
say "All the same: $(cat "$folder"/here/*.said | grep -vc '^all') publications"
