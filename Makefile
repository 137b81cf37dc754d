# nacelle: one Makefile, no configure step. `make help` lists what it can do.

VERSION := 0.1.0
BUILD   ?= build
DESTDIR ?=
PREFIX  ?= /usr
ifeq ($(origin CC),default)
CC := gcc
endif
SANITIZE ?=

# Folders from the lowest layer to the highest; a folder uses only those that docs/ARCHITECTURE.md allows it.
FOLDERS := lib bpf kube client store cgroups logs images probes cni services runtime cri agent api

# Whose headers are needed, but which are loaded at run time, where they are needed then.
LOADED_PACKAGES := libsystemd libpcre2-8
PACKAGES := libuv libnghttp2 libprotobuf-c libseccomp libcap libnl-3.0 libnl-route-3.0 libmnl libnftnl yajl \
            yaml-0.1 libbpf openssl zlib libisal sqlite3 liblz4
WORKER_PACKAGES := libcurl libzstd

WARNINGS := -Wall -Wextra -Werror -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith \
            -Wwrite-strings -Wvla -Wundef -Wno-unused-parameter
HARDEN   := -fstack-protector-strong -fPIE -fno-plt -Wformat -Wformat-security
LDHARDEN := -pie -Wl,-z,relro,-z,now,-z,noexecstack,--as-needed,--gc-sections
OPTIMIZE := -O2 -g -ffunction-sections -fdata-sections
ifeq ($(SANITIZE),)
HARDEN   += -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3
else
OPTIMIZE := -O1 -g -fno-omit-frame-pointer -fsanitize=$(SANITIZE) -fno-sanitize-recover=undefined
LDHARDEN += -fsanitize=$(SANITIZE)
endif

# `linux` is 1 in gnu17, and a field's name in CRI.
CPPFLAGS += -D_GNU_SOURCE -Ulinux -I. -I$(BUILD)/gen -DNACELLE_VERSION='"$(VERSION)"'
CFLAGS   := -std=gnu17 $(OPTIMIZE) $(WARNINGS) $(HARDEN) $(EXTRA_CFLAGS)
DEPFLAGS  = -MMD -MP -MF $(@:.o=.d)
PKG_CFLAGS := $(shell pkg-config --cflags $(PACKAGES) $(WORKER_PACKAGES) $(LOADED_PACKAGES) 2>/dev/null | sed 's/-I/-isystem /g')

MAKEFLAGS += --no-print-directory

# Whatever is run rather than built first installs what it needs; then a make of its own builds, which knows what was installed.
PEERS ?= $(HOME)/.cache/nacelle-peers
export PEERS BUILD
install_packages = @contrib/install-packages
build_peers      = @contrib/install-packages peers && tests/peers/build $(PEERS)
E2E_PEERS       := agnhost coredns crictl e2e.test etcd ginkgo kube-apiserver kube-controller-manager kube-proxy kube-scheduler \
                   kubectl kubelet sample-apiserver

include $(wildcard contrib/make/*.mk)

ifneq ($(filter all programs install,$(or $(MAKECMDGOALS),all)),)
MISSING := $(shell for p in $(PACKAGES) $(WORKER_PACKAGES) $(LOADED_PACKAGES); do pkg-config --exists $$p 2>/dev/null || echo $$p; done)
MISSING_TOOLS := $(shell for p in $(BPF_CLANG) $(BPF_STRIP); do command -v $$p >/dev/null || echo $$p; done)
$(if $(MISSING_TOOLS),$(error not found: $(MISSING_TOOLS), which compile what runs in the kernel: `make deps` installs what building needs))
$(if $(MISSING),$(error pkg-config does not find $(MISSING): `make deps` installs what building needs))
endif

all: programs ## build every program (the default)

.PHONY: all programs clean help
programs: $(PROGRAMS)
	@:

help: ## this list
	@awk -F':.*## ' '/^[a-z][a-z0-9-]*:.*## /{printf "  make %-21s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

clean: ## remove what was built
	rm -rf $(BUILD)

.DEFAULT_GOAL := all
.PRECIOUS: $(BUILD)/%.o
.DELETE_ON_ERROR:
