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

static int form_of(struct text type, enum api_form *ret_form) {
        for (size_t i = 0; i < ELEMENTS(forms); i++)
                if (is(type, forms[i].type) && forms[i].answers) {
                        *ret_form = forms[i].form;
                        return 0;
                }
        return -EINVAL;
}

/* --- Content-Type --- */

static void skip(struct text *rest, size_t n) {
        rest->at += n;
        rest->length -= n;
}

static void skip_blanks(struct text *rest) {
        skip(rest, strspn(rest->at, " \t\r\n\v\f"));
}

/* RFC 2045's token, taken off @rest; empty: there is none. */
static struct text next_token(struct text *rest) {
        size_t n = 0;

        while (rest->at[n] > ' ' && rest->at[n] < 0x7f && !strchr("()<>@,;:\\\"/[]?=", rest->at[n]))
                n++;
        skip(rest, n);
        return (struct text){ rest->at - n, n };
}

/* A quoted text, taken off @rest. False: it does not end. */
static bool next_quoted(struct text *rest, struct text *ret_value) {
        const char *at = rest->at + 1;

        while (*at && *at != '"' && *at != '\r' && *at != '\n')
                at += *at == '\\' && at[1] && strchr("()<>@,;:\\\"/[]?=", at[1]) ? 2 : 1;
        if (*at != '"')
                return false;
        *ret_value = (struct text){ rest->at, (size_t)(at + 1 - rest->at) };
        skip(rest, ret_value->length);
        return true;
}

struct parameter {
        struct text key, value;
};

/* The next of @rest, which begins with its semicolon. False: it is none. */
static bool next_parameter(struct text *rest, struct parameter *ret_parameter) {
        struct parameter p;

        if (*rest->at != ';')
                return false;
        skip(rest, 1);
        skip_blanks(rest);
        p.key = next_token(rest);
        skip_blanks(rest);
        if (p.key.length == 0 || *rest->at != '=')
                return false;
        skip(rest, 1);
        skip_blanks(rest);
        if (*rest->at == '"' ? !next_quoted(rest, &p.value) : (p.value = next_token(rest)).length == 0)
                return false;
        *ret_parameter = p;
        return true;
}

#define PARAMETERS_MAX 16

static bool is_same(struct text a, struct text b) {
        return a.length == b.length && memcmp(a.at, b.at, a.length) == 0;
}

/* A name stands once, or for the same value. */
static bool is_new(const struct parameter *all, size_t n) {
        for (size_t i = 0; i < n; i++)
                if (all[i].key.length == all[n].key.length &&
                    strncasecmp(all[i].key.at, all[n].key.at, all[n].key.length) == 0 &&
                    !is_same(all[i].value, all[n].value))
                        return false;
        return true;
}

/* What stands behind a type: parameters, and at the end a semicolon too many. */
static bool are_parameters(struct text rest) {
        struct parameter all[PARAMETERS_MAX];
        size_t n = 0;

        for (skip_blanks(&rest); *rest.at; skip_blanks(&rest)) {
                if (*rest.at == ';' && trim(rest.at + 1, strlen(rest.at + 1)).length == 0)
                        return true;
                if (n == PARAMETERS_MAX || !next_parameter(&rest, &all[n]) || !is_new(all, n))
                        return false;
                n++;
        }
        return true;
}

int api_form_of(const char *content_type, enum api_form *ret_form) {
        size_t n = strcspn(content_type ?: "", ";");
        struct text type = trim(content_type ?: "", n);

        if (!content_type || !*content_type) {
                *ret_form = API_JSON;
                return 0;
        }
        if (!are_parameters((struct text){ content_type + n, strlen(content_type + n) }))
                return -EINVAL;
        return form_of(type, ret_form);
}

static int patch_form_of(struct text type, enum api_form *ret_form) {
        for (size_t i = 0; i < ELEMENTS(forms); i++)
                if (!forms[i].answers && is_same(type, (struct text){ forms[i].type, strlen(forms[i].type) })) {
                        *ret_form = forms[i].form;
                        return 0;
                }
        return -EINVAL;
}

int api_patch_form_of(const char *content_type, enum api_form *ret_form) {
        const char *text = content_type ?: "", *semicolon = strchr(text, ';');
        struct text all = { text, strlen(text) }, part;
        enum api_form some;
        bool known = false;

        while (all.length > 0 && !known) {
                part = next_part(&all, ',');
                known = patch_form_of(trim(part.at, strcspn(part.at, ";,")), &some) == 0;
        }
        if (!known)
                return -ENOENT;
        return patch_form_of((struct text){ text, semicolon > text ? (size_t)(semicolon - text) : strlen(text) },
                             ret_form);
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

        if (!is(type, "*/*") && !is(type, "application/*") && form_of(type, &offer.media.form) < 0)
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
