#include "agent/volumes/hugepages.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>

#include "agent/volumes/tmpfs.h"

#define RESOURCE "hugepages-"
#define MEDIUM "HugePages"

/* The size that is looked for, and found. */
struct search {
        const char *medium;
        bool any; /* the medium names none */
        struct quantity wanted, found;
        bool has;
};

static int take(struct search *s, const char *resource, struct err **err) {
        struct quantity size;

        if (strncmp(resource, RESOURCE, strlen(RESOURCE)) != 0 ||
            quantity_parse(resource + strlen(RESOURCE), &size, NULL) < 0)
                return 0;
        if (!s->any && quantity_compare(size, s->wanted) != 0)
                return 0;
        if (s->has && quantity_compare(size, s->found) != 0)
                return err_set(err, EINVAL, "medium: %s can't be used if container requests multiple huge page sizes",
                               s->medium);
        s->found = size;
        s->has = true;
        return 0;
}

/* Requests and limits of huge pages are the same; a manifest may give the limits alone. */
static int take_all(struct search *s, const kube_container_items *containers, struct err **err) {
        int r;

        list_for_each (c, containers) {
                list_for_each (one, &c->resources.requests)
                        if ((r = take(s, one->name, err)) < 0)
                                return r;
                list_for_each (one, &c->resources.limits)
                        if ((r = take(s, one->name, err)) < 0)
                                return r;
        }
        return 0;
}

int hugepages_option(const struct pod *pod, const char *medium, char ret_option[HUGEPAGES_OPTION_MAX],
                     struct err **err) {
        const char *size = medium + strlen(MEDIUM);
        struct search s = { .medium = medium, .any = *size == '\0' };
        char text[QUANTITY_TEXT_MAX];
        int r;

        if (!s.any && (*size != '-' || quantity_parse(size + 1, &s.wanted, NULL) < 0))
                return err_set(err, EINVAL, "medium %s: give HugePages or HugePages-SIZE, as HugePages-2Mi", medium);
        if ((r = take_all(&s, &pod->spec.containers, err)) < 0 ||
            (r = take_all(&s, &pod->spec.init_containers, err)) < 0)
                return r;
        if (!s.has)
                return err_set(
                        err, EINVAL,
                        "medium %s: hugePages storage requested, but there is no resource request for huge pages",
                        medium);
        snprintf(ret_option, HUGEPAGES_OPTION_MAX, "pagesize=%s", quantity_format(s.found, text));
        return 0;
}

int hugepages_make(const struct pod_files *files, const char *medium, const char *path, struct err **err) {
        char option[HUGEPAGES_OPTION_MAX];
        int r;

        if (tmpfs_is_mounted(path))
                return 0;
        if ((r = hugepages_option(files->pod, medium, option, err)) < 0)
                return r;
        if (mount("nodev", path, "hugetlbfs", 0, option) < 0)
                return err_errno(err, errno, "cannot mount hugetlbfs (%s) at %s", option, path);
        return 0;
}
