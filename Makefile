# One command for each thing that people do here. `make` alone lists them.
#
# Every target makes `.venv` by itself and installs hash-pinned wheels into it: Python 3.11, make and a package registry are all that a
# machine needs. What is installed is remembered by the content of the requirement files, not by their dates.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-builtin-rules --no-print-directory

PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --only-binary :all:
digest = $(shell cksum $(1) 2>/dev/null | cut -d ' ' -f 1)
EMBEDDED := $(VENV)/.embedded-$(call digest,requirements-embedded.txt)
DEV := $(VENV)/.dev-$(call digest,requirements-dev.txt)
TEST_WORKERS ?= 2
PYTEST_ARGS ?=

.PHONY: help
help: ## List these commands
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# --- Installing -------------------------------------------------------------------------------------------------------------------

$(BIN)/python:
	@command -v $(PYTHON) >/dev/null || { echo "Python 3.11 is needed: $(PYTHON) was not found (set PYTHON=/path/to/python3.11)." >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' || { echo "$(PYTHON) is not Python 3.11." >&2; exit 1; }
	@echo "Making $(VENV)"
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); echo "Python's venv module is incomplete here (Debian: apt-get install python3.11-venv)." >&2; exit 1; }

$(EMBEDDED): | $(BIN)/python
	@[ -e $(DEV) ] || { echo "Installing requirements-embedded.txt"; $(INSTALL) -r requirements-embedded.txt; }
	@rm -f $(VENV)/.embedded-* && touch $@

$(DEV): | $(BIN)/python
	@echo "Installing requirements-dev.txt"
	@$(INSTALL) -r requirements-dev.txt
	@rm -f $(VENV)/.dev-* && touch $@

# --- Running ----------------------------------------------------------------------------------------------------------------------

.PHONY: up demo bench bench-edge
up: $(EMBEDDED) ## Run the whole product on this machine; Ctrl-C ends it
	@exec $(BIN)/python manage.py up

demo: $(EMBEDDED) ## The whole story once, at the terminal, on a stack of its own
	@exec $(BIN)/python manage.py demo

bench: $(DEV) ## Measure, and write a table to bench/results/
	@exec $(BIN)/python -m bench

bench-edge: $(DEV) ## Measure the admission edge beside its peers
	@exec $(BIN)/python -m bench.edge

# --- Testing ----------------------------------------------------------------------------------------------------------------------

.PHONY: test test-long
test: $(DEV) ## Run the tests: on embedded parts, or on DATABASE_URL and REDIS_URL where they are set
	@$(BIN)/python -m pytest -n $(TEST_WORKERS) --dist worksteal $(PYTEST_ARGS)

test-long: $(DEV) ## Run the tests that take minutes as well
	@HYPOTHESIS_PROFILE=long $(BIN)/python -m pytest -n $(TEST_WORKERS) -m "long or not long" --timeout 1800 $(PYTEST_ARGS)

# --- Checking ---------------------------------------------------------------------------------------------------------------------

CHECKS := check-format check-lint check-types check-floors check-django check-templates check-shell check-image
.PHONY: check $(CHECKS)
check: $(DEV) ## Format, lint, types, floors, migrations, deployment checks, templates, scripts, image
	@$(MAKE) --keep-going $(CHECKS) && echo "All checks passed."

check-format: $(DEV)
	$(BIN)/ruff format --check --quiet .

check-lint: $(DEV)
	$(BIN)/ruff check --quiet .

check-types: $(DEV)
	$(BIN)/mypy

check-floors: $(DEV)
	$(BIN)/lint-imports --no-cache

# The deployment checks run on settings that stage and production would accept; the values are nobody's.
SECRET = $$($(BIN)/python -c 'import secrets; print(secrets.token_urlsafe(60))')
check-django: $(DEV)
	state=$$(mktemp -d); trap 'rm -rf "$$state"' EXIT; \
	CONTROLPLANE_STATE_DIR="$$state" $(BIN)/python manage.py makemigrations --check --dry-run
	CONTROLPLANE_ENVIRONMENT=production DJANGO_SECRET_KEY="$(SECRET)" AUDIT_KEY="$(SECRET)" TOKEN_PEPPERS="1:$(SECRET)" KEY_PEPPERS="1:$(SECRET)" \
	DJANGO_ALLOWED_HOSTS=console.example.com REDIS_URL=rediss://redis.example.com/0 AWS_ENDPOINT_URL= AWS_ACCESS_KEY_ID= \
	DATABASE_URL='postgresql://nobody:nothing@db.example.com/controlplane?sslmode=verify-full' \
	$(BIN)/python manage.py check --deploy --fail-level WARNING

TEMPLATES := $(shell find templates/tenant templates/platform -name '*.yaml' 2>/dev/null)
check-templates: $(DEV)
	$(if $(TEMPLATES),$(BIN)/cfn-lint $(TEMPLATES),@echo "no CloudFormation templates yet")

check-shell: $(DEV)
	bash -n .ci/run
	$(BIN)/shellcheck .ci/run

check-image: $(DEV)
	$(BIN)/hadolint Dockerfile

# --- Housekeeping -----------------------------------------------------------------------------------------------------------------

# The widest set is compiled first and the narrower ones are held to it, so that production installs what was tested.
LOCK := $(VENV)-lock
COMPILE := $(LOCK)/bin/uv pip compile --quiet --python-version 3.11 --generate-hashes --only-binary :all: --no-annotate --no-header
UPGRADE ?=
.PHONY: lock clean
lock: $(BIN)/python ## Compile the requirement files anew; UPGRADE=--upgrade moves pins, otherwise they stay
	@[ -x $(LOCK)/bin/uv ] || { $(PYTHON) -m venv $(LOCK) && $(LOCK)/bin/python -m pip install --quiet --only-binary :all: uv==0.13.9; }
	$(COMPILE) $(UPGRADE) -o requirements-dev.txt requirements-dev.in
	$(COMPILE) -c requirements-dev.txt -o requirements-embedded.txt requirements-embedded.in
	$(COMPILE) -c requirements-dev.txt -o requirements.txt requirements.in

clean: ## Remove what the other commands made here, the state folder of `make up` excepted
	rm -rf $(VENV) $(LOCK) staticfiles .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache test-artifacts
	find . -name __pycache__ -type d -not -path './.git/*' -prune -exec rm -rf {} +
