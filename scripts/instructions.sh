#!/usr/bin/env bash
# What a record, a match, a publication and a commit cost the core, in instructions: a figure
# without noise. Fails where one is more than 5 % over what benches/instructions.txt says;
# `scripts/instructions.sh --write` writes it anew.

. "$(dirname "$0")/common.sh"
cd "$(dirname "$0")/.."

known=benches/instructions.txt
compiler="$(rustc --version)"
machine="$(uname -m)"

if ! command -v valgrind > /dev/null; then
    say "instructions: NOT counted, valgrind is not installed"
    exit 0
fi
if [ "${1:-}" != --write ] && ! grep -qxF "# $compiler, $machine" "$known"; then
    say "instructions: NOT compared, $known was made by another compiler: $(head -1 "$known")"
    exit 0
fi

say "instructions: building the core"
program="$(cargo bench --locked --no-default-features --bench instructions --no-run \
    --message-format=json 2> /dev/null | sed -n 's/.*"executable":"\([^"]*instructions-[^"]*\)".*/\1/p')"
[ -x "$program" ] || die "instructions: benches/instructions.rs could not be built"

say "instructions: counting"
found="$(mktemp)"
trap 'rm -f "$found"' EXIT
echo "# $compiler, $machine" > "$found"
for case in record match publication commit; do
    said="$(valgrind --tool=callgrind --callgrind-out-file=/dev/null \
        --toggle-collect='*instructions::measured*' "$program" "$case" 2>&1)" \
        || die "instructions: $case: $said"
    times="$(grep -v '^==' <<< "$said" | tail -1)"
    all="$(sed -n 's/.*Collected : \([0-9]*\).*/\1/p' <<< "$said")"
    [ "${all:-0}" -gt "$times" ] || die "instructions: $case: nothing was counted: $said"
    echo "$case $((all / times))" >> "$found"
done

if [ "${1:-}" = --write ]; then
    cp "$found" "$known"
    cat "$known"
    exit 0
fi
grown=0
while read -r case now; do
    before="$(sed -n "s/^$case //p" "$known")"
    say "instructions: a $case takes $now; $known has ${before:-nothing}"
    if [ -z "$before" ] || [ $((now * 100)) -gt $((before * 105)) ]; then
        grown=1
    fi
done < <(grep -v '^#' "$found")
[ "$grown" = 0 ] || die "instructions: more than 5 % over $known. If that is meant:" \
    "scripts/instructions.sh --write"
