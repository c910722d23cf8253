#!/bin/sh
# Prepare Python on a machine that may have none:
#   bootstrap.sh tools   uv and PyYAML in the cache: enough for the cluster's command line
#   bootstrap.sh venv    .venv in the checkout: everything in requirements.lock, and our packages
#   bootstrap.sh lock    pin in the lock files what pyproject.toml asks for (UPGRADE=1: the newest of it)
# The first two are quick when nothing is to be done. Every version comes from a lock file
# and is checked against its hash. Needs MODELYARD_CACHE; the Makefile sets it.
set -eu

cd "$(dirname "$0")/.."
cache=${MODELYARD_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/modelyard}
tools=$cache/uv-tool
export UV_CACHE_DIR="$cache/uv" UV_PYTHON_DOWNLOADS=never

# What is going on: not for standard output, which `make kubeconfig` hands to a shell.
say() {
    echo "$*" >&2
}

fail() {
    echo "Error: $*" >&2
    exit 1
}

# A Python that the packages support and that can make virtual environments; first the images' own version.
find_python() {
    for candidate in python3.11 python3.12 python3.13 python3; do
        path=$(command -v "$candidate") || continue
        if "$path" -c 'import ensurepip, sys, venv; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null
        then
            echo "$path"
            return
        fi
    done
    return 1
}

ensure_python() {
    if python=$(find_python); then return; fi
    command -v apt-get > /dev/null || fail "Python 3.11, 3.12 or 3.13 with its venv module is needed."
    [ "$(id -u)" = 0 ] || fail "Python 3.11 or newer is needed: sudo apt-get install python3 python3-venv"
    say "Installing Python from the system's packages."
    export DEBIAN_FRONTEND=noninteractive
    apt-get install -y -q --no-install-recommends python3 python3-venv ca-certificates > /dev/null 2>&1 || {
        apt-get update -q > /dev/null
        apt-get install -y -q --no-install-recommends python3 python3-venv ca-certificates > /dev/null
    }
    python=$(find_python) || fail "This system's Python is too old or too new; 3.11, 3.12 or 3.13 is needed."
}

# One bootstrap at a time; it ends with the process.
lock_out_others() {
    mkdir -p "$cache"
    exec 9> "$cache/bootstrap.lock"
    command -v flock > /dev/null || return 0
    flock --nonblock 9 || {
        say "Waiting for another command that prepares Python."
        flock 9
    }
}

# The entries of some packages in the lock file, with their hashes.
locked() {
    awk -v wanted=" $* " '
        /^[A-Za-z0-9]/ { name = tolower($1); sub(/==.*/, "", name); keep = index(wanted, " " name " ") }
        keep
    ' requirements.lock
}

tools_are_there() {
    [ "$(cat "$tools/requirements.txt" 2>/dev/null)" = "$1" ] && "$tools/bin/python" -c 'import yaml' 2>/dev/null
}

ensure_tools() {
    wanted=$(locked uv pyyaml)
    if tools_are_there "$wanted"; then return; fi
    lock_out_others
    if tools_are_there "$wanted"; then return; fi
    ensure_python
    say "Making the tools' Python environment in $tools."
    rm -f "$tools/requirements.txt"
    "$tools/bin/python" -m pip --version > /dev/null 2>&1 || "$python" -m venv --clear "$tools"
    printf '%s\n' "$wanted" > "$tools/requirements.new"
    "$tools/bin/python" -m pip install --quiet --no-deps --require-hashes --requirement "$tools/requirements.new"
    mv "$tools/requirements.new" "$tools/requirements.txt"
}

# What .venv depends on; if none of it has changed there is nothing to do.
fingerprint() {
    cat requirements.lock */pyproject.toml cluster/bootstrap.sh | sha256sum | cut -d ' ' -f 1
    pwd
}

venv_is_there() {
    [ "$(cat .venv/fingerprint 2>/dev/null)" = "$1" ] && .venv/bin/python -c 'import modelyard_cluster' 2>/dev/null
}

ensure_venv() {
    wanted=$(fingerprint)
    if venv_is_there "$wanted"; then return; fi
    lock_out_others
    if venv_is_there "$wanted"; then return; fi
    ensure_python
    say "Filling .venv from requirements.lock."
    rm -f .venv/fingerprint
    .venv/bin/python -c '' 2>/dev/null || "$tools/bin/uv" venv --quiet --clear --python "$python" .venv
    # In one go, so that nothing which is in use meanwhile goes away and comes back.
    {
        for package in */pyproject.toml; do echo "-e ./${package%/*}"; done |
            "$tools/bin/uv" pip sync --python .venv/bin/python --build-constraints requirements.lock \
                requirements.lock - 2>&1 && printf '%s\n' "$wanted" > .venv/fingerprint
    } | grep -v '^ [-+~] ' || true # not the list of every package
    [ -f .venv/fingerprint ] || fail ".venv could not be filled; the reason stands above."
}

# The lock files name versions and hashes, and no index: each machine has its own.
compile() {
    "$tools/bin/uv" pip compile --quiet --universal --python-version 3.11 --generate-hashes \
        --no-emit-index-url --no-header --no-annotate ${UPGRADE:+--upgrade} "$@"
}

make_locks() {
    compile --group dev --group build --output-file requirements.lock pyproject.toml \
        --no-emit-package modelyard-operator --no-emit-package modelyard-algorithms \
        --no-emit-package modelyard-cluster
    compile --group go --output-file cluster/go.lock
}

case ${1:-} in
tools) ensure_tools ;;
venv)
    ensure_tools
    ensure_venv
    ;;
lock)
    ensure_tools
    make_locks
    ;;
*) fail "usage: $0 tools|venv|lock" ;;
esac
