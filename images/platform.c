#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

#include "images/manifest.h"
#include "lib/cleanup.h"
#include "lib/err.h"

/* uname(2)'s machine as Go's ports are called, which is what manifests use. */
static const struct {
        const char *machine, *architecture, *variant;
} machines[] = {
        { "x86_64", "amd64", "" }, { "aarch64", "arm64", "v8" },     { "armv7l", "arm", "v7" },
        { "armv8l", "arm", "v8" }, { "armv6l", "arm", "v6" },        { "i686", "386", "" },
        { "i386", "386", "" },     { "riscv64", "riscv64", "" },     { "ppc64le", "ppc64le", "" },
        { "s390x", "s390x", "" },  { "loongarch64", "loong64", "" },
};

static void this_machine(struct platform *ret) {
        struct utsname name;

        strcpy(ret->os, "linux");
        if (uname(&name) < 0)
                return;
        for (size_t i = 0; i < ELEMENTS(machines); i++)
                if (strcmp(name.machine, machines[i].machine) == 0) {
                        strcpy(ret->architecture, machines[i].architecture);
                        strcpy(ret->variant, machines[i].variant);
                        return;
                }
        snprintf(ret->architecture, sizeof(ret->architecture), "%.31s", name.machine);
}

int image_platform_parse(const char *text, struct platform *ret, struct err **err) {
        struct platform p = { .os = "" };
        char rest[2];
        int n;

        if (!text || *text == '\0') {
                this_machine(&p);
                *ret = p;
                return 0;
        }
        n = sscanf(text, "%31[a-z0-9]/%31[a-z0-9_]/%15[a-z0-9]%1s", p.os, p.architecture, p.variant, rest);
        if (n < 2 || n > 3 ||
            strlen(text) != strlen(p.os) + 1 + strlen(p.architecture) + (n == 3 ? 1 + strlen(p.variant) : 0))
                return err_set(err, EINVAL, "platform \"%.100s\" is not OS/ARCHITECTURE or OS/ARCHITECTURE/VARIANT",
                               text);
        if (strcmp(p.architecture, "arm64") == 0 && *p.variant == '\0')
                strcpy(p.variant, "v8");
        *ret = p;
        return 0;
}

const char *image_platform_format(const struct platform *p, char ret_text[PLATFORM_TEXT_MAX]) {
        snprintf(ret_text, PLATFORM_TEXT_MAX, "%s/%s%s%s", p->os, p->architecture, *p->variant ? "/" : "", p->variant);
        return ret_text;
}

/* Variants are "v" and a number; what has none is the architecture's first. */
static int variant_level(const char *architecture, const char *variant) {
        if (variant && variant[0] == 'v')
                return atoi(variant + 1);
        if (strcmp(architecture, "arm64") == 0)
                return 8;
        return strcmp(architecture, "arm") == 0 ? 7 : 1;
}

/* 0: does not run; else the higher the better. */
static int fitness(const struct platform *wanted, const char *os, const char *architecture, const char *variant) {
        int have, want;

        if (strcmp(os, wanted->os) != 0 || strcmp(architecture, wanted->architecture) != 0)
                return 0;
        have = variant_level(architecture, variant);
        want = variant_level(architecture, wanted->variant);
        return have <= want ? 1 + have : 0;
}

int image_platform_fits(const struct platform *wanted, const char *os, const char *architecture, const char *variant) {
        return fitness(wanted, os && *os ? os : wanted->os,
                       architecture && *architecture ? architecture : wanted->architecture,
                       variant && *variant ? variant : NULL) > 0;
}

const struct manifest_entry *image_manifest_choose(const struct manifest *m, const struct platform *wanted) {
        const struct manifest_entry *best = NULL;
        int best_fit = 0;

        for (size_t i = 0; i < m->n_entries; i++) {
                const struct platform *p = &m->entries[i].platform;
                int fit = fitness(wanted, p->os, p->architecture, *p->variant ? p->variant : NULL);

                if (fit > best_fit) {
                        best_fit = fit;
                        best = &m->entries[i];
                }
        }
        /* an index of one image may leave its platform out; the config will tell */
        if (!best && m->n_entries == 1 && *m->entries[0].platform.os == '\0')
                best = &m->entries[0];
        return best;
}
