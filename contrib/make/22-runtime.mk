# The shim: static, with musl where it is there, since each pod has one and every page of it counts.
# The kernel's own headers come behind musl's.

SHIM_CC      ?= $(shell command -v musl-gcc || echo $(CC))
shim_object   = $(patsubst %.c,$(BUILD)/shim-objects/%.o,$(1))
WALK_OBJECTS := $(call shim_object,runtime/init/init.c runtime/init/path.c runtime/init/mount.c runtime/init/dev.c runtime/init/process.c \
                runtime/init/home.c runtime/init/hook.c runtime/init/copy.c runtime/plan/read.c runtime/wire.c)
SHIM_OBJECTS := $(call shim_object,$(wildcard runtime/shim/*.c) logs/writer.c logs/writer_file.c logs/writer_journal.c) $(WALK_OBJECTS)
INIT_OBJECTS := $(call shim_object,$(wildcard runtime/oci/init/*.c) runtime/init/serve.c) $(WALK_OBJECTS)
SHIM_HEADERS := $(foreach d,/usr/include /usr/include/$(shell $(CC) -print-multiarch),-idirafter $(d))
SHIM_CFLAGS  := -std=gnu17 -Os -g -ffunction-sections -fdata-sections $(WARNINGS) -fstack-protector-strong -fPIE -Wformat \
                -Wformat-security $(SHIM_HEADERS) $(EXTRA_CFLAGS)

PROGRAMS += $(BUILD)/nacelle-shim

$(BUILD)/shim-objects/%.o: %.c
	@mkdir -p $(@D)
	$(SHIM_CC) $(CPPFLAGS) $(SHIM_CFLAGS) $(DEPFLAGS) -c $< -o $@

$(BUILD)/nacelle-shim: $(SHIM_OBJECTS)
# What nacelle-oci carries along to be a container's process: without symbols, it is copied with each call.
$(BUILD)/nacelle-init: $(INIT_OBJECTS)
$(BUILD)/nacelle-init: SHIM_STRIP := -s
$(BUILD)/nacelle-shim $(BUILD)/nacelle-init:
	$(SHIM_CC) $(SHIM_CFLAGS) -static -no-pie -Wl,-z,relro,-z,now,-z,noexecstack,--gc-sections $(SHIM_STRIP) $^ -o $@

# The tests of runtime/, and one of cri/, start real shims.
TEST_PROGRAMS := -DNACELLE_TEST_SHIM='"$(abspath $(BUILD))/nacelle-shim"' -DNACELLE_TEST_OCI='"$(abspath $(BUILD))/nacelle-oci"'
$(BUILD)/tests/unit/runtime/%.o: CPPFLAGS += $(TEST_PROGRAMS)
$(BUILD)/tests/unit/cri/lifecycle_memory_test.o: CPPFLAGS += $(TEST_PROGRAMS)
$(BUILD)/tests/unit/runtime/%_test: | $(BUILD)/nacelle-shim $(BUILD)/nacelle-oci
$(BUILD)/tests/unit/cri/lifecycle_memory_test: | $(BUILD)/nacelle-shim

# The OCI runtime command line: runtime/ without the agent. Static and at a fixed address, since it runs once a call: the loader, or
# relocating itself, would take longer than the rest of its user time (the sanitizers have no static form).
OCI_OBJECTS := $(patsubst %.c,$(BUILD)/%.o,$(wildcard runtime/oci/*.c))
ifeq ($(SANITIZE),)
OCI_LIBS    := -static -lprotobuf-c -lseccomp -lcap -lyajl_s -lm -lpthread
else
OCI_LIBS     = $(shell pkg-config --libs libuv libprotobuf-c libseccomp libcap libbpf yajl yaml-0.1) -lm -lpthread
endif
PROGRAMS    += $(BUILD)/nacelle-oci

$(BUILD)/runtime/oci/program.o: CPPFLAGS += -DNACELLE_INIT='"$(BUILD)/nacelle-init"'
$(BUILD)/runtime/oci/program.o: $(BUILD)/nacelle-init

$(BUILD)/nacelle-oci: $(OCI_OBJECTS) $(foreach f,runtime cgroups logs lib,$(call archive,$(f)))
	$(CC) $(CFLAGS) $(filter-out $(if $(SANITIZE),,-pie),$(LDHARDEN)) $^ $(OCI_LIBS) -o $@

# The fuzz target of its configuration has the tables as well.
OCI_DOCUMENT := runtime/oci/document.o runtime/oci/document_resources.o
$(BUILD)/fuzz/oci_document: $(BUILD)/tests/fuzz/oci_document_fuzz.o $(addprefix $(BUILD)/,$(OCI_DOCUMENT)) $(ARCHIVES)
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) -fsanitize=fuzzer $(LDHARDEN) $^ $(WORKER_LIBS) -o $@
