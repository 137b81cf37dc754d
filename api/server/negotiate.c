#include "api/server/negotiate.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "lib/cleanup.h"

static const struct {
        const char *type;
        enum api_form form;
        bool answers; /* may be asked for */
} forms[] = {
        { "application/json", API_JSON, true },
        { "application/vnd.kubernetes.protobuf", API_PROTOBUF, true },
        { "application/yaml", API_YAML, true },
        { "application/json-patch+json", API_PATCH_JSON, false },
        { "application/merge-patch+json", API_PATCH_MERGE, false },
        { "application/strategic-merge-patch+json", API_PATCH_STRATEGIC, false },
        { "application/apply-patch+yaml", API_PATCH_APPLY, false },
};

struct text {
        const char *at;
        size_t length;
};

static struct text trim(const char *at, size_t length) {
        while (length > 0 && (*at == ' ' || *at == '\t'))
                at++, length--;
        while (length > 0 && (at[length - 1] == ' ' || at[length - 1] == '\t'))
                length--;
        return (struct text){ at, length };
}

static bool is(struct text text, const char *word) {
        return text.length == strlen(word) && strncasecmp(text.at, word, text.length) == 0;
}

/* The first of what @mark divides, taken off @rest. */
static struct text next_part(struct text *rest, char mark) {
        const char *end = memchr(rest->at, mark, rest->length);
        size_t n = end ? (size_t)(end - rest->at) : rest->length;
        struct text part = trim(rest->at, n);

        rest->at += end ? n + 1 : n;
        rest->length -= end ? n + 1 : n;
        return part;
}

static int form_of(struct text type, enum api_form *ret_form, bool answers) {
        for (size_t i = 0; i < ELEMENTS(forms); i++)
                if (is(type, forms[i].type) && (forms[i].answers || !answers)) {
                        *ret_form = forms[i].form;
                        return 0;
                }
        return -EINVAL;
}

int api_form_of(const char *content_type, enum api_form *ret_form) {
        struct text rest = { content_type ?: "", strlen(content_type ?: "") };
        struct text type = next_part(&rest, ';');

        if (type.length == 0) {
                *ret_form = API_JSON;
                return 0;
        }
        return form_of(type, ret_form, false);
}

/* --- Accept --- */

struct offer {
        struct api_media media;
        double quality;
        bool shaped, grouped, versioned; /* it says as, g, v */
};

static void read_parameter(struct text parameter, struct offer *offer, bool *known) {
        struct text rest = parameter, key = next_part(&rest, '='), value = trim(rest.at, rest.length);

        if (is(key, "q"))
                offer->quality = strtod(value.at, NULL);
        else if (is(key, "as")) {
                offer->media.shape = is(value, "Table") ? API_TABLE : API_PARTIAL;
                offer->media.of_list = is(value, "PartialObjectMetadataList");
                offer->shaped = true;
                *known &= is(value, "Table") || is(value, "PartialObjectMetadata") || offer->media.of_list;
        } else if (is(key, "pretty"))
                offer->media.pretty = is(value, "1") || is(value, "true");
        else if (is(key, "stream"))
                *known &= is(value, "watch");
        else if (is(key, "g")) {
                *known &= is(value, "meta.k8s.io");
                offer->grouped = true;
        } else if (is(key, "v")) {
                offer->versioned = true;
                offer->media.meta_version = is(value, "v1beta1") ? "v1beta1" : "v1";
                *known &= is(value, offer->media.meta_version);
        }
}

/* An object in another shape is of one of meta.k8s.io's kinds, and its version is said; tables have no protobuf. */
static bool is_whole(const struct offer *offer) {
        return !offer->shaped || (offer->grouped && offer->versioned &&
                                  !(offer->media.shape == API_TABLE && offer->media.form == API_PROTOBUF));
}

/* Whether the clause is one that can be met; of which form there is none is not *@typed. */
static bool read_clause(struct text clause, struct offer *ret_offer, bool *typed) {
        struct offer offer = { .quality = 1, .media.meta_version = "v1" };
        struct text type = next_part(&clause, ';');
        bool known = true;

        if (!is(type, "*/*") && !is(type, "application/*") && form_of(type, &offer.media.form, true) < 0)
                return false;
        *typed = true;
        while (clause.length > 0)
                read_parameter(next_part(&clause, ';'), &offer, &known);
        *ret_offer = offer;
        return known && is_whole(&offer);
}

int api_negotiate(const char *accept, struct api_media *ret_media) {
        struct text rest = { accept ?: "", strlen(accept ?: "") };
        struct offer best = { .quality = -1 }, offer;
        bool typed = false;

        if (trim(rest.at, rest.length).length == 0) {
                *ret_media = (struct api_media){ .form = API_JSON, .meta_version = "v1" };
                return 0;
        }
        while (rest.length > 0)
                if (read_clause(next_part(&rest, ','), &offer, &typed) && offer.quality > best.quality)
                        best = offer;
        if (best.quality < 0)
                return typed ? -EINVAL : -ENOENT;
        *ret_media = best.media;
        return 0;
}

bool api_takes_json(const char *accept) {
        struct text rest = { accept ?: "", strlen(accept ?: "") };
        struct offer offer;

        if (trim(rest.at, rest.length).length == 0)
                return true;
        while (rest.length > 0) {
                bool typed = false;

                read_clause(next_part(&rest, ','), &offer, &typed);
                if (typed && offer.media.form == API_JSON)
                        return true; /* whatever shape it is to have */
        }
        return false;
}

const char *api_content_type(enum api_form form) {
        return forms[form == API_PROTOBUF ? 1 : form == API_YAML ? 2 : 0].type;
}
