#!/usr/bin/env bash
# `make test`: the checks that need only the checkout run while the cluster is being built.
set -euo pipefail
cd "$(dirname "$0")/.."

mkdir -p build
cluster_log=build/cluster.log
started=$SECONDS

say() { printf '\n== [%4d s] %s\n' "$((SECONDS - started))" "$*"; }

failed() {
    say "make test FAILED at $1. The last lines above say why."
    exit 1
}

# Before two programs want it at once: what the cluster and the environment both begin with.
make tools || failed "the tools"

say "1/6 cluster and images are being built in the background; their log: $cluster_log"
make cluster CLUSTER="${CLUSTER:-}" > "$cluster_log" 2>&1 &
cluster=$!

finish() {
    # What was begun is ended with it; the cluster itself stays.
    kill "$cluster" 2> /dev/null || true
}
trap finish EXIT

say "2/6 Python environment"
make venv || failed "the Python environment"

say "3/6 style, types, layers, generated files"
make lint || failed "lint"

say "4/6 unit tests and the model checker"
make test-unit || failed "unit tests"
make test-model || failed "the model checker"

say "waiting for the cluster; so far:"
tail --pid="$cluster" -n +1 -f "$cluster_log" &
follower=$!
wait "$cluster" || { sleep 1; failed "the cluster"; }
wait "$follower" || true
make test-chart || failed "the chart"

say "5/6 integration tests: a real API server, object store and torchrun"
make test-integration || failed "integration tests"

say "6/6 end-to-end tests on the cluster"
.venv/bin/python -m pytest -v tests/e2e || failed "end-to-end tests"

say "make test: everything passed"
