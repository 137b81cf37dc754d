# Unit tests: tests/unit/FOLDER/NAME_test.c is one cmocka program, linked with the archives.
# `make unit-FOLDER` runs one folder's, `make unit` all.

UNIT_SOURCES  := $(wildcard tests/unit/*/*_test.c)
UNIT_PROGRAMS := $(patsubst %.c,$(BUILD)/%,$(UNIT_SOURCES))

$(BUILD)/tests/unit/%_test: $(BUILD)/tests/unit/%_test.o $(ARCHIVES)
	$(CC) $(CFLAGS) $(LDHARDEN) $(filter %.o,$^) $(filter %.a,$^) $(WORKER_LIBS) -lcmocka -o $@

$(BUILD)/tests/unit/agent/worker_test $(BUILD)/tests/unit/agent/worker_memory_test: $(BUILD)/tests/unit/agent/world.o

# Tests whose allocations fail on demand.
$(BUILD)/tests/unit/agent/worker_memory_test $(BUILD)/tests/unit/cri/memory_test \
$(BUILD)/tests/unit/lib/memory_test $(BUILD)/tests/unit/kube/patch_memory_test $(BUILD)/tests/unit/kube/stream_test: $(BUILD)/tests/unit/support/memory.o

$(BUILD)/tests/unit/cli/%_test: $(BUILD)/tests/unit/cli/%_test.o $(BUILD)/cli.a $(ARCHIVES)
	$(CC) $(CFLAGS) $(LDHARDEN) $^ $(WORKER_LIBS) -lcmocka -o $@

# What tests/conformance/test_manifests_as_kubelet.py asks.
$(BUILD)/tests/conformance/read_manifests: $(BUILD)/tests/conformance/read_manifests.o $(ARCHIVES)
	$(CC) $(CFLAGS) $(LDHARDEN) $^ $(WORKER_LIBS) -o $@

# What tests/conformance/test_authorization_as_kubernetes.py and test_credentials_as_kubernetes.py ask.
$(BUILD)/tests/conformance/authorize $(BUILD)/tests/conformance/credentials: $(BUILD)/tests/conformance/%: $(BUILD)/tests/conformance/%.o $(ARCHIVES)
	$(CC) $(CFLAGS) $(LDHARDEN) $^ $(WORKER_LIBS) -o $@

# What `make patches` compares with Kubernetes' own libraries.
$(BUILD)/tests/conformance/apply_patches: $(BUILD)/tests/conformance/apply_patches.o $(ARCHIVES)
	$(CC) $(CFLAGS) $(LDHARDEN) $^ $(WORKER_LIBS) -o $@

# Some tests start the real programs.
unit-build: $(UNIT_PROGRAMS) $(BUILD)/tests/conformance/read_manifests \
            $(BUILD)/tests/conformance/authorize $(BUILD)/tests/conformance/credentials $(BUILD)/nacelle-shim $(BUILD)/nacelle-image $(BUILD)/nacelle-oci

unit: ## build and run the unit tests (UNIT=folder for one folder's)
	$(install_packages) build unit
	@$(MAKE) unit-build
	@tests/run-unit $(if $(UNIT),$(filter $(BUILD)/tests/unit/$(UNIT)/%,$(UNIT_PROGRAMS)),$(UNIT_PROGRAMS))

unit-%:
	$(install_packages) build unit
	@$(MAKE) $(filter $(BUILD)/tests/unit/$*/%,$(UNIT_PROGRAMS))
	@tests/run-unit $(filter $(BUILD)/tests/unit/$*/%,$(UNIT_PROGRAMS))

.PHONY: unit unit-build
