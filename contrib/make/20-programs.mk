# The programs, and what each is linked from.

PROGRAMS :=

ifneq ($(wildcard agent/main.c),)
PROGRAMS += $(BUILD)/nacelle-agent
$(BUILD)/nacelle-agent: $(BUILD)/agent/main.o $(ARCHIVES)
	$(CC) $(CFLAGS) $(LDHARDEN) $^ $(LIBS) -o $@
endif

ifneq ($(wildcard cli/main.c),)
PROGRAMS += $(BUILD)/nacelle
$(BUILD)/nacelle: $(BUILD)/cli/main.o $(BUILD)/cli.a $(ARCHIVES)
	$(CC) $(CFLAGS) $(LDHARDEN) $^ $(LIBS) -o $@
endif

ifneq ($(wildcard api/main.c),)
PROGRAMS += $(BUILD)/nacelle-api
$(BUILD)/nacelle-api: $(BUILD)/api/main.o $(foreach f,api store client kube lib,$(call archive,$(f)))
	$(CC) $(CFLAGS) $(LDHARDEN) $^ $(LIBS) -o $@
endif
