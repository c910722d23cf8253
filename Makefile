# Modelyard. `make help` lists all targets.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

# Which cluster: bare, kind or existing. Empty: the one that is up, else kind if a Docker
# daemon answers, else bare. Where images are pushed with CLUSTER=existing: REGISTRY=...
CLUSTER ?=
REGISTRY ?=
CONTEXT ?=
UPGRADE ?=

# Caches may be deleted at any time; the state of the machine's cluster lies outside the checkout.
CACHE := $(abspath $(or $(MODELYARD_CACHE),$(or $(XDG_CACHE_HOME),$(HOME)/.cache)/modelyard))
ifeq ($(shell id -u),0)
STATE := /var/lib/modelyard
else
STATE := $(or $(XDG_STATE_HOME),$(HOME)/.local/state)/modelyard
endif

# Every target works with the project's own kubeconfig, kubectl and helm, never with the user's;
# only CLUSTER=existing reads the user's kubeconfig, and copies what it needs.
export MODELYARD_USER_KUBECONFIG := $(or $(MODELYARD_USER_KUBECONFIG),$(KUBECONFIG))
export MODELYARD_CACHE := $(CACHE)
export KUBECONFIG := $(STATE)/kubeconfig
export PATH := $(CACHE)/bin:$(PATH)
export REGISTRY CONTEXT
# uv: one download of each package, shared by .venv and the image builds.
export UV_CACHE_DIR := $(CACHE)/uv

PYTHON := .venv/bin/python
# The cluster's command line needs next to nothing, so it starts before .venv is filled.
TOOL_PYTHON := $(CACHE)/uv-tool/bin/python
CLUSTER_CLI := PYTHONPATH=cluster/src $(TOOL_PYTHON) -m modelyard_cluster
DRIVER := $(if $(CLUSTER),--driver $(CLUSTER))

.PHONY: help
help: ## List all targets.
	@awk 'BEGIN {FS = ":.*## "} /^##@/ {printf "\n%s\n", substr($$0, 5)} \
		/^[a-zA-Z0-9_-]+:.*## / {printf "  %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

##@ Set up
.PHONY: venv
venv: ## Create .venv with everything in the lock file and the three packages.
	@cluster/bootstrap.sh venv

.PHONY: lock
lock: ## Pin the dependencies of pyproject.toml in the lock files (UPGRADE=1: the newest versions).
	@UPGRADE=$(UPGRADE) cluster/bootstrap.sh lock

.PHONY: tools
tools: # The small environment that runs the cluster's command line.
	@cluster/bootstrap.sh tools

##@ Cluster
.PHONY: cluster
cluster: tools ## Start a Kubernetes cluster, with images (CLUSTER=bare|kind|existing).
	@$(CLUSTER_CLI) up $(DRIVER)

.PHONY: cluster-down
cluster-down: tools ## Remove it; leaves no process, mount, rule or interface behind.
	@$(CLUSTER_CLI) down $(DRIVER)

.PHONY: cluster-status
cluster-status: tools ## Print the status of the cluster.
	@$(CLUSTER_CLI) status $(DRIVER)

.PHONY: images
images: tools ## Build and push the images that changed; their names are in build/images.json.
	@$(CLUSTER_CLI) images $(DRIVER)

.PHONY: kubeconfig
kubeconfig: tools ## Print the path of the cluster's kubeconfig.
	@$(CLUSTER_CLI) kubeconfig

.PHONY: cluster-purge
cluster-purge: tools ## Remove it with its images, the registry and all caches.
	@$(CLUSTER_CLI) purge

##@ Chart and demo
.PHONY: demo
demo: export MODELYARD_DEMO_STARTED := $(shell date +%s)
demo: export PYTHONPATH := demo/src
demo: tools ## From handwritten digits to a served model, with figures (NAMESPACE=modelyard-demo).
	@$(TOOL_PYTHON) -m modelyard_demo.start $(if $(NAMESPACE),--namespace $(NAMESPACE))

.PHONY: install
install: venv ## Install or upgrade the chart in the cluster, with the images of `make images`.
	@PYTHONPATH=demo/src $(PYTHON) -m modelyard_demo.chart install

.PHONY: manifest
manifest: venv ## Render the chart to build/modelyard.yaml, for `kubectl apply --server-side -f`.
	@PYTHONPATH=demo/src $(PYTHON) -m modelyard_demo.chart manifest

.PHONY: crds
crds: venv ## Generate crds/, the chart's copy and docs/api.md from the typed models.
	@$(PYTHON) -m modelyard_operator.api.crd --write
	@$(PYTHON) -m modelyard_operator.api.crd --write --folder charts/modelyard/files/crds
	@$(PYTHON) -m modelyard_operator.api.reference --write

.PHONY: golden
golden: golden-chart ## Rewrite all golden manifests; review the diff before you commit it.
	@UPDATE_GOLDEN=1 $(PYTHON) -m pytest -q tests/unit/operator/desired/test_golden.py

.PHONY: golden-chart
golden-chart: venv ## Rewrite the chart's golden manifests; review the diff before you commit it.
	@UPDATE_GOLDEN=1 $(PYTHON) -m pytest -q tests/chart/test_golden.py

##@ Test
SOURCES := operator/src algorithms/src cluster/src demo/src tests bench

.PHONY: test
test: ## Everything: lint, types, layers, unit tests, drift, charts; then the cluster, which it starts.
	@tests/all.sh

.PHONY: lint
lint: venv ## Style, types, layers, wording, and that all generated files are up to date.
	@$(PYTHON) -m ruff check .
	@$(PYTHON) -m ruff format --check .
	@$(PYTHON) -m mypy $(SOURCES)
	@.venv/bin/lint-imports
	@$(PYTHON) -m tests.style.wording
	@$(PYTHON) -m modelyard_operator.api.crd --check
	@$(PYTHON) -m modelyard_operator.api.crd --check --folder charts/modelyard/files/crds
	@$(PYTHON) -m modelyard_operator.api.reference --check

.PHONY: test-unit
test-unit: venv ## Unit tests, in seconds.
	@$(PYTHON) -m pytest -n 2 tests/unit

.PHONY: test-model
test-model: venv ## The model checker with some hundreds of interleavings, always the same ones.
	@$(PYTHON) -m pytest -n 2 tests/model

.PHONY: model-check
model-check: venv ## The model checker with thousands of interleavings, new ones in each run (SCALE=50).
	@MODEL_CHECK_SCALE=$(or $(SCALE),50) $(PYTHON) -m pytest -v -n 2 tests/model

.PHONY: test-integration
test-integration: venv tools ## Tests with a real API server, object store and torchrun processes.
	@$(PYTHON) -m pytest -v tests/integration

.PHONY: test-chart
test-chart: venv ## The chart: lint, golden manifests, invalid values (needs `make cluster` once, for helm).
	@$(PYTHON) -m pytest tests/chart

.PHONY: e2e
e2e: venv cluster ## End-to-end tests on the cluster (CLUSTER=existing: on yours; it installs the chart).
	@$(PYTHON) -m pytest -v tests/e2e

##@ Measure
.PHONY: bench-control-plane
bench-control-plane: venv tools ## Throughput, latency and cost, compared with Kubeflow's operators; 20 minutes, on a separate control plane.
	@$(PYTHON) -m bench.control_plane
