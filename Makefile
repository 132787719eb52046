PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
USABLE := $(VENV)/.usable
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check

OLD := import sys; sys.exit(sys.version_info < (3, 11) and "bulkrunner needs Python 3.11 or newer; say make PYTHON=/path/to/python3.11")

.PHONY: demo wheel test test-quick lint format unit browser soak bench bench-scale census mutants pictures record lock clean

# What the program itself needs is quickly there, and all that it takes to test it has it too.
$(USABLE): requirements-run.lock pyproject.toml
	@test -e $(STAMP) || echo "setting up $(VENV) with what the program needs: about 110 MB, half a minute …"
	@$(PYTHON) -c '$(OLD)'
	@test -e $(STAMP) || $(PYTHON) -m venv --clear $(VENV)
	@test -e $(STAMP) || $(PIP) --require-hashes -r requirements-run.lock
	@test -e $(STAMP) || $(PIP) --no-deps --no-build-isolation --editable .
	@touch $(USABLE)

$(STAMP): requirements.lock pyproject.toml
	@echo "setting up $(VENV) with everything that it takes to test the program: about 550 MB, a minute or two …"
	@$(PYTHON) -c '$(OLD)'
	$(PYTHON) -m venv --clear $(VENV)
	$(PIP) --require-hashes -r requirements.lock
	$(PIP) --no-deps --no-build-isolation --editable .
	@touch $(USABLE) $(STAMP)

demo: $(USABLE)
	@$(BIN)/bulkrunner demo

wheel: $(USABLE)
	$(BIN)/hatchling build --target wheel --directory dist

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(STAMP)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

unit: $(STAMP) browser
	$(BIN)/pytest -n 4 --dist loadfile --no-loadscope-reorder

# Rules, the server's contract, and one job from plan to verify: for the loop of whoever works on it.
test-quick: $(STAMP)
	$(BIN)/pytest -q -n 4 --dist loadfile tests/unit/domain tests/unit/services tests/contract "tests/flows/acceptance/test_jobs.py::test_an_example_goes_the_whole_road[2026-11-shelf-marks]"

# The tests of the report's page drive Debian's Chromium; root on Debian gets it, others are told.
browser:
	@command -v chromium >/dev/null || { \
		[ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null && \
		apt-get update -qq && \
		DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium fonts-dejavu-core >/dev/null; \
	} || echo "no chromium here: the browser tests will be skipped, or fail where CI is set"

# Side by side, so that both cores have something to do.
test: $(STAMP)
	$(MAKE) --jobs 2 lint unit

# The same tests with every ledger on a real PostgreSQL server, which they start; make test has a few of them.
ON_POSTGRES := tests/crashes tests/flows/applying/test_terms.py tests/flows/acceptance/test_ownership.py \
	tests/flows/acceptance/test_left_runs.py tests/flows/acceptance/test_live_control.py \
	tests/flows/acceptance/test_workers.py tests/flows/acceptance/test_postgresql.py \
	tests/unit/adapters/libris/test_shared_pace.py tests/unit/adapters/libris/test_shared_slots.py \
	tests/unit/adapters/ledger/test_on_a_server.py tests/unit/adapters/ledger/test_copying.py

test-postgres: $(STAMP)
	$(BIN)/pytest -n 4 --dist loadfile --ledger postgresql $(ON_POSTGRES)

soak: $(STAMP)
	$(BIN)/python -m tests.crashes.adversary.soak $(SOAK)

bench: $(STAMP)
	$(BIN)/python -m bench
	$(BIN)/python -m bench.report
	FULL_SIZE=1 $(BIN)/pytest -m "size or hypothesis"

# A library's holdings through every step: make bench-scale SCALE=2033901
bench-scale: $(STAMP)
	$(BIN)/python -m bench.scale $(SCALE)

census: $(STAMP)
	$(BIN)/python -m tests.project.census
	$(BIN)/python -m tests.project.trace

# Breaks a promise at a time in a copy, and expects that a test notices: make mutants MUTANTS="lease undo"
mutants: $(STAMP)
	$(BIN)/python -m tests.project.mutants $(MUTANTS)

# The pictures in docs/how-to, of the demo's reports.
pictures: $(STAMP) browser
	$(BIN)/python -m tests.project.pictures

record: $(STAMP)
	$(BIN)/python -m tests.contract.record

lock: $(STAMP)
	$(BIN)/uv pip compile pyproject.toml --all-extras --universal --python-version 3.11 --generate-hashes \
		--no-header --no-annotate --no-emit-index-url --no-emit-find-links --upgrade -o requirements.lock
	$(MAKE) requirements-run.lock

# hatchling makes the editable install that make demo uses.
requirements-run.lock: requirements.lock
	echo hatchling | $(BIN)/uv pip compile pyproject.toml - --universal --python-version 3.11 --generate-hashes \
		--no-header --no-annotate --no-emit-index-url --no-emit-find-links -c requirements.lock -o $@

clean:
	rm -rf $(VENV) dist build .mypy_cache .ruff_cache .pytest_cache .hypothesis
