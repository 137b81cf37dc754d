# The test targets. `make check` is the whole of it and what CI runs.

PEERS ?= $(HOME)/.cache/nacelle-peers
export PEERS BUILD

FUZZ_SECONDS ?= 20
FUZZ_SOURCES := $(wildcard tests/fuzz/*_fuzz.c)
FUZZ_BUILD   := $(BUILD)-fuzz
FUZZERS      := $(patsubst tests/fuzz/%_fuzz.c,$(FUZZ_BUILD)/fuzz/%,$(FUZZ_SOURCES))

deps: ## install the Debian packages that building needs
	@contrib/install-packages build

check-deps:
	@contrib/install-packages build check vm
	@tests/peers/build $(PEERS) agnhost crictl critest kubectl kubelet runtime-tools

check: check-deps ## install what the tests need and run all of them
	@tests/run-all

integration: programs ## run the integration tests (TESTS='-k name' for some)
	/usr/bin/python3 -m pytest -q -x tests/integration $(TESTS)

sanitize: ## build with ASan and UBSan and run the unit tests so
	@$(MAKE) --no-print-directory BUILD=$(BUILD)-sanitize SANITIZE=address,undefined unit

clang: ## build everything with clang, warnings as errors
	@$(MAKE) --no-print-directory BUILD=$(BUILD)-clang CC=clang programs unit-build

format: ## lay out the C sources as .clang-format says
	git ls-files '*.c' '*.h' | xargs clang-format -i

fuzz: ## run each fuzz target for FUZZ_SECONDS
	@$(MAKE) --no-print-directory BUILD=$(FUZZ_BUILD) CC=clang SANITIZE=address,undefined,fuzzer-no-link fuzz-build
	@tests/run-fuzz $(FUZZ_SECONDS) $(FUZZERS)

fuzz-build: $(patsubst tests/fuzz/%_fuzz.c,$(BUILD)/fuzz/%,$(FUZZ_SOURCES))

$(BUILD)/fuzz/%: $(BUILD)/tests/fuzz/%_fuzz.o $(ARCHIVES)
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) -fsanitize=fuzzer $(LDHARDEN) $^ $(WORKER_LIBS) -o $@

.PHONY: deps check-deps check integration sanitize clang format fuzz fuzz-build

conformance: programs ## run critest against the agent (CRITEST='-ginkgo.focus name' for some)
	tests/conformance/run $(CRITEST)

conformance-handlers: programs ## run critest with containers that runc and crun make
	tests/conformance/run --handler=runc $(CRITEST)
	tests/conformance/run --handler=crun $(CRITEST)

.PHONY: conformance conformance-handlers

$(BUILD)/tests/faults.so: tests/faults/faults.c
	@mkdir -p $(@D)
	$(CC) -std=gnu17 -D_GNU_SOURCE -O2 -g $(WARNINGS) -fPIC -shared $< -o $@

faults: programs $(BUILD)/tests/faults.so ## make every call of the kernel's fail in turn (takes about half an hour)
	FAULTS=all /usr/bin/python3 -m pytest -q tests/integration/test_faults.py

.PHONY: faults

soak: programs ## kill the agent and shims 1,000 times each (takes about 20 minutes)
	ROUNDS=1000 /usr/bin/python3 -m pytest -q tests/integration/test_crash.py

.PHONY: soak
