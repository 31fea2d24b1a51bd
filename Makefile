.DEFAULT_GOAL := help
.PHONY: help demo demo-reset test coverage bench bench-data bench-enterprise mutation quality quality-checks docs tox frontend tutor messages clean

PYTHON ?= python3
PORT ?= 8000
VENV := .venv
BIN := $(VENV)/bin
DJANGO := Django~=5.2.0
# Further arguments for pytest: make test PYTEST_ARGS="-k phone"
PYTEST_ARGS ?=
# Further arguments for the benchmark: make bench BENCH_ARGS="--rounds 300"
BENCH_ARGS ?=
# How large a site to make: make bench-data SIZE=medium. Further arguments: BENCH_DATA_ARGS="--seed 7"
SIZE ?= small
BENCH_DATA_ARGS ?=
# Further arguments for tox in tutor/: make tutor TUTOR_TOX_ARGS="-e tutor22"
TUTOR_TOX_ARGS ?=
# Mutants to try (again): make mutation MUTANTS="coaching_plugin.phone.*"
MUTANTS ?=

PIP_INSTALL = $(BIN)/python -m pip install --quiet --disable-pip-version-check

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# MFE_ORIGINS, *_MICROFRONTEND_URL and PARTNER_PORT, named on the command line, reach the sandbox through the environment.
# The shell is replaced, so that a SIGTERM which make passes on ends the demo and not the shell alone.
demo: $(VENV)/.demo-installed ## Serve the demo on http://127.0.0.1:8000, its partner on 8001 (PORT=8123 for 8123 and 8124, MFE_ORIGINS= for MFEs: docs/mfes.rst); keeps its data
	@cd sandbox && exec env PORT=$(PORT) DJANGO_SETTINGS_MODULE=lms.envs.demo ../$(BIN)/python manage.py run_demo

demo-reset: ## Throw the demo's data away and start it anew
	rm -rf .demo
	@$(MAKE) --no-print-directory demo

# All else is the same on both kinds of platform. `make tox` runs it with courseware hooks too, as CI does on the Django to
# come. Of a part of the suite that PYTEST_ARGS names, pytest may find nothing for the second pass (5).
test: $(VENV)/.tests-installed ## Run the whole suite on a platform without courseware hooks, and what comes to its doors on one with them
	SANDBOX_COURSEWARE_HOOKS=none $(BIN)/python -m pytest -n auto $(PYTEST_ARGS)
	SANDBOX_COURSEWARE_HOOKS=filters $(BIN)/python -m pytest -n auto -m "course_doors and not once" $(PYTEST_ARGS) \
		|| [ $$? -eq 5 ]

bench: $(VENV)/.bench-installed ## Count and time what the plugin costs: on SQLite, and on MariaDB with the sites that are made, where one answers
	@$(BIN)/python -m benchmarks $(BENCH_ARGS)

# edx-enterprise has a virtual environment of its own: see its requirements.
bench-enterprise: $(VENV)/.bench-installed $(VENV)-enterprise/.installed ## Time the plugin beside edx-enterprise's consent step; once installed, make bench does so too
	@$(BIN)/python -m benchmarks --parts enterprise $(BENCH_ARGS)

bench-data: $(VENV)/.tests-installed ## Make the site to measure, on MariaDB: SIZE=small, medium or large (1, 10 or 100 % of a national LMS)
	@$(BIN)/python -m benchmarks.data --size $(SIZE) $(BENCH_DATA_ARGS)

coverage: $(VENV)/.tests-installed ## Run the whole suite, and fail where it leaves over 5 % of lines and branches out
	$(BIN)/coverage erase
	@$(MAKE) --no-print-directory test PYTEST_ARGS="--cov --cov-append --cov-report= $(PYTEST_ARGS)"
	$(BIN)/coverage report --fail-under=95

# TMPDIR is where the tests' databases go, which are SQLite's.
mutation: $(VENV)/.mutation-installed ## Break the core in every small way and list what no test notices (see docs/mutation.rst)
	@mkdir -p mutants
	env -u DATABASE_URL TMPDIR=$(CURDIR)/mutants SANDBOX_COURSEWARE_HOOKS=none $(BIN)/mutmut run $(MUTANTS)
	$(BIN)/mutmut results

quality: $(VENV)/.quality-installed ## Check lint, format, types, and the annotations of personal data, flags and settings
	@$(MAKE) --no-print-directory quality-checks

quality-checks:
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/python -m mypy
	PYTHONPATH=sandbox DJANGO_SETTINGS_MODULE=lms.envs.test $(BIN)/code_annotations \
		django_find_annotations --config_file .pii_annotations.yml --app_name coaching_plugin --lint --coverage
	$(BIN)/code_annotations static_find_annotations --config_file .toggle_annotations.yml --lint --no_report

