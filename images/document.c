#include "images/document.h"

#include <errno.h>

#include "lib/arena.h"
#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/json.h"
#include "lib/value.h"

int image_document_parse(const struct document_kind *kind, const char *text, size_t n, void *data, struct err **err) {
        const struct value_options options = { .bytes_max = kind->size_max };
        _cleanup_arena_ struct arena *arena = arena_new();
        const struct value *root;
        struct err *cause = NULL;
        int r;

        if (!arena)
                return err_set(err, ENOMEM, "out of memory");
        if ((r = json_parse(arena, text, n, &options, &root, &cause)) < 0 ||
            (!value_is(root, VALUE_MAP) &&
             (r = err_set(&cause, EINVAL, "it is %s, not a map", value_kind_name(root))) < 0) ||
            (r = kind->read(root, data, &cause)) < 0) {
                kind->clear(data);
                err_wrap(&cause, r, "%s", kind->name);
                if (r == -EINVAL) /* the content is at fault, not who asks for it */
                        r = err_set(err, EBADMSG, "%s", err_text(cause));
                else
                        err_move(err, TAKE_PTR(cause));
                err_free(cause);
        }
        return r;
}
