# Everything works on a fresh machine that has git, make and Python 3.11 or newer.
#
#   make serve     install, fetch the default models, serve on http://127.0.0.1:8420
#   make test      install what the tests need, run all of them
#   make check     what CI runs: lint and tests
#   make clients   run unmodified clients (openai-node, Codex, LangChain, ...), each in an environment of its own
#
# INHOUSE_* variables are passed on. ARGS adds arguments: make serve ARGS="--port 9000".

VENV ?= .venv
ARGS ?=
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
MODELS := $(or $(INHOUSE_MODELS),$(HOME)/.inhouse/models)

# llama.cpp's threads must sleep while they wait: spinning ones take the cores from each other.
export OMP_WAIT_POLICY ?= passive

.PHONY: serve test test-fast clients lint format check bench contract conformance docs clean

serve: $(VENV)/.installed
	@exec $(BIN)/inhouse serve $(ARGS)

test: $(VENV)/.installed-dev
	@INHOUSE_MODELS="$(MODELS)" $(BIN)/inhouse models pull --defaults
	INHOUSE_MODELS="$(MODELS)" $(BIN)/python -m pytest -n auto --dist loadgroup $(ARGS)

test-fast: $(VENV)/.installed-dev  ## without the real models
	$(BIN)/python -m pytest -n auto --dist loadgroup -m "not model" $(ARGS)

clients: $(VENV)/.installed-dev  ## downloads them the first time; ONLY="codex langchain" runs some
	@INHOUSE_MODELS="$(MODELS)" $(BIN)/inhouse models pull --defaults
	INHOUSE_MODELS="$(MODELS)" $(BIN)/python -m tests.clients $(ONLY)

lint: $(VENV)/.installed-dev
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/basedpyright
	$(BIN)/lint-imports

format: $(VENV)/.installed-dev
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

check: lint test

bench: $(VENV)/.installed-dev
	@for name in $(or $(ONLY),$(filter-out floor load servers,$(basename $(notdir $(wildcard benchmarks/[a-z]*.py))))); do \
		$(BIN)/python -m benchmarks.$$name $(ARGS) || exit 1; \
	done

# OPENAPI names the published document: ranges, lengths and defaults are read from it.
contract: $(VENV)/.installed-dev
	$(BIN)/python -m tools.contract --document "$(OPENAPI)"

conformance: $(VENV)/.installed
	@$(BIN)/inhouse conformance $(ARGS)

docs: $(VENV)/.installed-dev  ## write what is generated in README and docs
	$(BIN)/python -m tools.docs

clean:
	rm -rf $(VENV) .clients .pytest_cache .ruff_cache build dist

$(BIN)/python:
	@PYTHON="$(PYTHON)" sh tools/venv.sh $(VENV)

$(VENV)/.installed: pyproject.toml | $(BIN)/python
	@echo "Installing inhouse into $(VENV) (a few minutes the first time) ..." >&2
	@$(PIP) install --editable .
	@touch $@

$(VENV)/.installed-dev: pyproject.toml | $(BIN)/python
	@echo "Installing inhouse and its test tools into $(VENV) ..." >&2
	@$(PIP) install --editable '.[dev]'
	@touch $@ $(VENV)/.installed