# Anew each time, since what is generated from comments in the code is not noticed to have changed.
docs: $(VENV)/.docs-installed ## Build the documentation: docs/_build/html/index.html; any warning fails
	rm -rf docs/_build
	$(BIN)/python -m sphinx --fail-on-warning --keep-going --nitpicky --quiet -d docs/_build/doctrees docs docs/_build/html
	@echo "Open docs/_build/html/index.html"

tox: $(VENV)/.tox-installed ## Run the suite with every Python, Django and platform generation that is here
	$(BIN)/python -m tox run

frontend: frontend/node_modules/.installed ## Test, build and weigh the React components, and build the page that they are tried on (Node 20 or later)
	cd frontend && npm run lint && npm test && npm run size && npm run build:host

tutor: $(VENV)/.tox-installed ## Render the Tutor plugin with Tutor 21 and 22, without tutor-mfe and with it
	cd tutor && ../$(BIN)/python -m tox run-parallel --parallel-no-spinner $(TUTOR_TOX_ARGS)

messages: $(VENV)/.tests-installed ## Extract the texts to translate, and compile the translations (needs GNU gettext)
	cd coaching_plugin && ../$(BIN)/django-admin makemessages -l es_419 -l ar --no-obsolete --no-location
	cd coaching_plugin && ../$(BIN)/django-admin compilemessages
	cd sandbox && ../$(BIN)/django-admin makemessages -l es_419 -l ar --no-obsolete --no-location
	cd sandbox && ../$(BIN)/django-admin compilemessages

frontend/node_modules/.installed: frontend/package.json frontend/package-lock.json
	@command -v npm >/dev/null || { echo "npm is not here: install Node 20 or later"; exit 1; } >&2
	cd frontend && npm ci --ignore-scripts --no-audit --no-fund
	@touch $@

clean: ## Remove what was built, installed and cached, and the demo's data
	rm -rf $(VENV) $(VENV)-enterprise .tox .demo .hypothesis .mypy_cache .pytest_cache .ruff_cache .coverage* htmlcov mutants build dist *.egg-info \
		docs/_build frontend/node_modules frontend/dist frontend/host/dist tutor/.tox
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The virtual environment. The stamps say what is installed; each is remade when what it was made from changes.

$(VENV)/.created:
	@command -v $(PYTHON) >/dev/null || { echo "$(PYTHON) is not here: apt-get install python3 python3-venv"; exit 1; } >&2
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "Python 3.11 or later is needed, and $(PYTHON) is $$($(PYTHON) --version 2>&1)."; \
		echo "Name another: make PYTHON=python3.12 ..."; exit 1; } >&2
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || { \
		echo "$(PYTHON) cannot make virtual environments. On Debian and Ubuntu: apt-get install python3-venv"; \
		exit 1; } >&2
	$(PYTHON) -m venv --clear $(VENV)
	@touch $@

$(VENV)/.demo-installed: $(VENV)/.created setup.py sandbox/requirements.txt
	$(PIP_INSTALL) "$(DJANGO)" -r sandbox/requirements.txt -e .
	@touch $@

$(VENV)/.tests-installed: $(VENV)/.created setup.py sandbox/requirements.txt tests/requirements.txt
	$(PIP_INSTALL) "$(DJANGO)" -r tests/requirements.txt -e .
	@touch $@

# The driver that an LMS has is compiled where it is installed.
$(VENV)/.bench-installed: $(VENV)/.tests-installed benchmarks/requirements.txt
	@pkg-config --exists libmariadb || pkg-config --exists mysqlclient || { \
		echo "A driver of MariaDB cannot be compiled here: apt-get install gcc pkg-config libmariadb-dev"; exit 1; } >&2
	$(PIP_INSTALL) "$(DJANGO)" -r benchmarks/requirements.txt -e .
	@touch $@

$(VENV)-enterprise/.installed: $(VENV)/.created benchmarks/enterprise-requirements.txt
	$(PYTHON) -m venv --clear $(VENV)-enterprise
	$(VENV)-enterprise/bin/python -m pip install --quiet --disable-pip-version-check -r benchmarks/enterprise-requirements.txt
	@touch $@

$(VENV)/.quality-installed: $(VENV)/.tests-installed tests/quality-requirements.txt
	$(PIP_INSTALL) "$(DJANGO)" -r tests/quality-requirements.txt -e .
	@touch $@

$(VENV)/.docs-installed: $(VENV)/.created docs/requirements.txt
	$(PIP_INSTALL) -r docs/requirements.txt
	@touch $@

$(VENV)/.mutation-installed: $(VENV)/.tests-installed
	$(PIP_INSTALL) "mutmut~=3.8"
	@touch $@

$(VENV)/.tox-installed: $(VENV)/.created
	$(PIP_INSTALL) "tox~=4.20"
	@touch $@
