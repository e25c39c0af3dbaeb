#!/usr/bin/env bash
# Checks deploy/ and the documents: the chart, manifests, alerts, dashboard, Bicep, Terraform, the
# image's recipe, the examples, links, the site. Gets the tools that it can get into the cache, once; says of each of the others that it
# is not here, and what needs it is skipped. None is missed for the rest.

. "$(dirname "$0")/common.sh"
cd "$(dirname "$0")/.."

helm_version=v3.22.0
actionlint_version=v1.7.12
mdbook_version=0.5.4
here="$PWD/tests/deploy"
tools="$cache/deploy"
mkdir -p "$tools/bin"

make_environment() {
    python3 -m venv "$1" \
        && "$1/bin/python" -m pip install --quiet --disable-pip-version-check \
            --only-binary :all: --requirement "$here/requirements.txt" \
        && cp "$here/requirements.txt" "$1/requirements.txt"
}

make_packages() {
    cp "$here/package.json" "$1/" \
        && (cd "$1" && npm install --silent --no-audit --no-fund --ignore-scripts >/dev/null)
}

# $1: a tool; the rest: what puts it into the cache.
get() {
    local tool="$1"
    shift
    if command -v "$tool" >/dev/null || [ -x "$tools/bin/$tool" ]; then
        return
    fi
    say "$tool: getting it into $tools/bin, once"
    "$@" >/dev/null 2>&1 || say "$tool: could not be got"
}

get_helm() {
    command -v go >/dev/null \
        && GOBIN="$tools/bin" go install "helm.sh/helm/v3/cmd/helm@$helm_version"
}

get_actionlint() {
    command -v go >/dev/null \
        && GOBIN="$tools/bin" go install \
            "github.com/rhysd/actionlint/cmd/actionlint@$actionlint_version"
}

get_mdbook() {
    # Apart from our own build, of which it shares nothing; without its server.
    env -u CARGO_TARGET_DIR cargo install mdbook --version "$mdbook_version" --locked \
        --no-default-features --features search --root "$tools"
}

# Debian's package holds the server as well, which is not installed.
get_promtool() {
    local scratch
    scratch="$(mktemp -d)"
    # apt reads its file as a user of its own.
    chmod 755 "$scratch"
    (cd "$scratch" \
        && { apt-get download prometheus || { apt-get update && apt-get download prometheus; }; } \
        && dpkg-deb -x prometheus_*.deb . && cp usr/bin/promtool "$tools/bin/")
    local outcome=$?
    rm -rf "$scratch"
    return "$outcome"
}

if ! cmp -s "$here/requirements.txt" "$tools/python/requirements.txt"; then
    say "Python environment of the checks: installing it into $tools/python"
    build_once "$tools/python" make_environment \
        || die "The Python packages of $here/requirements.txt could not be installed."
fi
if command -v npm >/dev/null && ! cmp -s "$here/package.json" "$tools/npm/package.json"; then
    say "npm packages of the checks: installing them into $tools/npm"
    build_once "$tools/npm" make_packages || say "npm packages: could not be installed"
fi
get helm get_helm
get promtool get_promtool
get actionlint get_actionlint
get mdbook get_mdbook
for tool in helm promtool actionlint mdbook terraform node bicep; do
    command -v "$tool" >/dev/null || [ -x "$tools/bin/$tool" ] \
        || say "$tool is not here: what needs it is not checked"
done

# As the tests build it, so that it is built once for both.
say "building the program, if it is not yet"
cargo build --locked --features canary --bin watchfire
ln -sf "$(realpath "${CARGO_TARGET_DIR:-target}/debug/watchfire")" "$tools/bin/watchfire"

say "checking deploy/ and the documents"
DEPLOY_TOOLS="$tools" "$tools/python/bin/python" -B -m unittest discover --start-directory "$here" \
    --verbose
