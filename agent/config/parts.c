#include "agent/config/parts.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "agent/config/values.h"
#include "lib/cleanup.h"

#define AT(member) offsetof(struct options, member)

enum part_kind { PART_TEXT, PART_BOOL, PART_DURATION };

struct config_part {
        const char *path; /* from the field on: "x509.clientCAFile" */
        enum part_kind kind;
        size_t offset;
};

static const struct config_part authentication_parts[] = {
        { "x509.clientCAFile", PART_TEXT, AT(server.client_ca) },
        { "webhook.enabled", PART_BOOL, AT(server.tokens) },
        { "webhook.cacheTTL", PART_DURATION, AT(server.token_ms) },
        { "anonymous.enabled", PART_BOOL, AT(server.anonymous) },
};
static const struct config_part authorization_parts[] = {
        { "mode", PART_TEXT, AT(server.mode) },
        { "webhook.cacheAuthorizedTTL", PART_DURATION, AT(server.allowed_ms) },
        { "webhook.cacheUnauthorizedTTL", PART_DURATION, AT(server.denied_ms) },
};

static int set_part(const struct config_part *part, const struct value *value, const char *name, struct options *o,
                    struct err **err) {
        void *at = (char *)o + part->offset;

        if (value_is_null(value))
                return 0;
        if (part->kind == PART_BOOL)
                return config_set_bool(value, name, at, err);
        return part->kind == PART_TEXT ? config_set_text(value, name, at, err) :
                                         config_set_duration(value, name, at, err);
}

#define PART_NAME_MAX 128

struct part_of {
        const struct config_part *parts;
        size_t n;
        const char *field;
};

/* @map is what stands at @prefix ("", "webhook."). Names that are no part are errors, as kubelet decodes strictly. */
static int set_parts(const struct part_of *of, const struct value *map, const char *prefix, struct options *o,
                     struct err **err) {
        if (!value_is(map, VALUE_MAP))
                return config_want(map, of->field, "a map", err);
        for (uint32_t i = 0; i < map->count; i++) {
                const struct value_member *member = &map->members[i];
                const struct config_part *part = NULL;
                char path[PART_NAME_MAX], name[2 * PART_NAME_MAX], below[PART_NAME_MAX + 1];
                bool above = false;
                int r;

                snprintf(path, sizeof(path), "%s%s", prefix, member->key);
                snprintf(name, sizeof(name), "%s.%s", of->field, path);
                for (size_t p = 0; p < of->n && !part; p++) {
                        size_t length = strlen(path);

                        part = strcmp(of->parts[p].path, path) == 0 ? &of->parts[p] : NULL;
                        above |= strncmp(of->parts[p].path, path, length) == 0 && of->parts[p].path[length] == '.';
                }
                if (!part && !above)
                        return err_set(err, EINVAL, "line %u: %s: unknown field", member->line, name);
                if (!part && value_is_null(&member->value))
                        continue;
                snprintf(below, sizeof(below), "%s.", path);
                r = part ? set_part(part, &member->value, name, o, err) : set_parts(of, &member->value, below, o, err);
                if (r < 0)
                        return r;
        }
        return 0;
}

int config_set_authentication(const struct value *value, struct options *o, struct err **err) {
        const struct part_of of = { authentication_parts, ELEMENTS(authentication_parts), "authentication" };

        return set_parts(&of, value, "", o, err);
}

int config_set_authorization(const struct value *value, struct options *o, struct err **err) {
        const struct part_of of = { authorization_parts, ELEMENTS(authorization_parts), "authorization" };

        return set_parts(&of, value, "", o, err);
}
