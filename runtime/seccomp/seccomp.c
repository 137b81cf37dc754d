#include "runtime/seccomp/seccomp.h"

#include <errno.h>
#include <linux/capability.h>
#include <linux/sched.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "lib/arena.h"
#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/files.h"
#include "lib/json.h"
#include "lib/json_writer.h"
#include "lib/value.h"
#include "runtime/seccomp/build.h"
#include "runtime/seccomp/rules.h"

/* Filters are shared by all containers and kept; a node has a handful. More different ones than this are refused. */
#define SECCOMP_CACHE_MAX 512

#define NEW_NAMESPACES                                                                                                 \
        (CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET)

struct entry {
        struct entry *next;
        uint64_t bounding;
        size_t length;
        struct seccomp_filter *filter;
        char json[]; /* the profile; empty for RuntimeDefault */
};

static struct {
        pthread_mutex_t lock;
        struct entry *first;
        unsigned n;
} cache = { .lock = PTHREAD_MUTEX_INITIALIZER };

static bool has(uint64_t set, unsigned capability) {
        return set & (UINT64_C(1) << capability);
}

static int allow_all(struct seccomp_build *build, const char *const *names, struct err **err) {
        int r = 0;

        for (; *names && r == 0; names++)
                r = seccomp_build_rule(build, SCMP_ACT_ALLOW, *names, NULL, 0, err);
        return r;
}

/* Plain processes and threads, but no new namespaces; clone3, whose flags a filter cannot see, looks missing, so that
 * libraries fall back to clone. */
static int allow_clone(struct seccomp_build *build, struct err **err) {
        unsigned flags = seccomp_arch_native() == SCMP_ARCH_S390X ? 1 : 0;
        struct scmp_arg_cmp none = SCMP_CMP64(flags, SCMP_CMP_MASKED_EQ, NEW_NAMESPACES, 0);
        int r = seccomp_build_rule(build, SCMP_ACT_ALLOW, "clone", &none, 1, err);

        return r < 0 ? r : seccomp_build_rule(build, SCMP_ACT_ERRNO(ENOSYS), "clone3", NULL, 0, err);
}

/* The execution domains of Linux, without those that weaken address space randomisation (personality(2)). */
static int allow_personality(struct seccomp_build *build, struct err **err) {
        static const uint64_t values[] = { 0x0, 0x0008, 0x20000, 0x20008, 0xffffffff };
        int r = 0;

        for (size_t i = 0; i < ELEMENTS(values) && r == 0; i++) {
                struct scmp_arg_cmp is = SCMP_CMP64(0, SCMP_CMP_EQ, values[i], 0);

                r = seccomp_build_rule(build, SCMP_ACT_ALLOW, "personality", &is, 1, err);
        }
        return r;
}

/* Every socket but those to the hypervisor: AF_VSOCK knows no network namespaces. */
static int allow_socket(struct seccomp_build *build, struct err **err) {
        struct scmp_arg_cmp not_vsock = SCMP_CMP64(0, SCMP_CMP_NE, AF_VSOCK, 0);

        return seccomp_build_rule(build, SCMP_ACT_ALLOW, "socket", &not_vsock, 1, err);
}

static int default_rules(struct seccomp_build *build, uint64_t bounding, struct err **err) {
        int r = seccomp_build_begin(build, "RuntimeDefault", SCMP_ACT_ERRNO(EPERM), err);

        if (r < 0 || (r = allow_all(build, seccomp_rules_allowed, err)) < 0)
                return r;
        for (unsigned i = 0; i < seccomp_rules_capabilities_n; i++)
                if (has(bounding, seccomp_rules_capabilities[i].capability) &&
                    (r = allow_all(build, seccomp_rules_capabilities[i].names, err)) < 0)
                        return r;
        if ((!has(bounding, CAP_SYS_ADMIN) && (r = allow_clone(build, err)) < 0) ||
            (r = allow_personality(build, err)) < 0)
                return r;
        return allow_socket(build, err);
}

static int profile_rules(struct seccomp_build *build, const char *name, const char *json, size_t length,
                         uint64_t bounding, struct err **err) {
        _cleanup_arena_ struct arena *arena = arena_new();
        struct value_options options = { .name = name, .bytes_max = SECCOMP_PROFILE_MAX };
        const struct value *value;
        int r;

        if (!arena)
                return err_set(err, ENOMEM, "seccomp profile %s: out of memory", name);
        r = json_parse(arena, json, length, &options, &value, err);
        if (r < 0)
                return r;
        return seccomp_profile_rules(build, name, arena, value, bounding, err);
}

