# Kubernetes' types: C made of the tables in kube/facts.

KIND_FACTS     := $(wildcard kube/facts/*.facts)
KIND_GENERATOR := $(wildcard contrib/kinds/*.py) contrib/kinds/generate
KIND_UNITS     := $(shell awk '/^group/ {g = $$2} /^version/ {print g "_" $$2}' $(KIND_FACTS))
KIND_HEADERS   := $(KIND_UNITS:%=$(BUILD)/gen/kube/%.h)
KIND_SOURCES   := $(KIND_UNITS:%=$(BUILD)/gen/kube/%.c) $(BUILD)/gen/kube/all_kinds.c
KIND_OBJECTS   := $(KIND_SOURCES:.c=.o)

ARCHIVE_EXTRA_kube := $(KIND_OBJECTS)

# What comes out unchanged keeps its time, so that a changed fact builds only what depends on it.
$(BUILD)/gen/kube/stamp: $(KIND_FACTS) $(KIND_GENERATOR)
	PYTHONDONTWRITEBYTECODE=1 contrib/kinds/generate kube/facts $(@D)
	@touch $@

$(KIND_HEADERS) $(KIND_SOURCES): $(BUILD)/gen/kube/stamp ;

$(KIND_OBJECTS): %.o: %.c | $(KIND_HEADERS)
	$(CC) $(CPPFLAGS) $(CFLAGS) $(DEPFLAGS) -c $< -o $@

kinds-golden: ## make tests/golden/kinds anew with Kubernetes' own codecs
	$(build_peers) kinds
	rm -f tests/golden/kinds/*.json tests/golden/kinds/*.pb
	$(PEERS)/kinds golden tests/golden/kinds <tests/golden/kinds/sample

.PHONY: kinds-golden
