/* What a namespace's labels ask for. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/admission/pod_security.h"
#include "kube/problem.h"
#include "lib/arena.h"

static const char *const levels[] = { "privileged", "baseline", "restricted" };

static bool read_level(const char *text, enum pod_security_level *level) {
        for (int i = POD_SECURITY_PRIVILEGED; i <= POD_SECURITY_RESTRICTED; i++)
                if (strcmp(levels[i], text) == 0) {
                        *level = (enum pod_security_level)i;
                        return true;
                }
        return false;
}

/* "latest", or "v1." and a number without leading zeros. */
static bool read_minor(const char *text, int32_t *minor) {
        const char *digits = text + strlen("v1.");
        size_t n;

        *minor = POD_SECURITY_LATEST;
        if (strcmp(text, "latest") == 0)
                return true;
        if (strncmp(text, "v1.", strlen("v1.")) != 0)
                return false;
        n = strspn(digits, "0123456789");
        if (n == 0 || digits[n] || (digits[0] == '0' && n > 1))
                return false;
        /* Behind the last version all are the same. */
        *minor = n < 9 ? atoi(digits) : POD_SECURITY_LATEST - 1;
        return true;
}

static void refuse(struct problems *problems, const char *label, const char *value, const char *why) {
        char path[FIELD_PATH_MAX];

        snprintf(path, sizeof(path), "metadata.labels[%s]", label);
        problem_error(problems, path, "Invalid value: \"%s\": %s", value, why);
}

/* One mode's two labels. */
struct mode {
        const char *level, *version;           /* the labels' names */
        enum pod_security_level when_bad;      /* what is no level counts as this */
        bool has_level, good_level, has_minor; /* what was found */
};

static void read_mode(pod_security_label label, const void *data, struct problems *problems, struct mode *mode,
                      struct pod_security_bar *bar) {
        const char *level = label(data, mode->level), *version = label(data, mode->version);

        *bar = (struct pod_security_bar){ POD_SECURITY_PRIVILEGED, POD_SECURITY_LATEST };
        mode->has_level = level;
        mode->has_minor = version;
        mode->good_level = level && read_level(level, &bar->level);
        if (level && !mode->good_level) {
                bar->level = mode->when_bad;
                refuse(problems, mode->level, level, "must be one of privileged, baseline, restricted");
        }
        if (version && !read_minor(version, &bar->minor))
                refuse(problems, mode->version, version, "must be \"latest\" or \"v1.x\"");
}

#define MODE(name, bad)                                                                                                \
        { POD_SECURITY_LABELS name, POD_SECURITY_LABELS name "-version", bad, false, false, false }

void pod_security_read(pod_security_label label, const void *data, struct problems *problems,
                       struct pod_security_policy *ret_policy) {
        struct mode enforce = MODE("enforce", POD_SECURITY_RESTRICTED), audit = MODE("audit", POD_SECURITY_PRIVILEGED),
                    warn = MODE("warn", POD_SECURITY_PRIVILEGED);
        struct pod_security_policy p;

        read_mode(label, data, problems, &enforce, &p.enforce);
        read_mode(label, data, problems, &audit, &p.audit);
        read_mode(label, data, problems, &warn, &p.warn);
        /* Who makes a Deployment hears of what will be refused of its pods. */
        if (!warn.has_level && enforce.good_level && p.enforce.level > p.warn.level) {
                p.warn.level = p.enforce.level;
                if (!warn.has_minor)
                        p.warn.minor = p.enforce.minor;
        }
        *ret_policy = p;
}

const char *pod_security_name(struct arena *arena, const struct pod_security_bar *bar) {
        if (bar->minor == POD_SECURITY_LATEST)
                return arena_printf(arena, "%s:latest", levels[bar->level]);
        return arena_printf(arena, "%s:v1.%d", levels[bar->level], bar->minor);
}