/* @json NULL: RuntimeDefault. */
static int compile(const char *name, const char *json, size_t length, uint64_t bounding,
                   struct seccomp_filter **ret_filter, struct err **err) {
        struct seccomp_build build = { .context = NULL };
        int r = json ? profile_rules(&build, name, json, length, bounding, err) : default_rules(&build, bounding, err);

        if (r == 0)
                r = seccomp_build_end(&build, ret_filter, err);
        seccomp_build_free(&build);
        return r;
}

static int write_oci(const char *name, const char *json, size_t length, uint64_t bounding, char **ret_oci,
                     struct err **err) {
        _cleanup_json_writer_ struct json_writer w = JSON_WRITER_INIT;
        struct seccomp_build build = { .context = NULL, .oci = &w };
        int r = json ? profile_rules(&build, name, json, length, bounding, err) : default_rules(&build, bounding, err);

        if (r == 0) {
                seccomp_build_end_oci(&build);
                r = json_writer_finish(&w, ret_oci, NULL);
                if (r < 0)
                        err_errno(err, -r, "seccomp profile %s", name);
        }
        seccomp_build_free(&build);
        return r;
}

static struct entry *find(const char *json, size_t length, uint64_t bounding) {
        for (struct entry *e = cache.first; e; e = e->next)
                if (e->bounding == bounding && e->length == length && memcmp(e->json, json ?: "", length) == 0)
                        return e;
        return NULL;
}

/* Compiles under the lock: two containers of one profile wait for one compilation instead of doing it twice. */
static int add(const char *name, const char *json, size_t length, uint64_t bounding, struct entry **ret_entry,
               struct err **err) {
        _cleanup_free_ struct entry *e = NULL;
        int r;

        if (cache.n >= SECCOMP_CACHE_MAX)
                return err_set(err, E2BIG, "seccomp profile %s: more than %d different profiles", name,
                               SECCOMP_CACHE_MAX);
        e = malloc(sizeof(*e) + length);
        if (!e)
                return err_set(err, ENOMEM, "seccomp profile %s: out of memory", name);
        r = compile(name, json, length, bounding, &e->filter, err);
        if (r < 0)
                return r;
        e->bounding = bounding;
        e->length = length;
        memcpy(e->json, json ?: "", length);
        e->next = cache.first;
        cache.first = *ret_entry = TAKE_PTR(e);
        cache.n++;
        return 0;
}

static int get(const char *name, const char *json, size_t length, uint64_t bounding,
               const struct seccomp_filter **ret_filter, struct err **err) {
        struct entry *e;
        int r = 0;

        pthread_mutex_lock(&cache.lock);
        e = find(json, length, bounding);
        if (!e)
                r = add(name, json, length, bounding, &e, err);
        pthread_mutex_unlock(&cache.lock);
        if (r == 0)
                *ret_filter = e->filter;
        return r;
}

int seccomp_runtime_default(uint64_t bounding, const struct seccomp_filter **ret_filter, struct err **err) {
        return get("RuntimeDefault", NULL, 0, bounding, ret_filter, err);
}

int seccomp_profile_compile(const char *name, const char *json, size_t length, uint64_t bounding,
                            const struct seccomp_filter **ret_filter, struct err **err) {
        if (length == 0)
                return err_set(err, EINVAL, "seccomp profile %s: empty", name);
        return get(name, json, length, bounding, ret_filter, err);
}

int seccomp_profile_load(const char *path, uint64_t bounding, const struct seccomp_filter **ret_filter,
                         struct err **err) {
        _cleanup_free_ char *json = NULL;
        size_t length;
        int r = files_read(path, SECCOMP_PROFILE_MAX, &json, &length, err);

        return r < 0 ? err_wrap(err, r, "seccomp profile") :
                       seccomp_profile_compile(path, json, length, bounding, ret_filter, err);
}

int seccomp_oci(const char *path, uint64_t bounding, char **ret_oci, struct err **err) {
        _cleanup_free_ char *json = NULL;
        size_t length = 0;
        int r;

        if (!path)
                return write_oci("RuntimeDefault", NULL, 0, bounding, ret_oci, err);
        r = files_read(path, SECCOMP_PROFILE_MAX, &json, &length, err);
        return r < 0 ? err_wrap(err, r, "seccomp profile") : write_oci(path, json, length, bounding, ret_oci, err);
}
