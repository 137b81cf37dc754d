/* config.json of any bytes: what is taken lies within its bounds, and no list is without its items. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "lib/arena.h"
#include "lib/err.h"
#include "lib/json.h"
#include "lib/value.h"
#include "runtime/oci/document.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_strings(const struct member_list *list) {
        for (size_t i = 0; i < list->n; i++)
                if (!*MEMBER_AT(*list, const char *, i))
                        abort();
        if (list->n > 0 && *MEMBER_AT(*list, const char *, list->n))
                abort();
}

static void check(const struct oci_document *document) {
        const struct oci_document_user *user = &document->process.user;

        if (!document->version || user->uid.u > OCI_ID_LAST || user->gid.u > OCI_ID_LAST)
                abort();
        for (size_t i = 0; i < user->groups.n; i++)
                if (MEMBER_AT(user->groups, struct member_number, i)->u > OCI_ID_LAST)
                        abort();
        check_strings(&document->process.args);
        check_strings(&document->process.env);
        check_strings(&document->platform.masked_paths);
        for (size_t i = 0; i < document->mounts.n; i++)
                check_strings(&MEMBER_AT(document->mounts, struct oci_document_mount, i)->options);
        for (size_t i = 0; i < document->annotations.n; i++)
                if (!MEMBER_AT(document->annotations, struct member_pair, i)->value)
                        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        struct arena *arena = arena_new();
        struct oci_document document = { 0 };
        const struct value *value;
        struct err *err = NULL;

        if (!arena)
                return 0;
        if (json_parse(arena, (const char *)data, size, NULL, &value, &err) == 0) {
                int r = members_read(arena, &(struct members_source){ "fuzz", "", value }, &oci_document, &document,
                                     &err);

                if (r < 0 && !err)
                        abort();
                if (r == 0)
                        check(&document);
        }
        err_free(err);
        arena_free(arena);
        return 0;
}
