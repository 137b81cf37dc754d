/* How two objects differ, as kube-apiserver shows it: a unified difference of their JSON, a line for each value
 * (k8s.io/apimachinery/pkg/util/diff, which has it of Python's difflib). */
#include <string.h>

#include "kube/validate/common.h"
#include "lib/cleanup.h"

#define LINES_MAX 3000 /* of each; more are not compared line by line */
#define CONTEXT 3
#define POPULAR_FROM 200 /* lines; then what makes more than a hundredth of them is no landmark */

/* --- JSON, a line for each value --- */

struct lines {
        const char **items;
        uint32_t *ids; /* the same for lines that are alike */
        uint32_t count, room;
};

struct writer {
        char *text;
        size_t length;
};

static void put(struct writer *w, char c) {
        if (w->text)
                w->text[w->length] = c;
        w->length++;
}

static void put_line(struct writer *w, unsigned depth) {
        put(w, '\n');
        for (unsigned i = 0; i < depth; i++)
                put(w, ' ');
}

/* A string from its quote on. Returns what is behind it. */
static const char *put_string(struct writer *w, const char *p) {
        put(w, *p++);
        while (*p && *p != '"') {
                if (*p == '\\')
                        put(w, *p++);
                put(w, *p++);
        }
        if (*p)
                put(w, *p++);
        return p;
}

/* @json, which is compact, as json.MarshalIndent() has it with a blank a level. */
static void indent(struct writer *w, const char *json) {
        unsigned depth = 0;

        for (const char *p = json; *p;) {
                if (*p == '"') {
                        p = put_string(w, p);
                        continue;
                }
                if (strchr("]}", *p) && !strchr("[{", p[-1]))
                        put_line(w, --depth);
                else if (strchr("]}", *p))
                        depth--;
                put(w, *p);
                if (*p == ':')
                        put(w, ' ');
                if (strchr("[{", *p)) {
                        depth++;
                        if (!strchr("]}", p[1]))
                                put_line(w, depth);
                }
                if (*p == ',')
                        put_line(w, depth);
                p++;
        }
}

/* False when there are too many of them, or no memory. */
static bool split(struct validation *v, const char *json, struct validate_set *known, struct lines *ret) {
        struct writer w = { 0 };

        indent(&w, json);
        w.text = validate_alloc(v, w.length + 1, 1);
        w.length = 0;
        ret->items = validate_alloc(v, LINES_MAX, sizeof(*ret->items));
        ret->ids = validate_alloc(v, LINES_MAX, sizeof(*ret->ids));
        if (!w.text || !ret->items || !ret->ids)
                return false;
        indent(&w, json);
        for (char *line = w.text, *end; line; line = end) {
                if (ret->count == LINES_MAX)
                        return false;
                end = strchr(line, '\n');
                if (end)
                        *end++ = '\0';
                validate_set_add(v, known, line);
                ret->ids[ret->count] = (uint32_t)validate_set_find(known, line);
                ret->items[ret->count++] = line;
        }
        return v->error == 0;
}

/* --- the longest runs that both have --- */

struct run {
        uint32_t a, b, n;
};

struct matcher {
        struct lines a, b;
        uint32_t *places; /* in @b, by line, in order */
        uint32_t *first;  /* of a line's places; one more than there are lines */
        uint32_t *lengths, *next;
        struct run *runs;
        uint32_t n_runs;
};

