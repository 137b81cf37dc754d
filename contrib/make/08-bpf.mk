# Programs for the kernel: bpf/NAME.bpf.c becomes an object of eBPF with its types, and a C object that holds it.

BPF_CLANG   ?= clang
BPF_STRIP   ?= llvm-strip
BPF_SOURCES := $(wildcard bpf/*.bpf.c)
BPF_CFLAGS  := -target bpf -mcpu=v2 -O2 -g -std=gnu17 -Wall -Wextra -Werror -I. -idirafter /usr/include/$(shell $(CC) -print-multiarch)

ARCHIVE_EXTRA_bpf := $(BPF_SOURCES:%.bpf.c=$(BUILD)/gen/%.embedded.o)

# Of the debug information only the types stay.
$(BUILD)/gen/bpf/%.bpf.o: bpf/%.bpf.c $(wildcard bpf/*.h)
	@mkdir -p $(@D)
	$(BPF_CLANG) $(BPF_CFLAGS) -c $< -o $@
	$(BPF_STRIP) -g $@

$(BUILD)/gen/bpf/%.embedded.c: $(BUILD)/gen/bpf/%.bpf.o
	@printf '%s\n' '#include "bpf/embedded.h"' 'static const unsigned char object[] __attribute__((aligned(8))) = {' >$@
	@od -An -v -tu1 $< | sed 's/  */, /g; s/^, //; s/$$/,/' >>$@
	@printf '%s\n' '};' 'const struct bpf_embedded bpf_embedded_$* = { "$*", object, sizeof(object) };' >>$@
