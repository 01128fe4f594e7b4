# SPDX-License-Identifier: Apache-2.0
# Everything runs in .venv with the versions of constraints.txt.

PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet --constraint constraints.txt
UI ?=
CHAOS ?=
# Airflow's executor in `make faults`: local, or celery (redis, two schedulers, two triggerers).
EXECUTOR ?= local
# How much of hundreds of tasks and waits `make faults` does with: 1 for all.
SHARE ?= 1
# Which of its cases, as pytest's -m has it; all by default.
CASES ?=
TASKS ?=
# Where `make scale` leaves its figures; docs/figures holds those of docs/sizing.md.
FIGURES ?= build/figures
# Airflow and Python to run the tests of versions on (tests/versions/rotation.py has all), and which tests.
VERSIONS ?= 2.11.2 3.0.6 3.1.8 3.2.2 3.3.2
PYTHONS ?= 3.11
PARTS ?= parts kills matrix

# Rules alone: no process, no network, no second of waiting.
QUICK := tests/jobs tests/localcloud/test_localcloud_jobs.py tests/provider/test_provider_settings.py \
	tests/faults/test_recovery_page.py

.PHONY: help quick demo docs test network web ask faults versions versions-next lowest newest bench scale lint wheel \
	release clean

help:
	@echo "make quick       the tests to run first and after every change: the rules alone, in half a minute"
	@echo "make demo        run the example DAGs on a real Airflow and local clouds (UI=1 keeps the web page open)"
	@echo "                 (CHAOS=1 kills Airflow's processes meanwhile and takes the clouds away)"
	@echo "make docs        build the pages into build/docs; warnings and links that lead nowhere are errors"
	@echo "make test        run the test suite (tests/README.md says what is where)"
	@echo "make faults      break real Airflow processes on PostgreSQL (Debian's package) and see what becomes of the jobs"
	@echo "                 (EXECUTOR=celery: with CeleryExecutor on redis (Debian's too), two schedulers, two triggerers;"
	@echo "                 SHARE=0.5: half of the tasks where there are hundreds;"
	@echo "                 CASES='not cloud_alone': no case that is about jobs and clouds alone)"
	@echo "make versions    the tasks once more on other Airflow and Python, each in a venv below build/, written down in"
	@echo "                 tests/versions/seen.json (VERSIONS='3.1.8 2.11.2' PYTHONS='3.12' PARTS='parts kills matrix calls')"
	@echo "make versions-next  the same, without a record, on the pair whose turn it is at this commit"
	@echo "make lowest      imports, commands, requests, proxies and logins with the lowest version of each dependency"
	@echo "make newest      the same, and the kills, with the newest of all, without constraints"
	@echo "make network     the same connection through proxies and private authorities, blocking and asyncio"
	@echo "make web         set up connections in a real Chromium, look for secrets in all that Airflow stores and shows"
	@echo "make ask         have people asked by tasks on a real Airflow"
	@echo "make bench       what a poll, a wait and ten thousand of them cost"
	@echo "make scale       1,000 tasks with short jobs, five times on LocalExecutor and on Celery with two of everything;"
	@echo "                 an hour and a half, wants a quiet machine (Debian's postgresql and redis-server; TASKS=200)"
	@echo "make lint        ruff and mypy"
	@echo "make release     wheel and sdist built twice and found equal, checked, with a bill of materials; uploads nothing"
	@echo "make wheel       build wheel and sdist, install the wheel alone and import every module"
	@echo "make clean       remove what the others made"

quick: .venv/test
	@$(BIN)/python -m pytest --quiet $(QUICK)

demo: .venv/run
	@$(BIN)/cloudjobs demo $(if $(UI),--ui) $(if $(CHAOS),--chaos)

docs: .venv/docs
	$(BIN)/python -m sphinx --fail-on-warning --keep-going --fresh-env --quiet docs build/docs
	@echo "The pages are in build/docs/index.html"

# Two processes, a file of tests at a time, in the order of their names: by numbers of tests, the files that start an
# Airflow would be left to the end.
test: .venv/test
	$(BIN)/python -m pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder

network: .venv/test
	$(BIN)/python -m pytest tests/network

web: .venv/test
	$(BIN)/python -m pytest tests/web tests/secrets

bench: .venv/test
	$(BIN)/python tests/benchmarks/run.py

scale: .venv/test
	@mkdir -p $(FIGURES)
	$(BIN)/python tests/benchmarks/scale.py --json $(FIGURES)/scale.json $(if $(TASKS),--tasks $(TASKS))

ask: .venv/test
	$(BIN)/python -m pytest tests/ask

faults: .venv/test
	$(BIN)/python -m pytest tests/faults --executor $(EXECUTOR) --share $(SHARE) $(if $(CASES),-m '$(CASES)')

lint: .venv/test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

wheel: build/release/ready
	PYTHON=$(PYTHON) sh tests/wheel.sh

release: build/release/ready
	PYTHON=$(PYTHON) sh tests/release.sh

# A venv of their own: one of their packages costs each process of an Airflow beside it two seconds.
build/release/ready: pyproject.toml constraints.txt .venv/run
	@$(PYTHON) -m venv --without-pip build/release
	@$(BIN)/python -m pip --python build/release/bin/python --disable-pip-version-check install --quiet \
		--constraint constraints.txt --group release
	@touch $@

versions:
	$(PYTHON) tests/versions/run.py pairs --airflow $(VERSIONS) --python $(PYTHONS) --tests $(PARTS)

versions-next:
	$(PYTHON) tests/versions/run.py next --tests $(PARTS)

lowest newest:
	$(PYTHON) tests/versions/run.py $@

.venv/run: pyproject.toml constraints.txt
	@echo "Installing into .venv (about half a minute) ..."
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=python3.11 ...")'
	@$(PYTHON) -m venv .venv
	@$(PIP) --upgrade pip
	@$(PIP) --editable '.[localcloud]'
	@touch $@

.venv/docs: .venv/run
	@$(PIP) --group docs
	@touch $@

.venv/test: .venv/run
	@$(PIP) --group test
	@touch $@

clean:
	rm -rf .venv build dist .hypothesis .mypy_cache .pytest_cache .ruff_cache
