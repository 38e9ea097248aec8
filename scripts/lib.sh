# What the scripts share: where things are, and how what is missing gets installed.
# shellcheck shell=bash

cd "$(dirname "${BASH_SOURCE[0]}")/.."

cache="${XDG_CACHE_HOME:-$HOME/.cache}/kalamdb"
export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-$cache/target}"
mkdir -p "$cache"

say() {
    printf '\n== %s\n' "$*" >&2
}

fail() {
    printf '%s: %s\n' "$(basename "$0")" "$*" >&2
    exit 1
}

# get PACKAGE...: by apt when root, otherwise says what to install.
get() {
    if [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null; then
        say "installing $*"
        export DEBIAN_FRONTEND=noninteractive
        apt-get install -y --no-install-recommends "$@" >/dev/null 2>&1 ||
            { apt-get update -q >/dev/null && apt-get install -y --no-install-recommends "$@" >/dev/null; }
    else
        fail "please install: $* (Debian's names), then run this again"
    fi
}

# What building needs: a C compiler for RocksDB and libclang for its bindings, make for jemalloc.
need_build_tools() {
    command -v cargo >/dev/null || fail "please install Rust (https://rustup.rs), then run this again"
    local missing=()
    command -v c++ >/dev/null || missing+=(g++)
    command -v make >/dev/null || missing+=(make)
    # libclang-cpp is another library, and there without this one on some machines.
    if ! ldconfig -p 2>/dev/null | grep -Eq 'libclang(-[0-9.]+)?\.so' &&
        ! compgen -G '/usr/lib/llvm-*/lib/libclang.so*' >/dev/null &&
        ! compgen -G '/usr/lib/llvm-*/lib/libclang-[0-9]*.so*' >/dev/null; then
        missing+=(libclang-dev clang)
    fi
    [ ${#missing[@]} -eq 0 ] || get "${missing[@]}"
}

# rustfmt and clippy, which minimal toolchains lack.
need_lints() {
    cargo clippy --version >/dev/null 2>&1 && cargo fmt --version >/dev/null 2>&1 && return
    command -v rustup >/dev/null || fail "please install clippy and rustfmt, then run this again"
    rustup component add clippy rustfmt
}

# PostgreSQL 15, the oracle, with pgbench and postgres_fdw.
need_postgres() {
    if [ -z "${KALAMDB_PG_BIN:-}" ] && ! [ -x /usr/lib/postgresql/15/bin/pgbench ]; then
        # Its packages would start a cluster of their own, which nobody needs.
        if [ "$(id -u)" -eq 0 ]; then
            mkdir -p /etc/postgresql-common/createcluster.d
            echo 'create_main_cluster = false' >/etc/postgresql-common/createcluster.d/kalamdb.conf
        fi
        get postgresql-15
    fi
}

# The Python packages of the drivers' tests, in an environment of their own.
need_python() {
    local wanted=compat-tests/drivers/python/requirements.txt
    if ! cmp -s "$wanted" "$cache/venv/requirements.txt"; then
        say "Python packages"
        python3 -m venv "$cache/venv" 2>/dev/null || { get python3-venv && python3 -m venv "$cache/venv"; }
        "$cache/venv/bin/pip" install --quiet --disable-pip-version-check -r "$wanted"
        cp "$wanted" "$cache/venv/requirements.txt"
    fi
    export KALAMDB_TEST_PYTHON="$cache/venv/bin/python"
}

# The Node packages of the drivers' tests, as locked.
need_node() {
    command -v npm >/dev/null || get nodejs npm
    local place=compat-tests/drivers/node
    if ! cmp -s "$place/package-lock.json" "$place/node_modules/.installed"; then
        say "Node packages"
        npm ci --prefix "$place" --no-audit --no-fund --loglevel error
        cp "$place/package-lock.json" "$place/node_modules/.installed"
    fi
}
