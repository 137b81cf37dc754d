/* A JSON document out of a registry or the store: parsed, bounded, and its errors begin with what it is. */
#pragma once

#include <stddef.h>

struct err;
struct value;

struct document_kind {
        const char *name; /* "manifest" */
        size_t size_max;
        /* Fills @data from the document's root, a map; what it holds after a failure is cleared by @clear. */
        int (*read)(const struct value *root, void *data, struct err **err);
        void (*clear)(void *data);
};

/* Reads @n bytes of @text into @data, which is zeroed, and empty again after a failure. -EBADMSG for what is no such
 * document, -E2BIG past a maximum, -ENOMEM. */
int image_document_parse(const struct document_kind *kind, const char *text, size_t n, void *data, struct err **err);
