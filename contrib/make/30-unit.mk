# Unit tests: tests/unit/FOLDER/NAME_test.c is one cmocka program, linked with the archives.
# `make unit-FOLDER` runs one folder's, `make unit` all.

UNIT_SOURCES  := $(wildcard tests/unit/*/*_test.c)
UNIT_PROGRAMS := $(patsubst %.c,$(BUILD)/%,$(UNIT_SOURCES))

$(BUILD)/tests/unit/%_test: $(BUILD)/tests/unit/%_test.o $(ARCHIVES)
	$(CC) $(CFLAGS) $(LDHARDEN) $(filter %.o,$^) $(filter %.a,$^) $(WORKER_LIBS) -lcmocka $(WRAP) -o $@

$(filter $(BUILD)/tests/unit/agent/worker_%,$(UNIT_PROGRAMS)): $(BUILD)/tests/unit/agent/world.o

$(addprefix $(BUILD)/tests/unit/store/,store_test sqlite_test sqlite_full_test sqlite_backup_test): $(BUILD)/tests/unit/store/fixture.o

# Tests whose allocations fail on demand.
$(filter %memory_test,$(UNIT_PROGRAMS)) $(addprefix $(BUILD)/tests/unit/,kube/stream_test kube/openapi_test lib/grow_test): \
    $(BUILD)/tests/unit/support/memory.o

# What is taken from an arena fails there likewise.
ARENA_EACH := alloc alloc_uncleared alloc_array strndup strdup list printf
ARENA_SWEEPS := $(addprefix $(BUILD)/tests/unit/,agent/worker_memory_test cri/memory_test cri/lifecycle_memory_test \
    kube/convert_memory_test api/services_memory_test api/scheduler_memory_test api/workloads_memory_test)
$(ARENA_SWEEPS): $(BUILD)/tests/unit/support/arena.o
$(ARENA_SWEEPS): WRAP = $(ARENA_EACH:%=-Wl,--wrap=arena_%)

$(BUILD)/tests/unit/cli/%_test: $(BUILD)/tests/unit/cli/%_test.o $(BUILD)/cli.a $(ARCHIVES)
	$(CC) $(CFLAGS) $(LDHARDEN) $^ $(WORKER_LIBS) -lcmocka -o $@

# Programs that the comparisons in tests/conformance, and `make patches` and its like, ask.
CONFORMANCE_PROGRAMS := $(patsubst %.c,$(BUILD)/%,$(wildcard tests/conformance/*.c))
$(CONFORMANCE_PROGRAMS): $(BUILD)/tests/conformance/%: $(BUILD)/tests/conformance/%.o $(ARCHIVES)
	$(CC) $(CFLAGS) $(LDHARDEN) $^ $(WORKER_LIBS) -o $@

# Some tests start the real programs.
unit-build: $(UNIT_PROGRAMS) $(CONFORMANCE_PROGRAMS) $(BUILD)/nacelle-shim $(BUILD)/nacelle-image $(BUILD)/nacelle-oci

unit: ## build and run the unit tests (UNIT=folder for one folder's)
	$(install_packages) build unit
	@$(MAKE) unit-build
	@tests/run-unit $(if $(UNIT),$(filter $(BUILD)/tests/unit/$(UNIT)/%,$(UNIT_PROGRAMS)),$(UNIT_PROGRAMS))

unit-%:
	$(install_packages) build unit
	@$(MAKE) $(filter $(BUILD)/tests/unit/$*/%,$(UNIT_PROGRAMS))
	@tests/run-unit $(filter $(BUILD)/tests/unit/$*/%,$(UNIT_PROGRAMS))

.PHONY: unit unit-build