/* Lines that are everywhere in @b have no places. */
static bool index_places(struct validation *v, struct matcher *m, uint32_t n_ids) {
        uint32_t max = m->b.count >= POPULAR_FROM ? m->b.count / 100 + 1 : UINT32_MAX, at = 0, *counts;

        m->places = validate_alloc(v, m->b.count + 1, sizeof(*m->places));
        m->first = validate_alloc(v, n_ids + 1, sizeof(*m->first));
        m->lengths = validate_alloc(v, m->b.count + 1, sizeof(*m->lengths));
        m->next = validate_alloc(v, m->b.count + 1, sizeof(*m->next));
        m->runs = validate_alloc(v, m->b.count + 2, sizeof(*m->runs));
        counts = validate_alloc(v, n_ids + 1, sizeof(*counts));
        if (v->error < 0)
                return false;
        for (uint32_t j = 0; j < m->b.count; j++)
                counts[m->b.ids[j]]++;
        for (uint32_t id = 0; id < n_ids; id++) {
                m->first[id] = at;
                at += counts[id] > max ? 0 : counts[id];
        }
        m->first[n_ids] = at;
        memset(counts, 0, n_ids * sizeof(*counts));
        for (uint32_t j = 0; j < m->b.count; j++) {
                uint32_t id = m->b.ids[j];

                if (m->first[id] < m->first[id + 1])
                        m->places[m->first[id] + counts[id]++] = j;
        }
        return true;
}

struct range {
        uint32_t a, a_end, b, b_end;
};

static void extend(const struct matcher *m, const struct range *r, struct run *run) {
        while (run->a > r->a && run->b > r->b && m->a.ids[run->a - 1] == m->b.ids[run->b - 1]) {
                run->a--;
                run->b--;
                run->n++;
        }
        while (run->a + run->n < r->a_end && run->b + run->n < r->b_end &&
               m->a.ids[run->a + run->n] == m->b.ids[run->b + run->n])
                run->n++;
}

static void clear_lengths(struct matcher *m, uint32_t id) {
        for (uint32_t p = m->first[id]; p < m->first[id + 1]; p++)
                m->lengths[m->places[p] + 1] = 0;
}

/* The first of the longest. Lengths are of runs that end in a line of @b, at one further than the line: what ends
 * before the first has none. They are all zero before and after. */
static struct run longest(struct matcher *m, const struct range *r) {
        struct run best = { r->a, r->b, 0 };

        for (uint32_t i = r->a; i < r->a_end; i++) {
                uint32_t id = m->a.ids[i], *lengths = m->next;

                for (uint32_t p = m->first[id]; p < m->first[id + 1]; p++) {
                        uint32_t j = m->places[p], n;

                        if (j < r->b)
                                continue;
                        if (j >= r->b_end)
                                break;
                        n = lengths[j + 1] = m->lengths[j] + 1;
                        if (n > best.n)
                                best = (struct run){ i + 1 - n, j + 1 - n, n };
                }
                if (i > r->a)
                        clear_lengths(m, m->a.ids[i - 1]);
                m->next = m->lengths;
                m->lengths = lengths;
        }
        if (r->a < r->a_end)
                clear_lengths(m, m->a.ids[r->a_end - 1]);
        extend(m, r, &best);
        return best;
}

static void find_runs(struct matcher *m, const struct range *r) {
        struct run best = longest(m, r);

        if (best.n == 0)
                return;
        if (r->a < best.a && r->b < best.b)
                find_runs(m, &(struct range){ r->a, best.a, r->b, best.b });
        if (m->n_runs > 0 && m->runs[m->n_runs - 1].a + m->runs[m->n_runs - 1].n == best.a &&
            m->runs[m->n_runs - 1].b + m->runs[m->n_runs - 1].n == best.b)
                m->runs[m->n_runs - 1].n += best.n;
        else
                m->runs[m->n_runs++] = best;
        if (best.a + best.n < r->a_end && best.b + best.n < r->b_end)
                find_runs(m, &(struct range){ best.a + best.n, r->a_end, best.b + best.n, r->b_end });
}

/* --- as text --- */

static const char *range_text(struct validation *v, uint32_t begin, uint32_t end) {
        if (end - begin == 1)
                return validate_text(v, "%u", begin + 1);
        return validate_text(v, "%u,%u", begin + (end > begin), end - begin);
}

