#include "lib/json.h"

#include <errno.h>

#include "lib/err.h"
#include "lib/json_readers.h"
#include "lib/value_builder.h"

int json_parse(struct arena *arena, const char *text, size_t length, const struct value_options *options,
               const struct value **ret_value, struct err **err) {
        int r = value_check_size(options, length, err);

        if (r < 0)
                return r;
        r = json_read_fast(arena, text, length, options, ret_value);
        if (r == -ENOMEM)
                return err_set(err, ENOMEM, "out of memory");
        return r < 0 ? json_read_words(arena, text, length, options, ret_value, err) : 0;
}
