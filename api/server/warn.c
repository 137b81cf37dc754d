/* Warnings: header fields of the answer. */
#include <string.h>

#include "api/server/request.h"
#include "api/server/server.h"
#include "lib/arena.h"

#define BEGIN "299 - \"" /* RFC 9111's old form, which clients of Kubernetes read: 299 - "text" */

/* Whether a character of UTF-8 begins with @byte. */
static bool begins(char byte) {
        return ((unsigned char)byte & 0xc0) != 0x80;
}

/* In a header's field there is no place for them: C0, DEL, and C1, which UTF-8 writes as C2 80 to C2 9F. */
static bool has_controls(const char *text) {
        for (const unsigned char *c = (const unsigned char *)text; *c; c++)
                if (*c < 0x20 || *c == 0x7f || (*c == 0xc2 && c[1] < 0xa0))
                        return true;
        return false;
}

static uint32_t count(const char *text) {
        uint32_t n = 0;

        for (; *text; text++)
                n += begins(*text);
        return n;
}

/* In quotes, no more than @max characters of it. */
static char *quote(struct arena *arena, const char *text, uint32_t max) {
        char *quoted = arena_alloc(arena, 2 * strlen(text) + sizeof(BEGIN "\"")), *to = quoted;
        uint32_t n = 0;

        if (!quoted)
                return NULL;
        to = stpcpy(to, BEGIN);
        for (; *text && (!begins(*text) || n++ < max); text++) {
                if (*text == '"' || *text == '\\')
                        *to++ = '\\';
                *to++ = *text;
        }
        strcpy(to, "\"");
        return quoted;
}

/* The text that stands in the quotes; the copy is as long as the field at most. */
static char *unquote(struct arena *arena, const char *quoted) {
        char *text = arena_alloc(arena, strlen(quoted)), *to = text;

        if (!text)
                return NULL;
        for (const char *c = quoted + strlen(BEGIN); *c && *c != '"'; c++) {
                c += *c == '\\';
                *to++ = *c;
        }
        return text;
}

/* Those that there are already are cut as well. */
static void be_brief(struct api_request *r) {
        r->warns_briefly = true;
        r->warned = 0;
        for (uint32_t i = 0; i < r->n_warnings; i++) {
                const char *text = unquote(r->arena, r->warnings[i]),
                           *brief = text ? quote(r->arena, text, API_WARNING_BRIEF) : NULL;
                uint32_t n = text ? count(text) : 0;

                r->warnings[i] = brief ?: BEGIN "\"";
                r->warned += n < API_WARNING_BRIEF ? n : API_WARNING_BRIEF;
        }
}

void api_warn(struct api_request *r, const char *text) {
        bool full = r->n_warnings == API_WARNINGS_MAX || (r->warns_briefly && r->warned >= API_WARNINGS_LONG);
        char *quoted = full || !*text || has_controls(text) ? NULL : quote(r->arena, text, UINT32_MAX);

        if (quoted && !r->warnings)
                r->warnings = arena_alloc_array(r->arena, API_WARNINGS_MAX, sizeof(*r->warnings));
        if (!r->warnings)
                return;
        for (uint32_t i = 0; quoted && i < r->n_warnings; i++)
                if (strcmp(r->warnings[i], quoted) == 0)
                        return;
        if (!quoted)
                return;
        r->warnings[r->n_warnings++] = quoted;
        r->warned += count(text);
        if (r->warns_briefly || r->warned > API_WARNINGS_LONG)
                be_brief(r);
}

void api_annotate(struct api_request *r, const char *key, const char *value) {
        string_map *notes = &r->notes;
        uint32_t at = 0;

        if (!r->server->config.audit || !value || notes->count == API_NOTES_MAX)
                return;
        if (!notes->items)
                notes->items = arena_alloc_array(r->arena, API_NOTES_MAX, sizeof(*notes->items));
        while (notes->items && at < notes->count && strcmp(notes->items[at].key, key) < 0)
                at++;
        if (!notes->items || (at < notes->count && strcmp(notes->items[at].key, key) == 0))
                return;
        memmove(notes->items + at + 1, notes->items + at, (notes->count - at) * sizeof(*notes->items));
        notes->items[at] = (struct string_pair){ key, value };
        notes->count++;
}
