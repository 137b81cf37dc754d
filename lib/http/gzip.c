#include "lib/http/gzip.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <isa-l/igzip_lib.h>

/* --- who takes it --- */

/* A weight (RFC 9110, 12.4.2) in thousandths; -1 for what is none. */
static int read_weight(const char *text, size_t n) {
        int weight;

        if (n < 1 || n > 5 || (text[0] != '0' && text[0] != '1') || (n > 1 && text[1] != '.'))
                return -1;
        weight = (text[0] - '0') * 1000;
        for (size_t i = 2, unit = 100; i < n; i++, unit /= 10) {
                if (text[i] < '0' || text[i] > '9')
                        return -1;
                weight += (text[i] - '0') * (int)unit;
        }
        return weight <= 1000 ? weight : -1;
}

static size_t trim(const char **text, size_t n) {
        while (n > 0 && (**text == ' ' || **text == '\t')) {
                ++*text;
                n--;
        }
        while (n > 0 && ((*text)[n - 1] == ' ' || (*text)[n - 1] == '\t'))
                n--;
        return n;
}

/* Weights of what matters here, in thousandths; -1: not named. */
struct weights {
        int gzip, identity, any;
};

static bool is(const char *text, size_t n, const char *name) {
        return n == strlen(name) && strncasecmp(text, name, n) == 0;
}

/* "gzip;q=0.5" */
static void add_item(struct weights *weights, const char *item, size_t n) {
        const char *semicolon = memchr(item, ';', n), *weight = semicolon ? semicolon + 1 : NULL;
        size_t n_name = semicolon ? (size_t)(semicolon - item) : n, n_weight = weight ? (size_t)(item + n - weight) : 0;
        int value = 1000;

        n_name = trim(&item, n_name);
        if (weight) {
                n_weight = trim(&weight, n_weight);
                value = n_weight > 2 && (weight[0] | 0x20) == 'q' && weight[1] == '=' ?
                                read_weight(weight + 2, n_weight - 2) :
                                -1;
        }
        if (value < 0)
                return;
        if (is(item, n_name, "gzip") || is(item, n_name, "x-gzip"))
                weights->gzip = value;
        else if (is(item, n_name, "identity"))
                weights->identity = value;
        else if (is(item, n_name, "*"))
                weights->any = value;
}

bool http_accepts_gzip(const struct http_fields *fields) {
        struct weights weights = { -1, -1, -1 };

        for (uint32_t i = 0; i < fields->count; i++) {
                const char *list = fields->items[i].value;

                if (strcmp(fields->items[i].name, "accept-encoding") != 0)
                        continue;
                while (*list) {
                        size_t n = strcspn(list, ",");

                        add_item(&weights, list, n);
                        list += n + (list[n] == ',');
                }
        }
        if (weights.gzip < 0)
                weights.gzip = weights.any;
        return weights.gzip > 0 && weights.gzip >= weights.identity;
}

/* --- compressing --- */

struct http_gzip {
        struct isal_zstream stream;
        uint8_t level[ISAL_DEF_LVL1_DEFAULT];
};

struct http_gzip *http_gzip_new(bool raw) {
        struct http_gzip *gzip = malloc(sizeof(*gzip));

        if (!gzip)
                return NULL;
        isal_deflate_init(&gzip->stream);
        gzip->stream.gzip_flag = raw ? IGZIP_DEFLATE : IGZIP_GZIP;
        gzip->stream.level = 1;
        gzip->stream.level_buf = gzip->level;
        gzip->stream.level_buf_size = sizeof(gzip->level);
        return gzip;
}

size_t http_gzip_put(struct http_gzip *gzip, const uint8_t **bytes, size_t *n, bool last, uint8_t *out, size_t room) {
        struct isal_zstream *stream = &gzip->stream;
        uint32_t taking = *n < UINT32_MAX ? (uint32_t)*n : UINT32_MAX;
        size_t written;

        stream->next_in = (uint8_t *)(uintptr_t)*bytes;
        stream->avail_in = taking;
        stream->end_of_stream = last && taking == *n;
        stream->next_out = out;
        stream->avail_out = (uint32_t)room;
        isal_deflate(stream); /* fails for wrong parameters only */
        *bytes = stream->next_in;
        *n -= taking - stream->avail_in;
        written = room - stream->avail_out;
        return written;
}

void http_gzip_free(struct http_gzip *gzip) {
        free(gzip);
}
