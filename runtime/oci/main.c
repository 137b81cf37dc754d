#include <errno.h>
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/json_writer.h"
#include "lib/log.h"
#include "lib/sigpipe.h"
#include "runtime/init/part.h"
#include "runtime/oci/oci.h"

static const struct {
        const char *name;
        int (*run)(struct oci_call *call, struct err **err);
        const char *help;
} verbs[] = {
        { "create", oci_create, "[--bundle DIR] [--console-socket S] [--pid-file F] ID" },
        { "start", oci_start, "ID" },
        { "run", oci_run, "[--bundle DIR] [--detach] [--keep] ID" },
        { "state", oci_state, "ID" },
        { "kill", oci_kill, "[--all] ID [SIGNAL]" },
        { "delete", oci_delete, "[--force] ID" },
        { "exec", oci_exec,
          "[--process F] [--tty] [--detach] [--user U[:G]] [--env K=V] [--cwd DIR] ... ID COMMAND..." },
        { "ps", oci_ps, "[--format table|json] ID" },
        { "list", oci_list, "[--quiet] [--format table|json]" },
        { "pause", oci_pause, "ID" },
        { "resume", oci_resume, "ID" },
        { "update", oci_update,
          "[--resources F] [--memory N] [--cpu-shares N] [--cpu-quota N] [--pids-limit N] ... ID" },
        { "events", oci_events, "[--stats] [--interval SECONDS] ID" },
        { "features", oci_features, "" },
        { "spec", oci_make_spec, "[--bundle DIR]" },
        { "checkpoint", oci_checkpoint,
          "[--image-path DIR] [--work-path DIR] [--leave-running] [--tcp-established] ... ID" },
        { "restore", oci_restore,
          "[--bundle DIR] [--image-path DIR] [--detach] [--pid-file F] [--console-socket S] ... ID" },
};

static void usage(FILE *to) {
        fputs("usage: nacelle-oci [--root DIR] [--log FILE] [--log-format text|json] [--systemd-cgroup] [--version] "
              "VERB ...\n\n",
              to);
        for (size_t i = 0; i < ELEMENTS(verbs); i++)
                fprintf(to, "  %-11s%s\n", verbs[i].name, verbs[i].help);
}

/* As logrus quotes it. */
static void quote(FILE *to, const char *text) {
        for (; *text; text++)
                if (*text == '\n')
                        fputs("\\n", to);
                else
                        fprintf(to, *text == '"' || *text == '\\' ? "\\%c" : "%c", *text);
}

/* Callers read the last error of the log, as runc writes it. */
static void write_log(const struct oci *oci, const char *message) {
        _cleanup_json_writer_ struct json_writer w = JSON_WRITER_INIT;
        _cleanup_free_ char *text = NULL;
        _cleanup_fclose_ FILE *file = oci->log ? fopen(oci->log, "ae") : NULL;
        char stamp[32];
        time_t now = time(NULL);
        struct tm utc;

        if (!file)
                return;
        strftime(stamp, sizeof(stamp), "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&now, &utc));
        json_begin_map(&w);
        json_add_string(&w, "level", "error");
        json_add_string(&w, "msg", message);
        json_add_string(&w, "time", stamp);
        json_end_map(&w);
        if (oci->log_format && strcmp(oci->log_format, "json") == 0 && json_writer_finish(&w, &text, NULL) == 0)
                fprintf(file, "%s\n", text);
        else {
                fprintf(file, "time=\"%s\" level=error msg=\"", stamp);
                quote(file, message);
                fputs("\"\n", file);
        }
}

static int parse(struct oci *oci, int argc, char **argv) {
        static const struct option long_options[] = {
                { "root", 1, NULL, 'r' },
                { "log", 1, NULL, 'l' },
                { "log-format", 1, NULL, 'f' },
                { "debug", 0, NULL, 'd' },
                { "systemd-cgroup", 0, NULL, 's' },
                { "rootless", 1, NULL, 'R' },
                { "version", 0, NULL, 'v' },
                { "help", 0, NULL, 'h' },
                { NULL, 0, NULL, 0 },
        };
        int c;

        while ((c = getopt_long(argc, argv, "+vh", long_options, NULL)) >= 0) {
                switch (c) {
                case 'r':
                        oci->root = optarg;
                        break;
                case 'l':
                        oci->log = optarg;
                        break;
                case 'f':
                        oci->log_format = optarg;
                        break;
                case 's':
                        oci->systemd_cgroup = true;
                        break;
                case 'd':
                case 'R':
                        break;
                case 'v':
                        puts("nacelle-oci version " NACELLE_VERSION "\nspec: " OCI_VERSION);
                        exit(0);
                case 'h':
                        usage(stdout);
                        exit(0);
                default:
                        usage(stderr);
                        exit(2);
                }
        }
        return optind;
}

static const char *default_root(struct arena *arena) {
        const char *dir = getenv("XDG_RUNTIME_DIR");

        return dir && dir[0] == '/' && oci_is_users() ? arena_printf(arena, "%s/nacelle-oci", dir) : "/run/nacelle-oci";
}

int main(int argc, char **argv) {
        struct oci oci = { 0 };
        _cleanup_err_ struct err *err = NULL;
        struct oci_call call = { .oci = &oci };
        int at, r = -EINVAL;
        size_t i = 0;

        if ((argc == 2 || argc == 3) && strcmp(argv[0], INIT_PROGRAM) == 0)
                init_serve(argv[1], argv[2]);
        at = parse(&oci, argc, argv);
        call.argc = argc - at;
        call.argv = argv + at;

        log_init("nacelle-oci", LOG_LEVEL_WARNING);
        sigpipe_survive();
        if (at >= argc || strcmp(argv[at], "help") == 0) {
                usage(at >= argc ? stderr : stdout);
                return at >= argc ? 2 : 0;
        }
        while (i < ELEMENTS(verbs) && strcmp(verbs[i].name, argv[at]) != 0)
                i++;
        oci.arena = arena_new();
        if (oci.arena && !oci.root)
                oci.root = default_root(oci.arena);
        if (i == ELEMENTS(verbs))
                err_set(&err, EINVAL, "unknown verb \"%s\"; see nacelle-oci --help", argv[at]);
        else if (oci.arena)
                r = verbs[i].run(&call, &err);
        if (r < 0) {
                fprintf(stderr, "nacelle-oci: %s\n", err_text(err));
                write_log(&oci, err_text(err));
                /* An exec that cannot be ends as runc's does, so that it is not taken for the command's own. */
                r = i < ELEMENTS(verbs) && verbs[i].run == oci_exec ? 255 : 1;
        }
        cgroups_free(oci.cgroups);
        arena_free(oci.arena);
        return r;
}
