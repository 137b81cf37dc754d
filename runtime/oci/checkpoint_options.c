#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/files.h"
#include "runtime/oci/checkpoint.h"

#define DEFAULT_IMAGE_PATH "checkpoint"

static const struct {
        const char *name;
        enum criu_cgroups mode;
} modes[] = {
        { "ignore", CRIU_CGROUPS_IGNORE },
        { "soft", CRIU_CGROUPS_SOFT },
        { "full", CRIU_CGROUPS_FULL },
        { "strict", CRIU_CGROUPS_STRICT },
};

/* runc's, for both verbs. What is but refused comes last. */
enum { BUNDLE, IMAGES, WORK, CONSOLE, PID_FILE, DETACH, LEAVE, TCP, UNIX, SHELL, LOCKS, MODE, HELP, FINE, REFUSED };
/* clang-format off */
static const struct option long_options[] = {
        { "bundle", 1, NULL, BUNDLE },         { "image-path", 1, NULL, IMAGES },          { "work-path", 1, NULL, WORK },
        { "console-socket", 1, NULL, CONSOLE }, { "pid-file", 1, NULL, PID_FILE },         { "detach", 0, NULL, DETACH },
        { "leave-running", 0, NULL, LEAVE },   { "tcp-established", 0, NULL, TCP },        { "ext-unix-sk", 0, NULL, UNIX },
        { "shell-job", 0, NULL, SHELL },       { "file-locks", 0, NULL, LOCKS },           { "manage-cgroups-mode", 1, NULL, MODE },
        { "help", 0, NULL, HELP },             { "no-subreaper", 0, NULL, FINE },          { "no-pivot", 0, NULL, REFUSED },
        { "parent-path", 1, NULL, REFUSED },   { "pre-dump", 0, NULL, REFUSED },           { "lazy-pages", 0, NULL, REFUSED },
        { "status-fd", 1, NULL, REFUSED },     { "page-server", 1, NULL, REFUSED },        { "auto-dedup", 0, NULL, REFUSED },
        { "empty-ns", 1, NULL, REFUSED },      { "lsm-profile", 1, NULL, REFUSED },        { "lsm-mount-context", 1, NULL, REFUSED },
        { NULL, 0, NULL, 0 },
};
/* clang-format on */

static int parse_mode(const char *text, enum criu_cgroups *ret_mode, struct err **err) {
        for (size_t i = 0; i < ELEMENTS(modes); i++)
                if (strcmp(modes[i].name, text) == 0) {
                        *ret_mode = modes[i].mode;
                        return 0;
                }
        return err_set(err, EINVAL, "--manage-cgroups-mode \"%s\": ignore, soft, full or strict is expected", text);
}

static int parse_one(int c, int index, struct checkpoint_options *o, struct err **err) {
        switch (c) {
        case 'b':
        case BUNDLE:
                o->bundle = optarg;
                break;
        case IMAGES:
                o->image_path = optarg;
                break;
        case WORK:
                o->work_path = optarg;
                break;
        case CONSOLE:
                o->container.io.console_socket = optarg;
                break;
        case PID_FILE:
                o->container.io.pid_file = optarg;
                break;
        case 'd':
        case DETACH:
                o->container.io.detach = true;
                break;
        case LEAVE:
                o->request.leave_running = true;
                break;
        case TCP:
                o->request.tcp_established = true;
                break;
        case UNIX:
                o->request.ext_unix_sk = true;
                break;
        case SHELL:
                o->request.shell_job = true;
                break;
        case LOCKS:
                o->request.file_locks = true;
                break;
        case MODE:
                return parse_mode(optarg, &o->request.cgroups, err);
        case 'h':
        case HELP:
                o->help = true;
                break;
        case FINE:
                break;
        case REFUSED:
                return err_set(err, ENOTSUP, "--%s: not supported", long_options[index].name);
        default:
                return err_set(err, EINVAL, "unknown option; see nacelle-oci --help");
        }
        return 0;
}

static int check_verb(const struct checkpoint_options *o, struct err **err) {
        if (o->restore && o->request.leave_running)
                return err_set(err, EINVAL, "--leave-running: of checkpoint only");
        if (!o->restore &&
            (o->bundle || o->container.io.console_socket || o->container.io.pid_file || o->container.io.detach))
                return err_set(err, EINVAL, "--bundle, --console-socket, --pid-file and --detach: of restore only");
        return 0;
}

int oci_checkpoint_parse(struct oci_call *call, bool restore, struct checkpoint_options *ret_options,
                         struct err **err) {
        struct checkpoint_options *o = ret_options;
        int c, index = 0, r;

        *o = (struct checkpoint_options){
                .restore = restore, .request = { .images_fd = -EBADF, .work_fd = -EBADF, .cgroups = CRIU_CGROUPS_SOFT }
        };
        optind = 0;
        while ((c = getopt_long(call->argc, call->argv, "+b:dh", long_options, &index)) >= 0) {
                r = parse_one(c, index, o, err);
                if (r < 0 || o->help)
                        return r;
        }
        r = check_verb(o, err);
        return r < 0 ? r : oci_creation_target(call, o->bundle ? o->bundle : ".", &o->container, err);
}

static int open_directory(const char *path, bool make, int *ret_fd, struct err **err) {
        int r = make ? files_make_dirs(path, 0700, err) : 0;

        if (r < 0)
                return r;
        *ret_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        return *ret_fd < 0 ? err_errno(err, errno, "%s", path) : 0;
}

int oci_checkpoint_allowed(struct err **err) {
        return oci_is_users() ?
                       err_set(err, ENOTSUP, "checkpoint and restore are root's: criu cannot do them for a user") :
                       0;
}

int oci_checkpoint_open(struct oci *oci, struct checkpoint_options *o, struct err **err) {
        const char *images = o->image_path ? o->image_path : DEFAULT_IMAGE_PATH;
        int r = oci_checkpoint_allowed(err);

        if (r < 0 || (r = criu_find(oci->arena, &o->request.program, err)) < 0 ||
            (r = open_directory(images, !o->restore, &o->request.images_fd, err)) < 0)
                return r;
        return open_directory(o->work_path ? o->work_path : images, true, &o->request.work_fd, err);
}

void oci_checkpoint_close(struct checkpoint_options *o) {
        o->request.images_fd = close_fd(o->request.images_fd);
        o->request.work_fd = close_fd(o->request.work_fd);
}
