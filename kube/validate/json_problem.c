/* What Go's encoding/json says of a text that should be an object. */
#include <errno.h>
#include <string.h>

#include "kube/validate/core.h"
#include "kube/validate/pod_rules.h"
#include "lib/cleanup.h"
#include "lib/json.h"
#include "lib/value.h"

/* What each kind is called when it does not fit a map. */
static const char *go_name(const struct value *value) {
        switch (value->kind) {
        case VALUE_STRING:
                return "string";
        case VALUE_LIST:
                return "array";
        case VALUE_MAP:
                return "object";
        case VALUE_BOOL:
                return "bool";
        default:
                return "number";
        }
}

/* Of a text that is not JSON: the first character, where that is what is wrong. */
static const char *syntax_problem(struct validation *v, const char *text, size_t length) {
        size_t at = 0;

        while (at < length && strchr(" \t\r\n", text[at]))
                at++;
        if (at == length || strchr("{[\"-0123456789tfn", text[at]))
                return "unexpected end of JSON input";
        return validate_text(v, "invalid character '%c' looking for beginning of value", text[at]);
}

static const char *problem(struct validation *v, const char *text, size_t length, enum value_kind wanted,
                           const char *go_type) {
        const struct value *value;
        int r;

        r = json_parse(v->arena, text, length, NULL, &value, NULL);
        if (r == -ENOMEM) {
                v->error = r;
                return NULL;
        }
        if (r < 0)
                return syntax_problem(v, text, length);
        if (value_is(value, wanted) || value_is(value, VALUE_NULL))
                return NULL;
        return validate_text(v, "json: cannot unmarshal %s into Go value of type %s", go_name(value), go_type);
}

const char *validate_json_problem(struct validation *v, const char *text, size_t length) {
        return problem(v, text, length, VALUE_MAP, "map[string]interface {}");
}

const char *validate_list_problem(struct validation *v, const char *text) {
        return problem(v, text, strlen(text), VALUE_LIST, "[]core.Toleration") ?: "";
}
