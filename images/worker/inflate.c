#include "images/worker/inflate.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <isa-l/igzip_lib.h>
#include <zstd.h>

#include "lib/cleanup.h"
#include "lib/err.h"

/* What a frame may ask to be kept for looking back: zstd's own limit for streams from elsewhere. */
#define ZSTD_WINDOW_LOG_MAX 27

struct inflater {
        const struct kind *kind;
        struct inflate_state gzip;
        ZSTD_DStream *zstd;
        bool between; /* at a point where the data may end */
};

struct kind {
        const char *name;
        uint8_t magic[10], any[10]; /* any: bits that do not count */
        size_t n_magic;
        int (*begin)(struct inflater *inflater);
        int (*run)(struct inflater *inflater, const uint8_t **in, size_t *n_in, uint8_t **out, size_t *n_out,
                   struct err **err);
};

static int gzip_begin(struct inflater *inflater) {
        isal_inflate_init(&inflater->gzip);
        inflater->gzip.crc_flag = ISAL_GZIP;
        return 0;
}

static int gzip_run(struct inflater *inflater, const uint8_t **in, size_t *n_in, uint8_t **out, size_t *n_out,
                    struct err **err) {
        struct inflate_state *s = &inflater->gzip;
        int r;

        s->next_in = (uint8_t *)*in;
        s->avail_in = (uint32_t)*n_in;
        s->next_out = *out;
        s->avail_out = (uint32_t)*n_out;
        if (inflater->between && *n_in == 0)
                return 0;
        if (inflater->between) {
                if (**in == 0) { /* zeros behind the last member are padding */
                        *in += *n_in;
                        *n_in = 0;
                        return 0;
                }
                isal_inflate_reset(s);
                s->crc_flag = ISAL_GZIP;
                inflater->between = false;
        }
        r = isal_inflate(s);
        *in += *n_in - s->avail_in;
        *n_in = s->avail_in;
        *out += *n_out - s->avail_out;
        *n_out = s->avail_out;
        if (r < 0)
                return err_set(err, EBADMSG, "damaged gzip data (%s)",
                               r == ISAL_INCORRECT_CHECKSUM ? "wrong checksum" : "invalid code");
        inflater->between = s->block_state == ISAL_BLOCK_FINISH;
        return 0;
}

static int zstd_begin(struct inflater *inflater) {
        inflater->zstd = ZSTD_createDStream();
        if (!inflater->zstd)
                return -ENOMEM;
        ZSTD_DCtx_setParameter(inflater->zstd, ZSTD_d_windowLogMax, ZSTD_WINDOW_LOG_MAX);
        return 0;
}

static int zstd_run(struct inflater *inflater, const uint8_t **in, size_t *n_in, uint8_t **out, size_t *n_out,
                    struct err **err) {
        ZSTD_inBuffer source = { .src = *in, .size = *n_in };
        ZSTD_outBuffer target = { .dst = *out, .size = *n_out };
        size_t r;

        if (inflater->between && *n_in == 0)
                return 0;
        r = ZSTD_decompressStream(inflater->zstd, &target, &source);
        *in += source.pos;
        *n_in -= source.pos;
        *out += target.pos;
        *n_out -= target.pos;
        if (ZSTD_isError(r))
                return err_set(err, EBADMSG, "damaged zstd data (%s)", ZSTD_getErrorName(r));
        inflater->between = r == 0;
        return 0;
}

static int none_begin(struct inflater *inflater) {
        inflater->between = true;
        return 0;
}

static int none_run(struct inflater *inflater, const uint8_t **in, size_t *n_in, uint8_t **out, size_t *n_out,
                    struct err **err) {
        size_t n = *n_in < *n_out ? *n_in : *n_out;

        memcpy(*out, *in, n);
        *in += n;
        *n_in -= n;
        *out += n;
        *n_out -= n;
        return 0;
}

static int unsupported(struct inflater *inflater) {
        return -ENOTSUP;
}

static const struct kind kinds[] = {
        { "gzip", { 0x1f, 0x8b }, { 0 }, 2, gzip_begin, gzip_run },
        { "zstd", { 0x28, 0xb5, 0x2f, 0xfd }, { 0 }, 4, zstd_begin, zstd_run },
        /* a skippable frame first, of any of the sixteen kinds: pzstd writes one before each of its own */
        { "zstd", { 0x50, 0x2a, 0x4d, 0x18 }, { 0x0f }, 4, zstd_begin, zstd_run },
        { "xz", { 0xfd, '7', 'z', 'X', 'Z', 0 }, { 0 }, 6, unsupported, NULL },
        /* a tar may begin with a file's name: three letters alone are not enough */
        { "bzip2",
          { 'B', 'Z', 'h', '0', 0x31, 0x41, 0x59, 0x26, 0x53, 0x59 },
          { 0, 0, 0, 0x0f },
          10,
          unsupported,
          NULL },
        { "lz4", { 0x04, 0x22, 0x4d, 0x18 }, { 0 }, 4, unsupported, NULL },
        { "lzip", { 'L', 'Z', 'I', 'P', 1 }, { 0 }, 5, unsupported, NULL },
        { "none", { 0 }, { 0 }, 0, none_begin, none_run },
};

static bool begins_as(const struct kind *k, const uint8_t *in, size_t n) {
        if (n < k->n_magic)
                return false;
        for (size_t i = 0; i < k->n_magic; i++)
                if ((in[i] & ~k->any[i]) != (k->magic[i] & ~k->any[i]))
                        return false;
        return true;
}

static const struct kind *kind_of(const uint8_t *in, size_t n) {
        const struct kind *k = kinds;

        while (!begins_as(k, in, n))
                k++;
        return k;
}

const char *inflate_tell(const uint8_t *bytes, size_t n) {
        return kind_of(bytes, n)->name;
}

static int choose(struct inflater *inflater, const uint8_t *in, size_t n, struct err **err) {
        const struct kind *k = kind_of(in, n);

        switch (k->begin(inflater)) {
        case 0:
                inflater->kind = k;
                return 0;
        case -ENOTSUP:
                return err_set(err, ENOTSUP, "%s compression is not supported; gzip, zstd and none are", k->name);
        default:
                return err_set(err, ENOMEM, "out of memory");
        }
}

struct inflater *inflater_new(void) {
        return calloc(1, sizeof(struct inflater));
}

void inflater_free(struct inflater *inflater) {
        if (!inflater)
                return;
        ZSTD_freeDStream(inflater->zstd);
        free(inflater);
}

void inflater_freep(struct inflater **inflater) {
        inflater_free(*inflater);
        *inflater = NULL;
}

int inflater_run(struct inflater *inflater, const uint8_t **in, size_t *n_in, uint8_t **out, size_t *n_out,
                 struct err **err) {
        int r = inflater->kind ? 0 : choose(inflater, *in, *n_in, err);

        while (r == 0) {
                size_t had_in = *n_in, had_out = *n_out;

                r = inflater->kind->run(inflater, in, n_in, out, n_out, err);
                if (*n_out == 0 || (*n_in == had_in && *n_out == had_out) || (*n_in == 0 && *n_out == had_out))
                        break;
        }
        return r;
}

int inflater_finish(const struct inflater *inflater, struct err **err) {
        return inflater->kind && inflater->between ? 0 : err_set(err, EBADMSG, "the compressed data ends too early");
}
