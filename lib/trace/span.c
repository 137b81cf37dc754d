#include "lib/trace/span.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "lib/clock.h"
#include "lib/err.h"
#include "lib/trace/otlp.pb-c.h"
#include "lib/trace/internal.h"
#include "lib/utf8.h"

/* Span.flags: the trace's flags, and whether the parent is known to be in another process. */
#define FLAG_SAMPLED 0x001u
#define FLAG_HAS_REMOTE 0x100u
#define FLAG_REMOTE 0x200u

struct span {
        struct tracer *tracer;
        struct span *parent; /* NULL: not a child */
        const char *name;
        enum span_kind kind;
        struct trace_parent above;
        uint8_t span_id[SPAN_ID_SIZE];
        uint64_t at, begun;      /* wall clock; monotonic, for the duration */
        struct span_queue ended; /* children */
        unsigned n_ended, n_dropped;
};

static int digit(char c) {
        return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* @n bytes of two lower-case digits each. */
static bool read_hex(const char *text, uint8_t *ret, size_t n) {
        for (size_t i = 0; i < n; i++) {
                int high = digit(text[2 * i]), low = digit(text[2 * i + 1]);

                if (high < 0 || low < 0)
                        return false;
                ret[i] = (uint8_t)(high << 4 | low);
        }
        return true;
}

static bool all_zero(const uint8_t *bytes, size_t n) {
        for (size_t i = 0; i < n; i++)
                if (bytes[i])
                        return false;
        return true;
}

int trace_parent_parse(const char *text, size_t size, struct trace_parent *ret_parent) {
        struct trace_parent parent = { .remote = true };
        uint8_t version, flags;

        if (size < TRACE_PARENT_SIZE || text[2] != '-' || text[35] != '-' || text[52] != '-')
                return -EINVAL;
        if (!read_hex(text, &version, 1) || !read_hex(text + 3, parent.trace_id, TRACE_ID_SIZE) ||
            !read_hex(text + 36, parent.span_id, SPAN_ID_SIZE) || !read_hex(text + 53, &flags, 1))
                return -EINVAL;
        if (version == 0xff || (size > TRACE_PARENT_SIZE && (version == 0 || text[TRACE_PARENT_SIZE] != '-')) ||
            all_zero(parent.trace_id, TRACE_ID_SIZE) || all_zero(parent.span_id, SPAN_ID_SIZE))
                return -EINVAL;
        parent.decision = flags & 1 ? TRACE_SAMPLED : TRACE_DROPPED;
        *ret_parent = parent;
        return 0;
}

static bool make_id(uint8_t *id, size_t n) {
        return getrandom(id, n, GRND_NONBLOCK) == (ssize_t)n && !all_zero(id, n);
}

static struct span *make(struct tracer *tracer, const char *name, enum span_kind kind,
                         const struct trace_parent *above) {
        struct span *span = calloc(1, sizeof(*span));

        if (!span || !make_id(span->span_id, SPAN_ID_SIZE)) {
                free(span);
                return NULL;
        }
        span->tracer = tracer;
        span->name = name;
        span->kind = kind;
        span->above = *above;
        STAILQ_INIT(&span->ended);
        span->at = (uint64_t)clock_ns(CLOCK_REALTIME);
        span->begun = (uint64_t)clock_ns(CLOCK_MONOTONIC);
        return span;
}

struct span *span_begin(struct tracer *tracer, const char *name, enum span_kind kind,
                        const struct trace_parent *parent) {
        struct trace_parent root = { .decision = TRACE_NONE };

        if (!tracer)
                return NULL;
        if (!parent || parent->decision == TRACE_NONE) {
                if (!make_id(root.trace_id, TRACE_ID_SIZE) || !tracer_samples(tracer, root.trace_id))
                        return NULL;
                parent = &root;
        }
        return parent->decision == TRACE_DROPPED ? NULL : make(tracer, name, kind, parent);
}

struct span *span_child(struct span *parent, const char *name) {
        struct trace_parent above;
        struct span *span;

        if (!parent)
                return NULL;
        above = span_context(parent);
        span = make(parent->tracer, name, SPAN_INTERNAL, &above);
        if (span)
                span->parent = parent;
        return span;
}

struct trace_parent span_context(const struct span *span) {
        struct trace_parent context = { .decision = TRACE_DROPPED };

        if (!span)
                return context;
        context.decision = TRACE_SAMPLED;
        memcpy(context.trace_id, span->above.trace_id, TRACE_ID_SIZE);
        memcpy(context.span_id, span->span_id, SPAN_ID_SIZE);
        return context;
}

bool span_is(const struct span *span, enum span_kind kind) {
        return span->kind == kind;
}

/* Collectors refuse a whole batch for one byte that is not UTF-8. @size counts the NUL. */
static char *clean(char *to, size_t size, const char *from) {
        size_t n = 0, left = strlen(from);

        while (left > 0) {
                size_t one = utf8_character(from, left), bytes = one ?: 1;

                if (n + bytes >= size)
                        break;
                if (one)
                        memcpy(to + n, from, one);
                else
                        to[n] = '?';
                n += bytes;
                from += bytes;
                left -= bytes;
        }
        to[n] = '\0';
        return to;
}

static struct span_record *pack(const Otlp__Span *message) {
        size_t size = otlp__span__get_packed_size(message);
        struct span_record *record = malloc(sizeof(*record) + size);

        if (!record)
                return NULL;
        record->size = otlp__span__pack(message, record->data);
        record->ended = (uint64_t)clock_ns(CLOCK_MONOTONIC);
        return record;
}

/* The attributes' messages, while they are packed. */
struct attributes {
        Otlp__KeyValue pairs[SPAN_ATTRIBUTES_MAX], *list[SPAN_ATTRIBUTES_MAX];
        Otlp__AnyValue values[SPAN_ATTRIBUTES_MAX];
        char texts[SPAN_ATTRIBUTES_MAX][SPAN_TEXT_MAX + 1];
};

static size_t fill_attributes(struct attributes *to, const struct span_attribute *from, size_t n) {
        if (n > SPAN_ATTRIBUTES_MAX)
                n = SPAN_ATTRIBUTES_MAX;
        for (size_t i = 0; i < n; i++) {
                otlp__key_value__init(&to->pairs[i]);
                otlp__any_value__init(&to->values[i]);
                to->list[i] = &to->pairs[i];
                to->pairs[i].key = (char *)(uintptr_t)from[i].key;
                to->pairs[i].value = &to->values[i];
                if (from[i].text) {
                        to->values[i].value_case = OTLP__ANY_VALUE__VALUE_STRING_VALUE;
                        to->values[i].string_value = clean(to->texts[i], sizeof(to->texts[i]), from[i].text);
                } else {
                        to->values[i].value_case = OTLP__ANY_VALUE__VALUE_INT_VALUE;
                        to->values[i].int_value = from[i].number;
                }
        }
        return n;
}

static struct span_record *record_of(struct span *span, const struct span_attribute *attributes, size_t n,
                                     const char *failure) {
        Otlp__Span message = OTLP__SPAN__INIT;
        Otlp__Status status = OTLP__STATUS__INIT;
        char text[SPAN_STATUS_MAX + 1];
        struct attributes all;

        message.trace_id = (ProtobufCBinaryData){ TRACE_ID_SIZE, span->above.trace_id };
        message.span_id = (ProtobufCBinaryData){ SPAN_ID_SIZE, span->span_id };
        if (span->above.decision != TRACE_NONE)
                message.parent_span_id = (ProtobufCBinaryData){ SPAN_ID_SIZE, span->above.span_id };
        message.flags = FLAG_SAMPLED | FLAG_HAS_REMOTE | (span->above.remote ? FLAG_REMOTE : 0);
        message.name = (char *)(uintptr_t)span->name;
        message.kind = (Otlp__Span__Kind)span->kind;
        message.start_time_unix_nano = span->at;
        message.end_time_unix_nano = span->at + ((uint64_t)clock_ns(CLOCK_MONOTONIC) - span->begun);
        message.n_attributes = fill_attributes(&all, attributes, n);
        message.attributes = all.list;
        if (failure) {
                status.code = OTLP__STATUS__CODE__ERROR;
                status.message = clean(text, sizeof(text), failure);
                message.status = &status;
        }
        return pack(&message);
}

/* What ended below goes up with it: the thread that works on the parent now is this one. */
static void give_to_parent(struct span *span) {
        struct span *parent = span->parent;

        parent->n_dropped += span->n_dropped;
        while (!STAILQ_EMPTY(&span->ended)) {
                struct span_record *record = STAILQ_FIRST(&span->ended);

                STAILQ_REMOVE_HEAD(&span->ended, entry);
                if (parent->n_ended < SPAN_CHILDREN_MAX) {
                        STAILQ_INSERT_TAIL(&parent->ended, record, entry);
                        parent->n_ended++;
                } else {
                        parent->n_dropped++;
                        free(record);
                }
        }
}

void span_end(struct span *span, const struct span_attribute *attributes, size_t n, const char *failure) {
        struct span_record *record;

        if (!span)
                return;
        record = record_of(span, attributes, n, failure);
        if (record)
                STAILQ_INSERT_TAIL(&span->ended, record, entry);
        else
                span->n_dropped++;
        if (span->parent)
                give_to_parent(span);
        else
                tracer_take(span->tracer, &span->ended, span->n_dropped);
        free(span);
}

int span_done(struct span *span, int r, struct err *const *err) {
        if (span)
                span_end(span, NULL, 0, r >= 0 ? NULL : err && *err ? err_text(*err) : strerror(-r));
        return r;
}
