# Every target sets up what it needs in .venv, from the locked requirements, and does so once.
# Set-up speaks on stderr: standard output belongs to the command (`make demo ARGS=--json`).

SHELL := /bin/sh
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.NOTPARALLEL:
.PHONY: help demo serve test check bench torture week screenshots browser lock clean

ARGS ?=
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip -qq --disable-pip-version-check --no-input
PROJECTS := pyproject.toml sdk/pyproject.toml src/milepost/__init__.py
CODE := src sdk/src tests benchmarks examples

# python3 when it is new enough, else the oldest of the named ones that is.
PYTHON ?= $(shell for python in python3 python3.11 python3.12 python3.13; do \
	$$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
	&& { echo $$python; break; }; done)

say = @printf 'set-up: %s\n' '$(1)' >&2

help: ## Print this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' Makefile

demo: $(VENV)/.run ## Play both contracts end to end against a hub of its own (ARGS=--json)
	@$(BIN)/milepost demo $(ARGS)

serve: $(VENV)/.run ## Run the hub: interface and dispatcher in one process (ARGS="--port 8000")
	@$(BIN)/milepost serve $(ARGS)

test: $(VENV)/.dev browser ## Run the tests on two cores (ARGS=tests/core for some of them)
	@$(BIN)/python -m pytest -n 2 --dist worksteal $(ARGS)

check: $(VENV)/.dev ## Check format, style, types and walls
	@$(BIN)/ruff format --check $(CODE)
	@$(BIN)/ruff check $(CODE)
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo

bench: $(VENV)/.dev ## Measure throughput and latency beside their limits (ARGS="--store postgres")
	@$(BIN)/python -m benchmarks $(ARGS)

torture: $(VENV)/.dev ## Kill and freeze everything under traffic, and check (ARGS="--store postgres")
	@$(BIN)/python -m benchmarks.torture $(ARGS)

week: $(VENV)/.dev ## Play a week between two hubs and a merchant over bad links (ARGS="--orders 300")
	@$(BIN)/python -m benchmarks.week $(ARGS)

screenshots: $(VENV)/.dev browser ## Make the pictures of the pages in docs/screens
	@$(BIN)/python -m tests.browser.screens $(ARGS)

clean: ## Remove the environments and every cache
	@rm -rf $(VENV) .lock build dist .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	@find . -type d \( -name __pycache__ -o -name '*.egg-info' \) -prune -exec rm -rf {} +

# --- set-up --------------------------------------------------------------------------------------

$(BIN)/python:
	@test -n "$(PYTHON)" || { echo 'Milepost needs Python 3.11 or newer on the path.' >&2; exit 1; }
	$(call say,a new environment in $(VENV))
	@$(PYTHON) -m venv $(VENV) >&2

# Two steps, so that a change of a project file does not check every package again.
define install_locked
	$(call say,$(2))
	@$(PIP) install --require-hashes --no-deps -r $(1) >&2
endef

# Without build isolation: setuptools comes from the lock too, and nothing is fetched unchecked.
define install_ours
	$(call say,Milepost and its receiver kit)
	@$(PIP) install --no-deps --no-build-isolation -e sdk -e . >&2
endef

$(VENV)/.locked: requirements.txt | $(BIN)/python
	$(call install_locked,requirements.txt,what Milepost runs on)
	@touch $@

# The locked requirements of development contain those of running.
$(VENV)/.locked-dev: requirements-dev.txt | $(BIN)/python
	$(call install_locked,requirements-dev.txt,what Milepost runs on and is tested with)
	@touch $@ $(VENV)/.locked

$(VENV)/.run: $(VENV)/.locked $(PROJECTS)
	$(install_ours)
	@touch $@

$(VENV)/.dev: $(VENV)/.locked-dev $(PROJECTS)
	$(install_ours)
	@touch $@ $(VENV)/.run

# The pages are tested in the distribution's own Chromium; nothing is fetched from elsewhere.
browser: ## Install Chromium, which the tests of the pages need, where it is missing
	@for name in chromium chromium-browser google-chrome; do \
		command -v $$name >/dev/null 2>&1 && exit 0; done; \
	if [ "$$(id -u)" = 0 ]; then as=; \
	elif sudo -n true 2>/dev/null; then as=sudo; \
	else echo 'The pages are tested in Chromium: install it (apt-get install chromium).' >&2; exit 1; fi; \
	command -v apt-get >/dev/null 2>&1 || { \
		echo 'The pages are tested in Chromium, which is not there: install it.' >&2; exit 1; }; \
	echo 'set-up: Chromium, in which the pages are tested' >&2; \
	$$as apt-get update -qq >&2 && DEBIAN_FRONTEND=noninteractive \
		$$as apt-get install -y -qq --no-install-recommends chromium >&2

# --- the locks -----------------------------------------------------------------------------------

COMPILE := .lock/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-emit-find-links --no-header --no-emit-package milepost-receiver

.lock/bin/uv: requirements-lock.txt
	$(call say,an environment for the resolver in .lock)
	@$(PYTHON) -m venv .lock >&2
	@.lock/bin/python -m pip -qq --disable-pip-version-check install \
		--require-hashes --no-deps -r requirements-lock.txt >&2
	@touch $@

lock: .lock/bin/uv ## Resolve the requirements anew and lock them by hash (ARGS=--upgrade)
	@$(COMPILE) $(ARGS) --group build pyproject.toml -o requirements.txt
	@$(COMPILE) $(ARGS) --group build --group dev -c requirements.txt pyproject.toml \
		-o requirements-dev.txt
	@$(COMPILE) $(ARGS) --group lock -o requirements-lock.txt
