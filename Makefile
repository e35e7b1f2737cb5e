# make demo   derive, run, train and report on the embedded digits, into $(OUT)
# make test   the tests that run in minutes;  make test-all  also the slow ones
# make test-next   those of PyMC, ArviZ and PyTensor on Python 3.12, whose versions are others
PYTHON ?= python3
OUT ?= out
DEMO_ARGS ?=
PYTEST_ARGS ?=
# The first of these that runs as Python 3.12 or newer is taken.
PYTHON_NEXT ?= python3.12 $(wildcard $(HOME)/.pyenv/versions/3.12.*/bin/python3.12) python3.13
TESTS_NEXT := $(addprefix tests/, base codegen/test_golden.py codegen/test_printers.py \
  codegen/test_pytensor.py dynamics/test_status.py inference report/test_plots_inference.py \
  cli/test_infer.py)

VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt

.PHONY: demo test test-all test-next check format bench notebooks clean

# One thread per linear-algebra library: the tests compare last digits, and run side by side.
test test-all notebooks: export OPENBLAS_NUM_THREADS = 1
test test-all notebooks: export OMP_NUM_THREADS = 1
# Most of the tests' time, and half of the demo's, is compilation of code that then runs for
# milliseconds: XLA's older emitters compile faster, and for tests it need not optimise. `make
# test-all` tests what users run.
demo: export XLA_FLAGS = --xla_cpu_use_fusion_emitters=false
test: export XLA_FLAGS = --xla_backend_optimization_level=0 --xla_cpu_use_fusion_emitters=false

demo: $(VENV)/.stamp-run
	$(BIN)/unified demo --out "$(OUT)" $(DEMO_ARGS)

test: $(VENV)/.stamp-test
	$(BIN)/python -m pytest -m "not slow" -n 2 --dist loadscope --no-loadscope-reorder $(PYTEST_ARGS)

test-all: $(VENV)/.stamp-test
	$(BIN)/python -m pytest $(PYTEST_ARGS)

test-next:
	@if .venv/bin/python -c 'import sys; sys.exit(sys.version_info < (3, 12))' 2>/dev/null; then \
	  echo "test-next: skipped, .venv is of Python 3.12 or newer already: make test is this job."; exit 0; fi; \
	for python in $(PYTHON_NEXT); do \
	  if "$$python" -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 12))' >/dev/null 2>&1; then \
	    exec $(MAKE) test VENV=.venv-next PYTHON="$$python" PYTEST_ARGS="$(TESTS_NEXT) $(PYTEST_ARGS)"; fi; done; \
	echo "test-next: skipped, no Python 3.12 or newer (with venv) runs here as any of: $(PYTHON_NEXT); run make test-next PYTHON_NEXT=/path/to/python3.12."

check: $(VENV)/.stamp-test
	$(BIN)/ruff check .
	$(BIN)/mypy

format: $(VENV)/.stamp-test
	$(BIN)/ruff check --fix .

bench: $(VENV)/.stamp-run
	$(BIN)/unified bench

notebooks: $(VENV)/.stamp-test
	$(BIN)/python -m pytest --nbmake notebooks $(PYTEST_ARGS)

$(VENV)/.stamp-python:
	@command -v "$(PYTHON)" >/dev/null 2>&1 || { \
	  echo "PYTHON: expected a Python 3.11 or newer on the path, got no '$(PYTHON)'; install it or run make PYTHON=/path/to/python3."; exit 1; } >&2
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "PYTHON: expected Python 3.11 or newer, got $$("$(PYTHON)" --version 2>&1); run make PYTHON=/path/to/python3.11."; exit 1; } >&2
	@"$(PYTHON)" -m venv $(VENV) || { \
	  echo "PYTHON: expected one that can make virtual environments, got a failure of '$(PYTHON) -m venv'; install its venv module (Debian, Ubuntu: apt install python3-venv)."; exit 1; } >&2
	@touch $@

$(VENV)/.stamp-run: $(VENV)/.stamp-python pyproject.toml constraints.txt
	@echo "Installing the pinned dependencies into $(VENV) (once, about a minute)."
	@$(PIP) -e .
	@touch $@

$(VENV)/.stamp-test: $(VENV)/.stamp-python pyproject.toml constraints.txt
	@echo "Installing the pinned dependencies and the test tools into $(VENV) (once, about a minute)."
	@$(PIP) -e ".[test,check]"
	@touch $@ $(VENV)/.stamp-run

clean:
	rm -rf .venv .venv-next out build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
