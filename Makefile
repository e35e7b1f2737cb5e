# make demo   derive, run, train and report on the embedded digits, into $(OUT)
# make test   the tests that run in minutes;  make test-all  also the slow ones
PYTHON ?= python3
OUT ?= out
DEMO_ARGS ?=
PYTEST_ARGS ?=

BIN := .venv/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt

.PHONY: demo test test-all check format bench notebooks clean

# One thread per linear-algebra library: the tests compare last digits, and run side by side.
test test-all notebooks: export OPENBLAS_NUM_THREADS = 1
test test-all notebooks: export OMP_NUM_THREADS = 1
# Most of the tests' time is compilation of code that then runs for milliseconds: XLA need not
# optimise it. `make test-all` tests what users run.
test: export XLA_FLAGS = --xla_backend_optimization_level=0 --xla_cpu_use_fusion_emitters=false

demo: .venv/.stamp-run
	$(BIN)/unified demo --out "$(OUT)" $(DEMO_ARGS)

test: .venv/.stamp-test
	$(BIN)/python -m pytest -m "not slow" -n 2 --dist loadscope --no-loadscope-reorder $(PYTEST_ARGS)

test-all: .venv/.stamp-test
	$(BIN)/python -m pytest $(PYTEST_ARGS)

check: .venv/.stamp-test
	$(BIN)/ruff check .
	$(BIN)/mypy

format: .venv/.stamp-test
	$(BIN)/ruff check --fix .

bench: .venv/.stamp-run
	$(BIN)/unified bench

notebooks: .venv/.stamp-test
	$(BIN)/python -m pytest --nbmake notebooks $(PYTEST_ARGS)

.venv/.stamp-python:
	@command -v "$(PYTHON)" >/dev/null 2>&1 || { \
	  echo "PYTHON: expected a Python 3.11 or newer on the path, got no '$(PYTHON)'; install it or run make PYTHON=/path/to/python3."; exit 1; } >&2
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "PYTHON: expected Python 3.11 or newer, got $$("$(PYTHON)" --version 2>&1); run make PYTHON=/path/to/python3.11."; exit 1; } >&2
	@"$(PYTHON)" -m venv .venv || { \
	  echo "PYTHON: expected one that can make virtual environments, got a failure of '$(PYTHON) -m venv'; install its venv module (Debian, Ubuntu: apt install python3-venv)."; exit 1; } >&2
	@touch $@

.venv/.stamp-run: .venv/.stamp-python pyproject.toml constraints.txt
	@echo "Installing the pinned dependencies into .venv (once, about a minute)."
	@$(PIP) -e .
	@touch $@

.venv/.stamp-test: .venv/.stamp-python pyproject.toml constraints.txt
	@echo "Installing the pinned dependencies and the test tools into .venv (once, about a minute)."
	@$(PIP) -e ".[test,check]"
	@touch $@ .venv/.stamp-run

clean:
	rm -rf .venv out build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
