# The test targets. `make check` is the whole of it.

FUZZ_SECONDS ?= 20
FUZZ_SOURCES := $(wildcard tests/fuzz/*_fuzz.c)
FUZZ_BUILD   := $(BUILD)-fuzz
FUZZERS      := $(patsubst tests/fuzz/%_fuzz.c,$(FUZZ_BUILD)/fuzz/%,$(FUZZ_SOURCES))

deps: ## install the Debian packages that building needs
	@contrib/install-packages build

check: ## install what the tests need and run all of them
	$(install_packages) build unit clang integration deb vm
	$(build_peers) critest device-plugin helm http-peer informers kinds kubectl-debian prometheus python-kubernetes kube-print kubelet-cpus kubelet-manifest kubelet-probe runtime-tools $(E2E_PEERS)
	@tests/run-all

integration-ready:
	$(install_packages) build integration deb
	$(build_peers) agnhost crictl critest device-plugin helm http-peer informers kubectl kubectl-debian prometheus python-kubernetes sample-device-plugin
	@$(MAKE) integration-build

integration-build: programs $(BUILD)/tests/faults.so $(BUILD)/tests/conformance/run_scheduler $(HTTP_PROGRAMS)

integration: integration-ready ## run the integration tests (TESTS='-k name' for some)
	/usr/bin/python3 -m pytest -q -x tests/integration $(TESTS)

faults: integration-ready ## make every call of the kernel's fail in turn (takes about half an hour)
	FAULTS=all /usr/bin/python3 -m pytest -q tests/integration/test_faults.py

soak: integration-ready ## kill the agent and shims 1,000 times each (takes about 20 minutes)
	ROUNDS=1000 /usr/bin/python3 -m pytest -q tests/integration/test_crash.py

soak-api: integration-ready ## kill the API service 1,000 times while it is written to, and 1,000 first starts (takes about fifteen minutes)
	ROUNDS=1000 /usr/bin/python3 -m pytest -q -s tests/integration/test_api_acknowledged.py -k kill

soak-cluster: integration-ready ## kill the API service and two agents 300 times while pods are made, and cut a node off for 70 s (takes about ten minutes)
	ROUNDS=300 PARTITION=70 /usr/bin/python3 -m pytest -q tests/integration/test_cluster_lives.py

controllers: integration-ready ## run the controllers' tests also with kube-controller-manager in their place, and with them at kube-apiserver
	$(build_peers) etcd kube-apiserver kube-controller-manager
	@$(MAKE) $(BUILD)/tests/conformance/run_controllers
	STOCK=1 /usr/bin/python3 -m pytest -q tests/integration/test_controllers_workloads.py tests/integration/test_controllers_services.py

SWEEPS = $(filter %memory_test,$(UNIT_PROGRAMS))
sweep: ## make every allocation fail in turn, where `make unit` tries some (takes a few minutes)
	$(install_packages) build unit
	@$(MAKE) $(SWEEPS)
	@NACELLE_SWEEP=all UNIT_TIMEOUT=1800 tests/run-unit $(SWEEPS)

$(BUILD)/tests/faults.so: tests/faults/faults.c
	@mkdir -p $(@D)
	$(CC) -std=gnu17 -D_GNU_SOURCE -O2 -g $(WARNINGS) -fPIC -shared $< -o $@

sanitize: ## build with ASan and UBSan and run the unit tests so
	@$(MAKE) BUILD=$(BUILD)-sanitize SANITIZE=address,undefined unit

clang: ## build everything with clang, warnings as errors
	$(install_packages) build unit clang
	@$(MAKE) BUILD=$(BUILD)-clang CC=clang programs unit-build

format: ## lay out the C sources as .clang-format says
	$(install_packages) clang
	git ls-files '*.c' '*.h' | xargs clang-format -i

fuzz: ## run each fuzz target for FUZZ_SECONDS
	$(install_packages) build clang
	@$(MAKE) BUILD=$(FUZZ_BUILD) CC=clang SANITIZE=address,undefined,fuzzer-no-link fuzz-build
	@tests/run-fuzz $(FUZZ_SECONDS) $(FUZZERS)

fuzz-build: $(patsubst tests/fuzz/%_fuzz.c,$(BUILD)/fuzz/%,$(FUZZ_SOURCES))

$(BUILD)/fuzz/%: $(BUILD)/tests/fuzz/%_fuzz.o $(ARCHIVES)
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) -fsanitize=fuzzer $(LDHARDEN) $^ $(WORKER_LIBS) -o $@

conformance: integration-ready ## run critest against the agent (CRITEST='-ginkgo.focus name' for some)
	tests/conformance/run $(CRITEST)

conformance-handlers: integration-ready ## run critest with containers that runc and crun make
	tests/conformance/run --handler=runc $(CRITEST)
	tests/conformance/run --handler=crun $(CRITEST)

PATCHES_SEED ?= 1
PATCHES      ?= 5000

patches: ## compare patches with what Kubernetes' own libraries make of them (PATCHES=5000 PATCHES_SEED=1)
	$(install_packages) build integration
	$(build_peers) kube-patch
	@$(MAKE) $(BUILD)/tests/conformance/apply_patches
	@python3 tests/conformance/kube_patch/cases.py $(PATCHES_SEED) $(PATCHES) | $(PEERS)/kube-patch >$(BUILD)/tests/conformance/patches.jsonl
	@python3 tests/conformance/kube_patch/compare.py $(BUILD)/tests/conformance/apply_patches <$(BUILD)/tests/conformance/patches.jsonl

patches-sample: patches ## write the sample that the unit test has anew
	python3 tests/conformance/kube_patch/sample.py <$(BUILD)/tests/conformance/patches.jsonl >tests/unit/kube/patch_cases.jsonl

HISTORIES_SEED ?= 1
HISTORIES      ?= 3000

histories: ## compare server-side apply with kube-apiserver's field manager (HISTORIES=3000 HISTORIES_SEED=1)
	$(install_packages) build integration
	$(build_peers) kube-apply
	@$(MAKE) $(BUILD)/tests/conformance/apply_histories
	@python3 tests/conformance/kube_apply/cases.py $(HISTORIES_SEED) $(HISTORIES) | $(PEERS)/kube-apply >$(BUILD)/tests/conformance/histories.jsonl
	@python3 tests/conformance/kube_apply/compare.py $(BUILD)/tests/conformance/apply_histories <$(BUILD)/tests/conformance/histories.jsonl

histories-sample: histories ## write the sample that the unit test has anew
	python3 tests/conformance/kube_apply/sample.py <$(BUILD)/tests/conformance/histories.jsonl >tests/unit/kube/apply_histories.jsonl

DEFAULTS_SEED ?= 1
DEFAULTS      ?= 4000

defaults: ## compare defaults with kube-apiserver's (DEFAULTS=4000 DEFAULTS_SEED=1)
	$(install_packages) build integration
	$(build_peers) kube-defaults
	@$(MAKE) $(BUILD)/tests/conformance/fill_defaults
	@python3 tests/conformance/kube_defaults/cases.py $(DEFAULTS_SEED) $(DEFAULTS) | $(PEERS)/kube-defaults >$(BUILD)/tests/conformance/defaults.jsonl
	@python3 tests/conformance/kube_defaults/compare.py $(BUILD)/tests/conformance/fill_defaults <$(BUILD)/tests/conformance/defaults.jsonl

defaults-sample: defaults ## write the sample that the unit test has anew
	python3 tests/conformance/kube_defaults/sample.py <$(BUILD)/tests/conformance/defaults.jsonl >tests/unit/kube/defaults_cases.jsonl

VALIDATIONS_SEED ?= 1
VALIDATIONS      ?= 20000

validations: ## compare what is refused with what kube-apiserver refuses (VALIDATIONS=20000 VALIDATIONS_SEED=1 KINDS='Pod Job' for some)
	$(install_packages) build integration
	$(build_peers) kube-validate
	@$(MAKE) $(BUILD)/tests/conformance/validate_objects
	@python3 tests/conformance/kube_validate/cases.py $(VALIDATIONS_SEED) $(VALIDATIONS) $(KINDS) | $(PEERS)/kube-validate >$(BUILD)/tests/conformance/validations.jsonl 2>$(BUILD)/tests/conformance/validations.log
	@python3 tests/conformance/kube_validate/compare.py $(BUILD)/tests/conformance/validate_objects <$(BUILD)/tests/conformance/validations.jsonl

validations-sample: validations ## write the sample that the unit test has anew
	python3 tests/conformance/kube_validate/sample.py <$(BUILD)/tests/conformance/validations.jsonl >tests/unit/kube/validate_cases.jsonl

PRINTS_SEED ?= 1
PRINTS      ?= 20000

prints: ## compare tables and selectors with what Kubernetes' own libraries make of them (PRINTS=20000 PRINTS_SEED=1)
	$(install_packages) build integration
	$(build_peers) kube-print
	@$(MAKE) $(BUILD)/tests/conformance/print_objects
	@python3 tests/conformance/kube_print/cases.py $(PRINTS_SEED) $(PRINTS) | $(PEERS)/kube-print >$(BUILD)/tests/conformance/prints.jsonl
	@python3 tests/conformance/kube_print/compare.py $(BUILD)/tests/conformance/print_objects <$(BUILD)/tests/conformance/prints.jsonl

prints-sample: prints ## write the sample that the unit test has anew
	python3 tests/conformance/kube_print/sample.py <$(BUILD)/tests/conformance/prints.jsonl >tests/unit/kube/print_cases.jsonl

pod-security: ## hold Pod Security to k8s.io/pod-security-admission: its fixtures at every version, and its own test of a server
	$(install_packages) build integration
	$(build_peers) kube-security
	@$(MAKE) $(BUILD)/tests/conformance/pod_security $(BUILD)/nacelle-api
	@$(PEERS)/kube-security cases >$(BUILD)/tests/conformance/security.jsonl
	@python3 tests/conformance/kube_security/compare.py $(BUILD)/tests/conformance/pod_security <$(BUILD)/tests/conformance/security.jsonl
	@/usr/bin/python3 tests/conformance/kube_security/server.py

pod-security-sample: pod-security ## write the sample that the unit test has anew
	python3 tests/conformance/kube_security/sample.py <$(BUILD)/tests/conformance/security.jsonl >tests/unit/api/security_cases.jsonl

e2e-cri: integration-ready ## run Kubernetes' end-to-end suite on its own cluster of one node above the agent (FOCUS='regex' SKIP='regex' PROCS=3)
	$(build_peers) $(E2E_PEERS)
	API=stock NODE=stock NODES=1 tests/e2e/run

e2e-api: ## run the specs of Kubernetes' end-to-end suite that need no pod against nacelle-api alone (FOCUS='regex' SKIP='regex')
	$(install_packages) build integration
	$(build_peers) e2e.test kubectl
	@$(MAKE) $(BUILD)/nacelle-api
	tests/e2e/run_api.py "$$FOCUS" "$$SKIP"

e2e: integration-ready ## run Kubernetes' end-to-end suite on a cluster of nacelle-api and two agents (FOCUS='regex' SKIP='regex' PROCS=3 LIST=file), or Kubernetes' own programs in the place of either (API=stock NODE=stock)
	$(build_peers) $(E2E_PEERS)
	tests/e2e/run

e2e-compare: integration-ready ## time specs of that suite on nacelle's cluster and on Kubernetes' own in turn (SPECS=file or FOCUS='regex', ROUNDS=3 PROCS=1 LIST=file)
	$(build_peers) $(E2E_PEERS)
	tests/e2e/compare

.PHONY: deps check controllers integration-ready integration-build integration faults soak soak-api soak-cluster soak-watches sanitize clang format fuzz fuzz-build conformance conformance-handlers patches patches-sample histories histories-sample defaults defaults-sample prints prints-sample validations validations-sample pod-security pod-security-sample e2e-cri differential e2e-api e2e e2e-compare kubectl-answers
