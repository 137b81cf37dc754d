/* `update`: new limits of a container, by options or as the runtime-spec's `resources`: all of them or none. */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/files.h"
#include "lib/json.h"
#include "runtime/oci/oci.h"

enum limit_kind { LIMIT_NUMBER, LIMIT_SIZE, LIMIT_LIST };

#define FIELD(member) offsetof(struct oci_document_resources, member)

/* Options that set one limit each, as the members of the document that --resources gives. */
static const struct limit {
        const char *option;
        enum limit_kind kind;
        size_t offset;
        int64_t min, max;
} limits[] = {
        { "memory", LIMIT_SIZE, FIELD(memory.limit), 0, 0 },
        { "memory-reservation", LIMIT_SIZE, FIELD(memory.reservation), 0, 0 },
        { "memory-swap", LIMIT_SIZE, FIELD(memory.swap), 0, 0 },
        { "cpu-shares", LIMIT_NUMBER, FIELD(cpu.shares), 0, INT64_MAX },
        { "cpu-share", LIMIT_NUMBER, FIELD(cpu.shares), 0, INT64_MAX },
        { "cpu-quota", LIMIT_NUMBER, FIELD(cpu.quota), INT64_MIN, INT64_MAX },
        { "cpu-period", LIMIT_NUMBER, FIELD(cpu.period), 0, INT64_MAX },
        { "cpu-burst", LIMIT_NUMBER, FIELD(cpu.burst), 0, INT64_MAX },
        { "cpuset-cpus", LIMIT_LIST, FIELD(cpu.cpus), 0, 0 },
        { "cpuset-mems", LIMIT_LIST, FIELD(cpu.mems), 0, 0 },
        { "pids-limit", LIMIT_NUMBER, FIELD(pids.limit), INT64_MIN, INT64_MAX },
        { "blkio-weight", LIMIT_NUMBER, FIELD(io.weight), 10, 1000 },
};

#define OPTION_RESOURCES 'r'
#define OPTION_FIRST 256

static int read_limit(const struct limit *limit, const char *text, struct oci_document_resources *resources,
                      struct err **err) {
        char *at = (char *)resources + limit->offset;
        int64_t n = 0;
        int r;

        if (limit->kind == LIMIT_LIST) {
                if (text[0] == '\0' || text[strspn(text, "0123456789,-")] != '\0')
                        return err_set(err, EINVAL, "--%s \"%s\": a list such as 0-3,7 is expected", limit->option,
                                       text);
                *(const char **)at = text;
                return 0;
        }
        r = limit->kind == LIMIT_SIZE ? oci_parse_size(limit->option, text, &n, err) :
                                        oci_parse_number(limit->option, text, limit->min, limit->max, &n, err);
        if (r == 0)
                *(struct member_number *)at = (struct member_number){ .set = true, .i = n };
        return r;
}

static int read_stdin(struct oci *oci, struct oci_document_resources *resources, struct err **err) {
        static const struct value_options options = { .name = "standard input" };
        char *text = arena_alloc(oci->arena, OCI_CONFIG_MAX + 1);
        size_t n = text ? fread(text, 1, OCI_CONFIG_MAX + 1, stdin) : 0;
        const struct value *json;
        int r;

        if (n == 0 || n > OCI_CONFIG_MAX)
                return err_set(err, n == 0 ? EINVAL : E2BIG, "--resources -: %s on standard input",
                               n == 0 ? "nothing" : "more than 4 MiB");
        r = json_parse(oci->arena, text, n, &options, &json, err);
        return r < 0 ? r :
                       members_read(oci->arena, &(struct members_source){ options.name, "", json },
                                    &oci_document_resources, resources, err);
}

static int read_resources(struct oci *oci, const char *path, struct oci_document_resources *resources,
                          struct err **err) {
        return strcmp(path, "-") == 0 ? read_stdin(oci, resources, err) :
                                        oci_document_load(oci, path, path, &oci_document_resources, resources, err);
}

/* What the options say goes before what --resources says, in whatever order they come. */
static int parse(struct oci_call *call, struct oci_document_resources *resources, struct err **err) {
        struct option long_options[ELEMENTS(limits) + 2] = { 0 };
        const char *texts[ELEMENTS(limits)] = { NULL };
        int c, r;

        for (size_t i = 0; i < ELEMENTS(limits); i++)
                long_options[i] = (struct option){ limits[i].option, 1, NULL, OPTION_FIRST + (int)i };
        long_options[ELEMENTS(limits)] = (struct option){ "resources", 1, NULL, OPTION_RESOURCES };
        optind = 0;
        while ((c = getopt_long(call->argc, call->argv, "r:", long_options, NULL)) >= 0) {
                if (c == '?')
                        return err_set(err, EINVAL, "unknown option; see nacelle-oci --help");
                if (c >= OPTION_FIRST)
                        texts[c - OPTION_FIRST] = optarg;
                else if ((r = read_resources(call->oci, optarg, resources, err)) < 0)
                        return r;
        }
        for (size_t i = 0; i < ELEMENTS(limits); i++)
                if (texts[i] && (r = read_limit(&limits[i], texts[i], resources, err)) < 0)
                        return r;
        if (optind + 1 != call->argc)
                return err_set(err, EINVAL, "usage: nacelle-oci update [OPTIONS] ID");
        return 0;
}

int oci_update(struct oci_call *call, struct err **err) {
        struct oci_document_resources resources = { 0 };
        struct cgroup_limits change;
        struct oci_state state;
        int r = parse(call, &resources, err);

        if (r < 0 || (r = oci_config_limits(call->oci, &resources, &change, err)) < 0 ||
            (r = oci_state_open(call->oci, call->argv[optind], &state, err)) < 0)
                return r;
        if (state.pid == 0)
                return err_set(err, ESRCH, "container not running");
        if ((r = oci_own_cgroup(call->oci, &state, err)) < 0)
                return r;
        return cgroup_update(call->oci->cgroups, state.cgroup, &change, err);
}
