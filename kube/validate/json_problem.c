/* What Go's encoding/json says of a text that should be an object. */
#include <stdio.h>
#include <string.h>

#include "kube/validate/core.h"
#include "kube/validate/field.h"
#include "lib/arena.h"
#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/json.h"
#include "lib/value.h"

/* What each kind is called when it does not fit a map. */
static const char *go_name(const struct value *value) {
        switch (value->kind) {
        case VALUE_STRING:
                return "string";
        case VALUE_LIST:
                return "array";
        case VALUE_BOOL:
                return "bool";
        default:
                return "number";
        }
}

const char *validate_json_problem(struct validation *v, const char *text, size_t length) {
        const struct value *value;

        if (length == 0 || strspn(text, " \t\r\n") >= length)
                return "unexpected end of JSON input";
        if (json_parse(v->arena, text, length, NULL, &value, NULL) < 0) {
                size_t at = 0;

                while (at < length && strchr(" \t\r\n", text[at]))
                        at++;
                if (strchr("{[\"-0123456789tfn", text[at]))
                        return "unexpected end of JSON input";
                return validate_text(v, "invalid character '%c' looking for beginning of value", text[at]);
        }
        if (value_is(value, VALUE_MAP) || value_is(value, VALUE_NULL))
                return NULL;
        return validate_text(v, "json: cannot unmarshal %s into Go value of type map[string]interface {}",
                             go_name(value));
}
