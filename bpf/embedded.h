/* Programs for the kernel that this one carries along: each bpf/NAME.bpf.c is compiled by clang with its types (BTF),
 * so that libbpf fits it to the kernel that it is loaded into, and is embedded as bpf_embedded_NAME. */
#pragma once

#include <stddef.h>

struct bpf_object;
struct err;

struct bpf_embedded {
        const char *name;
        const void *object; /* ELF */
        size_t size;
};

extern const struct bpf_embedded bpf_embedded_devices;

/* Loads its maps and programs. *ret_object is the caller's, for bpf_object__close(). Fails with what the kernel's
 * verifier or libbpf said last. From several threads at once: one loads at a time. */
int bpf_embedded_load(const struct bpf_embedded *embedded, struct bpf_object **ret_object, struct err **err);
