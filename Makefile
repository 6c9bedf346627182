# Two commands do all the set-up: `make demo` and `make test`. Neither needs root or a GPU; a second call installs nothing.
PYTHON3 ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: demo test test-slow lint release clean

demo: $(VENV)/.installed
	./run_experiments.sh quickstart --jobs 2

# A process a core, each with one thread; sums depend on the number of threads in their last digits.
PYTEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto --maxprocesses 8

test: $(VENV)/.installed-dev
	$(PYTEST) -m "not slow"

test-slow: $(VENV)/.installed-dev
	$(PYTEST) -m slow

lint: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

release: $(VENV)/.installed-dev
	rm -rf dist
	$(BIN)/python -m build --outdir dist
	$(BIN)/python .ci/check_release.py dist

INSTALL := $(BIN)/python -m pip install --disable-pip-version-check --quiet -c constraints.txt

$(VENV)/.installed: requirements.txt constraints.txt
	$(PYTHON3) -c 'import sys; sys.exit(sys.version_info < (3, 10) and "python3 %d.%d is too old: 3.10 or newer is needed" % sys.version_info[:2])'
	test -x $(BIN)/python || $(PYTHON3) -m venv $(VENV)
	$(INSTALL) -r requirements.txt
	touch $@

$(VENV)/.installed-dev: requirements-dev.txt requirements-optional.txt $(VENV)/.installed
	$(INSTALL) -r requirements-dev.txt -r requirements-optional.txt
	touch $@

clean:
	rm -rf $(VENV)
