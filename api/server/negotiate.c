#include "api/server/negotiate.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "lib/cleanup.h"
#include "lib/http/parts.h"

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

static bool is(struct http_part text, const char *word) {
        return text.n == strlen(word) && strncasecmp(text.at, word, text.n) == 0;
}

static int form_of(struct http_part type, enum api_form *ret_form) {
        for (size_t i = 0; i < ELEMENTS(forms); i++)
                if (is(type, forms[i].type) && forms[i].answers) {
                        *ret_form = forms[i].form;
                        return 0;
                }
        return -EINVAL;
}

/* --- Content-Type --- */

static void skip(struct http_part *rest, size_t n) {
        rest->at += n;
        rest->n -= n;
}

static void skip_blanks(struct http_part *rest) {
        skip(rest, strspn(rest->at, " \t\r\n\v\f"));
}

/* RFC 2045's token, taken off @rest; empty: there is none. */
static struct http_part next_token(struct http_part *rest) {
        size_t n = 0;

        while (rest->at[n] > ' ' && rest->at[n] < 0x7f && !strchr("()<>@,;:\\\"/[]?=", rest->at[n]))
                n++;
        skip(rest, n);
        return (struct http_part){ rest->at - n, n };
}

/* A quoted text, taken off @rest. False: it does not end. */
static bool next_quoted(struct http_part *rest, struct http_part *ret_value) {
        const char *at = rest->at + 1;

        while (*at && *at != '"' && *at != '\r' && *at != '\n')
                at += *at == '\\' && at[1] && strchr("()<>@,;:\\\"/[]?=", at[1]) ? 2 : 1;
        if (*at != '"')
                return false;
        *ret_value = (struct http_part){ rest->at, (size_t)(at + 1 - rest->at) };
        skip(rest, ret_value->n);
        return true;
}

struct parameter {
        struct http_part key, value;
};

/* The next of @rest, which begins with its semicolon. False: it is none. */
static bool next_parameter(struct http_part *rest, struct parameter *ret_parameter) {
        struct parameter p;

        if (*rest->at != ';')
                return false;
        skip(rest, 1);
        skip_blanks(rest);
        p.key = next_token(rest);
        skip_blanks(rest);
        if (p.key.n == 0 || *rest->at != '=')
                return false;
        skip(rest, 1);
        skip_blanks(rest);
        if (*rest->at == '"' ? !next_quoted(rest, &p.value) : (p.value = next_token(rest)).n == 0)
                return false;
        *ret_parameter = p;
        return true;
}

#define PARAMETERS_MAX 16

static bool is_same(struct http_part a, struct http_part b) {
        return a.n == b.n && memcmp(a.at, b.at, a.n) == 0;
}

/* A name stands once, or for the same value. */
static bool is_new(const struct parameter *all, size_t n) {
        for (size_t i = 0; i < n; i++)
                if (all[i].key.n == all[n].key.n && strncasecmp(all[i].key.at, all[n].key.at, all[n].key.n) == 0 &&
                    !is_same(all[i].value, all[n].value))
                        return false;
        return true;
}

/* What stands behind a type: parameters, and at the end a semicolon too many. */
static bool are_parameters(struct http_part rest) {
        struct parameter all[PARAMETERS_MAX];
        size_t n = 0;

        for (skip_blanks(&rest); *rest.at; skip_blanks(&rest)) {
                if (*rest.at == ';' && http_part_of(rest.at + 1, strlen(rest.at + 1)).n == 0)
                        return true;
                if (n == PARAMETERS_MAX || !next_parameter(&rest, &all[n]) || !is_new(all, n))
                        return false;
                n++;
        }
        return true;
}

int api_form_of(const char *content_type, enum api_form *ret_form) {
        size_t n = strcspn(content_type ?: "", ";");
        struct http_part type = http_part_of(content_type ?: "", n);

        if (!content_type || !*content_type) {
                *ret_form = API_JSON;
                return 0;
        }
        if (!are_parameters((struct http_part){ content_type + n, strlen(content_type + n) }))
                return -EINVAL;
        return form_of(type, ret_form);
}

static int patch_form_of(struct http_part type, enum api_form *ret_form) {
        for (size_t i = 0; i < ELEMENTS(forms); i++)
                if (!forms[i].answers && is_same(type, (struct http_part){ forms[i].type, strlen(forms[i].type) })) {
                        *ret_form = forms[i].form;
                        return 0;
                }
        return -EINVAL;
}

int api_patch_form_of(const char *content_type, enum api_form *ret_form) {
        const char *text = content_type ?: "", *semicolon = strchr(text, ';');
        struct http_part all = { text, strlen(text) }, part;
        enum api_form some;
        bool known = false;

        while (all.n > 0 && !known) {
                part = http_part_next(&all, ',');
                known = patch_form_of(http_part_of(part.at, strcspn(part.at, ";,")), &some) == 0;
        }
        if (!known)
                return -ENOENT;
        return patch_form_of((struct http_part){ text, semicolon > text ? (size_t)(semicolon - text) : strlen(text) },
                             ret_form);
}

/* --- Accept --- */

struct offer {
        struct api_media media;
        double quality;
        bool shaped, grouped, versioned; /* it says as, g, v */
};

static void read_parameter(struct http_part parameter, struct offer *offer, bool *known) {
        struct http_part rest = parameter, key = http_part_next(&rest, '='), value = http_part_of(rest.at, rest.n);

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
static bool read_clause(struct http_part clause, struct offer *ret_offer, bool *typed) {
        struct offer offer = { .quality = 1, .media.meta_version = "v1" };
        struct http_part type = http_part_next(&clause, ';');
        bool known = true;

        if (!is(type, "*/*") && !is(type, "application/*") && form_of(type, &offer.media.form) < 0)
                return false;
        *typed = true;
        while (clause.n > 0)
                read_parameter(http_part_next(&clause, ';'), &offer, &known);
        *ret_offer = offer;
        return known && is_whole(&offer);
}

int api_negotiate(const char *accept, struct api_media *ret_media) {
        struct http_part rest = { accept ?: "", strlen(accept ?: "") };
        struct offer best = { .quality = -1 }, offer;
        bool typed = false;

        if (http_part_of(rest.at, rest.n).n == 0) {
                *ret_media = (struct api_media){ .form = API_JSON, .meta_version = "v1" };
                return 0;
        }
        while (rest.n > 0)
                if (read_clause(http_part_next(&rest, ','), &offer, &typed) && offer.quality > best.quality)
                        best = offer;
        if (best.quality < 0)
                return typed ? -EINVAL : -ENOENT;
        *ret_media = best.media;
        return 0;
}

bool api_takes_json(const char *accept) {
        struct http_part rest = { accept ?: "", strlen(accept ?: "") };
        struct offer offer;

        if (http_part_of(rest.at, rest.n).n == 0)
                return true;
        while (rest.n > 0) {
                bool typed = false;

                read_clause(http_part_next(&rest, ','), &offer, &typed);
                if (typed && offer.media.form == API_JSON)
                        return true; /* whatever shape it is to have */
        }
        return false;
}

const char *api_content_type(enum api_form form) {
        return forms[form == API_PROTOBUF ? 1 : form == API_YAML ? 2 : 0].type;
}
