#include "api/pages/zpage_form.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/http/parts.h"

#define GROUP "config.k8s.io"

static bool is(struct http_part part, const char *text) {
        return part.n == strlen(text) && memcmp(part.at, text, part.n) == 0;
}

/* What a clause asks for. */
struct clause {
        struct http_part type, kind, group, version;
        bool converts, pretty, refused;
        double quality;
};

static void read_parameter(struct http_part parameter, struct clause *clause) {
        struct http_part key = http_part_next(&parameter, '='), value = http_part_of(parameter.at, parameter.n);

        clause->converts |= is(key, "as") || is(key, "g") || is(key, "v");
        if (is(key, "as"))
                clause->kind = value;
        else if (is(key, "g"))
                clause->group = value;
        else if (is(key, "v"))
                clause->version = value;
        else if (is(key, "q"))
                clause->quality = strtod(value.at, NULL);
        else if (is(key, "pretty"))
                clause->pretty = is(value, "1");
        else
                clause->refused |= value.n > 0 && (is(key, "stream") || is(key, "sv"));
}

static struct clause read_clause(struct http_part text) {
        struct clause clause = { .type = http_part_next(&text, ';'), .quality = 1 };

        while (text.n > 0)
                read_parameter(http_part_next(&text, ';'), &clause);
        return clause;
}

static const char *version_of(const struct clause *clause, const char *kind) {
        static const char *const versions[] = { "v1alpha1", "v1beta1" };

        for (size_t i = 0; is(clause->kind, kind) && is(clause->group, GROUP) && i < ELEMENTS(versions); i++)
                if (is(clause->version, versions[i]))
                        return versions[i];
        return NULL;
}

/* Whether the clause can be met: by the first form that does. */
static bool meets(const struct clause *clause, const char *kind, struct zpage_media *ret_media) {
        static const struct {
                const char *type, *any;
                enum zpage_form form;
        } forms[] = {
                { "application/json", "application/*", ZPAGE_JSON },
                { "application/yaml", "application/*", ZPAGE_YAML },
                { "text/plain", "text/*", ZPAGE_TEXT },
        };
        const char *version = version_of(clause, kind);

        for (size_t i = 0; !clause->refused && i < ELEMENTS(forms); i++) {
                if (!is(clause->type, forms[i].type) && !is(clause->type, forms[i].any) && !is(clause->type, "*/*"))
                        continue;
                if (forms[i].form == ZPAGE_TEXT ? clause->converts : !version)
                        continue;
                *ret_media = (struct zpage_media){ forms[i].form, version, clause->pretty };
                return true;
        }
        return false;
}

int zpage_negotiate(const char *accept, const char *kind, struct zpage_media *ret_media) {
        struct http_part rest = http_part_of(accept ?: "", strlen(accept ?: ""));
        struct zpage_media best = { .form = ZPAGE_TEXT }, media;
        double quality = rest.n > 0 ? -1 : 0;

        while (rest.n > 0) {
                struct clause clause = read_clause(http_part_next(&rest, ','));

                if (clause.quality > quality && meets(&clause, kind, &media)) {
                        quality = clause.quality;
                        best = media;
                }
        }
        if (quality < 0)
                return -ENOENT;
        *ret_media = best;
        return 0;
}
