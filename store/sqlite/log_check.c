/* What SQLite finds wrong in its log (state.db-wal) it takes for the end of the log: that is right for what a cut has
 * left half written, and wrong for a log that was damaged further ahead, all of whose changes would be gone without a
 * word. So the log is looked through before SQLite does (https://sqlite.org/fileformat2.html#walformat).
 *
 * Each transaction is on disk before the next one begins: a cut leaves at most one behind the first frame that is
 * wrong. Frames are chained by their checksums, so those behind it can be known to be whole. */
#include <endian.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/err.h"
#include "store/sqlite/internal.h"

#define MAGIC UINT32_C(0x377f0682) /* its lowest bit: checksums are of big-endian words */
#define HEADER 32                  /* bytes */
#define FRAME_HEADER 24
#define CUT_MOST 1 /* transactions that a cut can leave behind what is wrong */

struct sum {
        uint32_t a, b;
};

struct log {
        bool big_endian;
        uint32_t salts[2];
        bool has_salts; /* the header is whole; else frames are held to the one before them */
        struct sum sum; /* as the frame before says it */
        long wrong;     /* where the first frame begins that is wrong; 0: none is yet */
        int behind;     /* transactions that end whole behind it */
};

static uint32_t word_at(const uint8_t *p) {
        uint32_t word;

        memcpy(&word, p, sizeof(word));
        return word;
}

static void add(const struct log *log, struct sum *sum, const uint8_t *bytes, size_t n) {
        for (size_t i = 0; i < n; i += 8) {
                uint32_t x = word_at(bytes + i), y = word_at(bytes + i + 4);

                sum->a += (log->big_endian ? be32toh(x) : le32toh(x)) + sum->b;
                sum->b += (log->big_endian ? be32toh(y) : le32toh(y)) + sum->a;
        }
}

static struct sum sum_at(const uint8_t *p) {
        return (struct sum){ be32toh(word_at(p)), be32toh(word_at(p + 4)) };
}

static bool is_same(struct sum a, struct sum b) {
        return a.a == b.a && a.b == b.b;
}

static void read_header(struct log *log, const uint8_t header[HEADER]) {
        uint32_t magic = be32toh(word_at(header));
        struct sum sum = { 0 };

        log->big_endian = (magic & ~UINT32_C(1)) == MAGIC && (magic & 1);
        log->sum = sum_at(header + 24);
        add(log, &sum, header, 24);
        memcpy(log->salts, header + 16, sizeof(log->salts));
        log->has_salts = (magic & ~UINT32_C(1)) == MAGIC && be32toh(word_at(header + 8)) == SQLITE_PAGE &&
                         is_same(sum, log->sum);
        log->wrong = log->has_salts ? 0 : HEADER;
}

static void read_frame(struct log *log, const uint8_t *frame, long at) {
        bool salted = memcmp(frame + 8, log->salts, sizeof(log->salts)) == 0, whole;
        struct sum sum = log->sum;

        add(log, &sum, frame, 8);
        add(log, &sum, frame + FRAME_HEADER, SQLITE_PAGE);
        log->sum = sum_at(frame + 16);
        whole = salted && is_same(sum, log->sum);
        if (!whole && !log->wrong)
                log->wrong = at;
        if (whole && log->wrong && word_at(frame + 4) != 0)
                log->behind++;
        if (!log->has_salts)
                memcpy(log->salts, frame + 8, sizeof(log->salts));
}

static int look_through(struct log *log, FILE *file, const char *path, struct err **err) {
        static const char advice[] = "restore a backup, or cut it off there and go on without what was changed since";
        uint8_t frame[FRAME_HEADER + SQLITE_PAGE];

        if (fread(frame, HEADER, 1, file) != 1)
                return 0;
        read_header(log, frame);
        for (long at = HEADER; fread(frame, sizeof(frame), 1, file) == 1; at += (long)sizeof(frame))
                read_frame(log, frame, at);
        if (ferror(file))
                return err_errno(err, errno, "%s", path);
        return log->behind <= CUT_MOST ?
                       0 :
                       err_set(err, EBADMSG, "%s: is damaged behind byte %ld, and whole after that; %s", path,
                               log->has_salts ? log->wrong : 0, advice);
}

int sqlite_check_log(const char *database, struct err **err) {
        _cleanup_fclose_ FILE *file = NULL;
        _cleanup_free_ char *path = NULL;
        struct log log = { 0 };

        if (asprintf(&path, "%s-wal", database) < 0) {
                path = NULL;
                return err_set(err, ENOMEM, "out of memory");
        }
        file = fopen(path, "re");
        if (!file)
                return errno == ENOENT ? 0 : err_errno(err, errno, "%s", path);
        return look_through(&log, file, path, err);
}
