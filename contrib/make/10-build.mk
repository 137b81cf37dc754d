# How sources become objects, archives and programs.
# Each folder's .c files and those of its rooms (its main.c and its sub-programs' folders apart) are one archive.

program_dirs := runtime/shim runtime/oci images/worker
rooms = $(filter-out $(program_dirs),$(patsubst %/,%,$(wildcard $(1)/*/)))
folder_sources = $(filter-out $(1)/main.c %.bpf.c,$(wildcard $(1)/*.c $(addsuffix /*.c,$(call rooms,$(1)))))
objects = $(patsubst %.c,$(BUILD)/%.o,$(1))
archive = $(BUILD)/$(1).a

GENERATED := $(foreach p,cri/api cri/extension cri/record runtime/criu/criu agent/devices/plugin agent/pods/podresources,$(BUILD)/gen/$(p).pb-c.h) $(KIND_HEADERS)
.SECONDARY: $(GENERATED)

$(BUILD)/gen/%.pb-c.c $(BUILD)/gen/%.pb-c.h &: %.proto
	@mkdir -p $(BUILD)/gen
	protoc-c --c_out=$(BUILD)/gen $<

$(BUILD)/gen/%.o: $(BUILD)/gen/%.c
	$(CC) $(CPPFLAGS) $(filter-out -Werror,$(CFLAGS)) $(PKG_CFLAGS) -c $< -o $@

$(BUILD)/%.o: %.c | $(GENERATED)
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) $(PKG_CFLAGS) $(DEPFLAGS) -c $< -o $@

define folder_archive
$(call archive,$(1)): $(call objects,$(call folder_sources,$(1))) $$(ARCHIVE_EXTRA_$(1))
	@mkdir -p $$(@D)
	@rm -f $$@
	ar qcs $$@ $$^
endef
ARCHIVE_EXTRA_cri := $(foreach p,api extension record,$(BUILD)/gen/cri/$(p).pb-c.o)
ARCHIVE_EXTRA_runtime := $(BUILD)/gen/runtime/criu/criu.pb-c.o
ARCHIVE_EXTRA_agent := $(foreach p,devices/plugin pods/podresources,$(BUILD)/gen/agent/$(p).pb-c.o)
$(foreach f,$(FOLDERS) cli,$(eval $(call folder_archive,$(f))))

# In link order: the highest layer first.
reverse = $(if $(1),$(call reverse,$(wordlist 2,$(words $(1)),$(1))) $(firstword $(1)))
ARCHIVES := $(foreach f,$(call reverse,$(FOLDERS)),$(call archive,$(f)))
LIBS     = $(shell pkg-config --libs $(PACKAGES)) -lpthread -lm
WORKER_LIBS = $(shell pkg-config --libs $(PACKAGES) $(WORKER_PACKAGES)) -lpthread -lm
DEPS    := $(shell find $(BUILD) -name '*.d' -type f 2>/dev/null)
-include $(DEPS)
