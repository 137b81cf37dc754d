#include "cgroups/change.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/grow.h"

struct cg_written {
        const struct hierarchy *h;
        char *file, *old;
};

/* Files with a line for each device: what a device has without one. */
static const struct {
        const char *file, *nothing;
} keyed[] = {
        { "io.max", "rbps=max wbps=max riops=max wiops=max" },
        { "io.weight", "default" },
        { "blkio.throttle.read_bps_device", "0" },
        { "blkio.throttle.write_bps_device", "0" },
        { "blkio.throttle.read_iops_device", "0" },
        { "blkio.throttle.write_iops_device", "0" },
};

/* The line of @text that begins with the @n bytes at @key, which end with a blank; NULL: none. */
static char *find_line(char *text, const char *key, size_t n) {
        for (char *line = text; line; line = strchr(line, '\n')) {
                line += *line == '\n';
                if (strncmp(line, key, n) == 0)
                        return line;
        }
        return NULL;
}

/* What to write to @file so that it is again as @text, where @value goes in. NULL without memory. */
static char *old_value(const char *file, const char *value, char *text) {
        size_t word = strcspn(value, " ");
        char *line = text, *made;

        if (strcmp(file, "memory.oom_control") == 0) {
                line += strcspn(line, " ");
                line += *line == ' ';
        }
        for (size_t i = 0; i < ELEMENTS(keyed); i++) {
                if (strcmp(file, keyed[i].file) != 0 || value[word] != ' ')
                        continue;
                line = find_line(text, value, word + 1);
                if (!line)
                        return asprintf(&made, "%.*s %s", (int)word, value, keyed[i].nothing) < 0 ? NULL : made;
        }
        /* An empty list is written as an empty line: nothing at all would not reach the kernel. */
        return line[0] == '\n' || line[0] == '\0' ? strdup("\n") : strndup(line, strcspn(line, "\n"));
}

static struct cg_written *next(struct cg_change *c) {
        return GROW(c->written, c->allocated, c->n + 1, GROW_NO_MAX) < 0 ? NULL : &c->written[c->n];
}

int cg_change_write(struct cg_change *c, const struct hierarchy *h, const char *file, const char *value) {
        _cleanup_free_ char *old = NULL, *name = NULL;
        char text[CG_FILE_MAX];
        struct cg_written *step = NULL;
        int r;

        if (c->keeps && cg_read(h, c->rel, file, text, sizeof(text)) == 0) {
                step = next(c);
                old = old_value(file, value, text);
                name = strdup(file);
                if (!step || !old || !name)
                        return -ENOMEM;
        }
        r = cg_write(h, c->rel, file, value);
        if (r == 0 && step) {
                *step = (struct cg_written){ h, TAKE_PTR(name), TAKE_PTR(old) };
                c->n++;
        }
        return r;
}

int cg_change_set(struct cg_change *c, const struct hierarchy *h, const char *file, const char *value,
                  struct err **err) {
        int r = cg_change_write(c, h, file, value);

        return r < 0 ? err_errno(err, -r, "cgroup %s: write \"%s\" to %s", c->rel, value, file) : 0;
}

void cg_change_undo(struct cg_change *c) {
        for (size_t i = c->n; i > 0; i--)
                cg_write(c->written[i - 1].h, c->rel, c->written[i - 1].file, c->written[i - 1].old);
}

void cg_change_done(struct cg_change *c) {
        for (size_t i = 0; i < c->n; i++) {
                free(c->written[i].file);
                free(c->written[i].old);
        }
        free(c->written);
}