static void put_lines(struct writer *w, char mark, const struct lines *lines, uint32_t begin, uint32_t end) {
        for (uint32_t i = begin; i < end; i++) {
                put(w, mark);
                for (const char *p = lines->items[i]; *p; p++)
                        put(w, *p);
                put(w, '\n');
        }
}

static uint32_t less(uint32_t n, uint32_t by) {
        return n > by ? n - by : 0;
}

static uint32_t least(uint32_t a, uint32_t b) {
        return a < b ? a : b;
}

/* Runs @first to @last are in one piece: what is between them is changed, and little is alike. */
static void put_piece(struct validation *v, struct writer *w, const struct matcher *m, const struct range *r,
                      uint32_t first, uint32_t last) {
        const char *head =
                validate_text(v, "@@ -%s +%s @@\n", range_text(v, r->a, r->a_end), range_text(v, r->b, r->b_end));
        uint32_t a = r->a, b = r->b;

        for (; *head; head++)
                put(w, *head);
        for (uint32_t i = first; i <= last; i++) {
                const struct run *run = &m->runs[i];
                uint32_t from = run->a > a ? run->a : a, to = least(run->a + run->n, r->a_end),
                         b_from = run->b > b ? run->b : b;

                put_lines(w, '-', &m->a, a, least(run->a, r->a_end));
                put_lines(w, '+', &m->b, b, least(run->b, r->b_end));
                if (from < to)
                        put_lines(w, ' ', &m->a, from, to);
                a = to > a ? to : a;
                b = b_from + (from < to ? to - from : 0);
        }
        put_lines(w, '-', &m->a, a, r->a_end);
        put_lines(w, '+', &m->b, b, r->b_end);
}

/* Between two runs something has changed; a run longer than twice the context ends a piece. */
static void put_pieces(struct validation *v, struct writer *w, const struct matcher *m) {
        uint32_t n = m->n_runs; /* the last, which may be empty, goes to both ends */

        for (uint32_t i = 0; i < n;) {
                const struct run *run = &m->runs[i];
                bool leads = i > 0 || (run->a == 0 && run->b == 0);
                struct range r = { 0 };
                uint32_t last = leads ? i + 1 : i;

                if (leads && i + 1 == n)
                        break;
                if (leads) {
                        r.a = run->a + less(run->n, CONTEXT);
                        r.b = run->b + less(run->n, CONTEXT);
                }
                while (last + 1 < n && m->runs[last].n <= 2 * CONTEXT)
                        last++;
                r.a_end = m->runs[last].a + least(m->runs[last].n, CONTEXT);
                r.b_end = m->runs[last].b + least(m->runs[last].n, CONTEXT);
                put_piece(v, w, m, &r, leads ? i : 0, last);
                if (last + 1 >= n)
                        break;
                i = last;
        }
}

/* Whether the last run goes to the end of both. */
static bool ends(const struct matcher *m) {
        const struct run *last = m->n_runs > 0 ? &m->runs[m->n_runs - 1] : NULL;

        return last && last->a + last->n == m->a.count && last->b + last->n == m->b.count;
}

static const char *compare(struct validation *v, struct matcher *m, uint32_t n_ids) {
        const struct range all = { 0, m->a.count, 0, m->b.count };
        struct writer w = { 0 };

        if (!index_places(v, m, n_ids))
                return "";
        find_runs(m, &all);
        if (!ends(m))
                m->runs[m->n_runs++] = (struct run){ m->a.count, m->b.count, 0 };
        put_pieces(v, &w, m);
        w.text = validate_alloc(v, w.length + 1, 1);
        w.length = 0;
        if (w.text)
                put_pieces(v, &w, m);
        return w.text ?: "";
}

const char *validate_difference(struct validation *v, const char *old, const char *new) {
        _cleanup_validate_set_ struct validate_set known = { 0 };
        struct matcher m = { 0 };

        if (validate_is_full(v) || !split(v, old, &known, &m.a) || !split(v, new, &known, &m.b))
                return "";
        return compare(v, &m, known.n);
}
