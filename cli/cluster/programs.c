/* The service and the agent: started by whoever starts programs on this host. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/cluster/cluster.h"
#include "lib/arena.h"
#include "lib/cleanup.h"
#include "lib/files.h"
#include "lib/program.h"

#define COMMAND_MS 120000 /* of systemctl, rc-service: nacelle-api has 90 s for its end */
#define RUN_MS 3600000    /* of a backup */
#define OUTPUT_MAX 4096
#define ARGUMENTS_MAX (CLI_VALUES_MAX + 8)
#define FILE_MAX ((size_t)64 << 10)
#define STOP_MS 20000

const struct cluster_program cli_cluster_api = { .name = "nacelle-api",
                                                 .variable = "NACELLE_API_ARGS",
                                                 .file = "api.env",
                                                 .settings = "api.yaml",
                                                 .place = "--data-dir=",
                                                 .openrc_log = "/var/log/nacelle-api/nacelle-api.log" };
const struct cluster_program cli_cluster_agent = { .name = "nacelle-agent",
                                                   .variable = "NACELLE_AGENT_ARGS",
                                                   .file = "agent.env",
                                                   .settings = "config.yaml",
                                                   .place = "--root-dir=",
                                                   .openrc_log = "/var/log/nacelle-agent.log" };

enum how { BY_SYSTEMD, BY_OPENRC, BY_US, BY_NOBODY };

static int how_to(enum how *ret_how, struct err **err) {
        static const char *const names[] = { "systemd", "openrc", "process", "none" };
        const char *start = cli_cluster_places.start;

        for (size_t i = 0; start && i < ELEMENTS(names); i++)
                if (strcmp(names[i], start) == 0) {
                        *ret_how = (enum how)i;
                        return 0;
                }
        if (start)
                return err_set(err, EINVAL, "--start %s: give systemd, openrc, process or none", start);
        *ret_how = access("/run/systemd/system", F_OK) == 0 ? BY_SYSTEMD :
                   access("/run/openrc", F_OK) == 0         ? BY_OPENRC :
                                                              BY_US;
        return 0;
}

/* Beside this program, or where programs are. */
static const char *find(struct arena *arena, const char *name) {
        static const char *const places[] = { "/usr/local/bin", "/usr/bin", "/usr/sbin", "/bin", "/sbin" };
        char own[PATH_MAX];
        ssize_t n = readlink("/proc/self/exe", own, sizeof(own) - 1);
        const char *path;
        char *slash;

        if (n > 0) {
                own[n] = '\0';
                slash = strrchr(own, '/');
                path = arena_printf(arena, "%.*s/%s", (int)(slash - own), own, name);
                if (path && access(path, X_OK) == 0)
                        return path;
        }
        for (size_t i = 0; i < ELEMENTS(places); i++) {
                path = arena_printf(arena, "%s/%s", places[i], name);
                if (path && access(path, X_OK) == 0)
                        return path;
        }
        return NULL;
}

static int run(struct arena *arena, const char *name, const char *const *arguments, struct err **err) {
        _cleanup_program_ struct program_result result = { 0 };
        struct program_call call = { .path = find(arena, name),
                                     .arguments = arguments,
                                     .output_max = OUTPUT_MAX,
                                     .timeout_ms = COMMAND_MS,
                                     .cancel_fd = -EBADF };
        int r;

        if (!call.path)
                return err_set(err, ENOENT, "%s is not there; say by --start how programs are started here", name);
        if ((r = program_run(&call, &result, err)) < 0)
                return r;
        if (WIFEXITED(result.status) && WEXITSTATUS(result.status) == 0)
                return 0;
        return err_set(err, EIO, "%s %s %s: %s", name, arguments[1], arguments[2],
                       program_complaint(&result.error, OUTPUT_MAX));
}

/* --- by us: a process with a file that says which --- */

static const char *pid_path(struct arena *arena, const struct cluster_program *program) {
        return arena_printf(arena, "%s/%s.pid", cli_cluster_places.run, program->name);
}

const char *cli_cluster_log(struct arena *arena, const struct cluster_program *program) {
        enum how how = BY_US;

        if (how_to(&how, NULL) < 0 || how == BY_US || how == BY_NOBODY)
                return arena_printf(arena, "%s/%s.log", cli_cluster_places.run, program->name);
        return how == BY_SYSTEMD ? arena_printf(arena, "journalctl -u %s", program->name) : program->openrc_log;
}

static bool is_of(struct arena *arena, pid_t pid, const char *exe) {
        const char *link = arena_printf(arena, "/proc/%d/exe", (int)pid);
        char target[PATH_MAX] = "";

        return link && exe && readlink(link, target, sizeof(target) - 1) > 0 && strncmp(target, exe, strlen(exe)) == 0;
}

/* Of this host, not of one in a container. */
static bool is_here(struct arena *arena, pid_t pid, const char *what) {
        const char *path = arena_printf(arena, "/proc/%d/%s", (int)pid, what),
                   *own = arena_printf(arena, "/proc/self/%s", what);
        struct stat one, other;

        return path && own && stat(path, &one) == 0 && stat(own, &other) == 0 && one.st_dev == other.st_dev &&
               one.st_ino == other.st_ino;
}

/* Whether it was started with the word. */
static bool has_word(struct arena *arena, pid_t pid, const char *word) {
        const char *path = arena_printf(arena, "/proc/%d/cmdline", (int)pid);
        _cleanup_free_ char *text = NULL;
        size_t size = 0;

        if (!path || files_read(path, FILE_MAX, &text, &size, NULL) < 0)
                return false;
        for (const char *at = text; at < text + size; at += strlen(at) + 1)
                if (strcmp(at, word) == 0)
                        return true;
        return false;
}

/* Whoever started it was killed before the file was written. */
static pid_t find_orphan(struct arena *arena, const struct cluster_program *program, const char *exe) {
        const char *word =
                arena_printf(arena, "%s%s", program->place,
                             program == &cli_cluster_api ? cli_cluster_places.data : cli_cluster_places.root);
        _cleanup_closedir_ DIR *dir = opendir("/proc");
        struct dirent *entry;

        while (word && dir && (entry = readdir(dir))) {
                pid_t pid = (pid_t)strtol(entry->d_name, NULL, 10);

                if (pid > 1 && is_of(arena, pid, exe) && has_word(arena, pid, word) && is_here(arena, pid, "ns/pid") &&
                    is_here(arena, pid, "root"))
                        return pid;
        }
        return 0;
}

/* That of the file, if it is still @program's, or one that the file should tell of. */
static pid_t find_pid(struct arena *arena, const struct cluster_program *program) {
        const char *path = pid_path(arena, program), *exe = find(arena, program->name);
        _cleanup_free_ char *text = NULL;
        pid_t pid;

        if (path && files_read(path, 32, &text, NULL, NULL) == 0 && (pid = (pid_t)strtol(text, NULL, 10)) > 1 &&
            is_of(arena, pid, exe))
                return pid;
        return find_orphan(arena, program, exe);
}

bool cli_cluster_is_left(void) {
        enum how how;

        return how_to(&how, NULL) == 0 && how == BY_NOBODY;
}

/* A line of a log without its time, level and name (lib/log.h). */
static const char *words_of(const char *line) {
        static const char *const levels[] = { "error ", "warning ", "info " };
        size_t time = strcspn(line, " ");

        if (time < 2 || line[time - 1] != 'Z' || !line[time])
                return line;
        for (size_t i = 0; i < ELEMENTS(levels); i++) {
                const char *name = line + time + 1 + strlen(levels[i]);

                if (strncmp(line + time + 1, levels[i], strlen(levels[i])) == 0 && strstr(name, ": "))
                        return strstr(name, ": ") + 2;
        }
        return line;
}

/* The last line of its log; "": there is none. */
static const char *last_words(struct arena *arena, const struct cluster_program *program) {
        const char *path = cli_cluster_log(arena, program);
        _cleanup_close_ int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -EBADF;
        char *text = arena_alloc(arena, OUTPUT_MAX + 1), *line;
        off_t size = fd >= 0 ? lseek(fd, 0, SEEK_END) : 0;
        ssize_t n = 0;

        if (text && size > 0)
                n = pread(fd, text, OUTPUT_MAX, size > OUTPUT_MAX ? size - OUTPUT_MAX : 0);
        while (n > 0 && text[n - 1] == '\n')
                n--;
        if (n <= 0)
                return "";
        text[n] = '\0';
        line = strrchr(text, '\n');
        return words_of(line ? line + 1 : text);
}

int cli_cluster_check(const struct cluster_program *program, struct err **err) {
        _cleanup_arena_ struct arena *arena = arena_new();
        const char *words;
        enum how how;

        if (!arena || how_to(&how, NULL) < 0 || how != BY_US || find_pid(arena, program))
                return 0;
        words = last_words(arena, program);
        return err_set(err, ECHILD, "it has ended%s%s", *words ? ": " : "", words);
}

/* What the file's line VARIABLE=VALUE says, quoted or not, as systemd and OpenRC's shell would have it; NULL. */
static char *find_value(char *text, const char *variable) {
        size_t n = strlen(variable);
        char *line, *value, *end;

        while ((line = strsep(&text, "\n"))) {
                if (strncmp(line, variable, n) != 0 || line[n] != '=')
                        continue;
                value = line + n + 1;
                if (*value != '"' && *value != '\'')
                        return value;
                end = strchr(value + 1, *value);
                if (end)
                        *end = '\0';
                return end ? value + 1 : NULL;
        }
        return NULL;
}

int cli_cluster_arguments(struct arena *arena, const struct cluster_program *program, struct cli_values *ret_arguments,
                          struct err **err) {
        const char *path = cli_cluster_file(arena, program->file);
        _cleanup_free_ char *text = NULL;
        char *line, *word;
        int r = path ? files_read(path, FILE_MAX, &text, NULL, err) : -ENOMEM;

        if (r < 0)
                return r;
        line = find_value(text, program->variable);
        if (!line)
                return err_set(err, EINVAL, "%s: there is no %s=\"...\"", path, program->variable);
        line = arena_strdup(arena, line);
        ret_arguments->n = 0;
        while (line && (word = strsep(&line, " ")) && ret_arguments->n < CLI_VALUES_MAX)
                if (*word)
                        ret_arguments->values[ret_arguments->n++] = word;
        return 0;
}

/* The units' and scripts' own (contrib/systemd, contrib/openrc). */
int cli_cluster_check_units(struct err **err) {
        enum how how;
        int r = how_to(&how, err);

        if (r < 0 || how == BY_US || how == BY_NOBODY)
                return r;
        if (strcmp(cli_cluster_places.config, CLUSTER_CONFIG) != 0)
                return err_set(err, EINVAL,
                               "--config-dir %s: on this host nacelle-api and nacelle-agent are started with what is "
                               "in " CLUSTER_CONFIG "; leave it out, or give --start process",
                               cli_cluster_places.config);
        if (how == BY_SYSTEMD && strcmp(cli_cluster_places.data, CLUSTER_DATA) != 0)
                fprintf(stderr,
                        "nacelle: warning: --data-dir %s: nacelle-api.service may write to " CLUSTER_DATA
                        " alone, unless `systemctl edit nacelle-api` has given it ReadWritePaths=%s, which has to be "
                        "its user's\n",
                        cli_cluster_places.data, cli_cluster_places.data);
        return 0;
}

int cli_cluster_check_start(const struct cluster_program *program, struct err **err) {
        static const char flag[] = "--data-dir=";
        _cleanup_arena_ struct arena *arena = arena_new();
        _cleanup_err_ struct err *why = NULL;
        struct cli_values all = { .n = 0 };
        enum how how;
        int r = arena ? how_to(&how, err) : err_set(err, ENOMEM, "out of memory");

        if (r < 0)
                return r;
        if ((r = cli_cluster_arguments(arena, program, &all, &why)) < 0)
                return how == BY_US ? err_move(err, TAKE_PTR(why)) : 0;
        for (size_t i = 0; i < all.n; i++)
                if (strncmp(all.values[i], flag, strlen(flag)) == 0 &&
                    strcmp(all.values[i] + strlen(flag), cli_cluster_places.data) != 0)
                        return err_set(err, EINVAL, "%s/%s has %s; give the same, not %s", cli_cluster_places.config,
                                       program->file, all.values[i], cli_cluster_places.data);
        return 0;
}

static int open_log(struct arena *arena, const struct cluster_program *program, posix_spawn_file_actions_t *actions,
                    struct err **err) {
        const char *path = cli_cluster_log(arena, program);
        int r = path ? files_make_dirs(cli_cluster_places.run, 0755, err) : err_set(err, ENOMEM, "out of memory");
        _cleanup_close_ int fd = -EBADF;

        if (r < 0)
                return r;
        /* Of what the actions cannot do nobody says which it was. */
        fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
        if (fd < 0)
                return err_errno(err, errno, "%s", path);
        posix_spawn_file_actions_addopen(actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
        posix_spawn_file_actions_addopen(actions, STDOUT_FILENO, path, O_WRONLY | O_CREAT | O_APPEND, 0640);
        posix_spawn_file_actions_adddup2(actions, STDOUT_FILENO, STDERR_FILENO);
        return 0;
}

static int spawn_with(struct arena *arena, const struct cluster_program *program,
                      const posix_spawn_file_actions_t *actions, struct err **err) {
        const char *argv[ARGUMENTS_MAX + 1] = { find(arena, program->name) }, *settings, *path, *text;
        struct cli_values more;
        size_t n = 1;
        pid_t pid;
        int r;

        settings = cli_cluster_file(arena, program->settings);
        if (!argv[0])
                return err_set(err, ENOENT, "%s is neither beside this program nor in /usr/bin", program->name);
        if (settings && access(settings, R_OK) == 0) {
                argv[n++] = "--config";
                argv[n++] = settings;
        }
        if ((r = cli_cluster_arguments(arena, program, &more, err)) < 0)
                return r;
        for (size_t i = 0; i < more.n; i++)
                argv[n++] = more.values[i];
        if ((r = program_spawn(argv[0], (char *const *)(uintptr_t)argv, NULL, actions, &pid, err)) < 0)
                return r;
        path = pid_path(arena, program);
        text = arena_printf(arena, "%d\n", (int)pid);
        r = path && text ? files_replace(path, text, strlen(text), 0644, err) : err_set(err, ENOMEM, "out of memory");
        if (r < 0) {
                kill(pid, SIGTERM);
                waitpid(pid, NULL, 0);
        }
        return r;
}

static int stop_process(struct arena *arena, const struct cluster_program *program, struct err **err) {
        pid_t pid = find_pid(arena, program);
        const char *path = pid_path(arena, program);

        _cleanup_close_ int fd = pid ? pidfd_open(pid, 0) : -EBADF;
        struct pollfd ended = { .fd = fd, .events = POLLIN };

        if (fd >= 0 && kill(pid, SIGTERM) == 0 && poll(&ended, 1, STOP_MS) == 0)
                return err_set(err, ETIMEDOUT, "%s (process %d) does not end", program->name, (int)pid);
        if (path)
                unlink(path);
        return 0;
}

static int start_process(struct arena *arena, const struct cluster_program *program, struct err **err) {
        posix_spawn_file_actions_t actions;
        sigset_t interrupts, before;
        int r = stop_process(arena, program, err);

        if (r < 0)
                return r;
        /* Nothing is left running that no file tells of. */
        sigemptyset(&interrupts);
        sigaddset(&interrupts, SIGINT);
        sigaddset(&interrupts, SIGTERM);
        sigaddset(&interrupts, SIGHUP);
        sigprocmask(SIG_BLOCK, &interrupts, &before);
        posix_spawn_file_actions_init(&actions);
        if ((r = open_log(arena, program, &actions, err)) == 0)
                r = spawn_with(arena, program, &actions, err);
        posix_spawn_file_actions_destroy(&actions);
        sigprocmask(SIG_SETMASK, &before, NULL);
        return r;
}

/* --- by others --- */

/* Who the unit runs as, whom packages make: `make install` leaves that to the next boot. */
static void make_user(struct arena *arena, const char *name) {
        char file[64];
        const char *const make[] = { "systemd-sysusers", file, NULL };

        snprintf(file, sizeof(file), "%s.conf", name);
        if (strcmp(name, cli_cluster_api.name) == 0 && !getpwnam(name))
                run(arena, make[0], make, NULL);
}

static int start_by(struct arena *arena, enum how how, const char *name, struct err **err) {
        const char *const enable[] = { "systemctl", "enable", name, NULL }, *const restart[] = { "systemctl", "restart",
                                                                                                 name, NULL };
        const char *const add[] = { "rc-update", "add", name, "default", NULL }, *const again[] = { "rc-service", name,
                                                                                                    "restart", NULL };
        int r;

        if (how == BY_SYSTEMD)
                make_user(arena, name);
        r = how == BY_SYSTEMD ? run(arena, "systemctl", enable, err) : run(arena, "rc-update", add, err);
        if (r < 0)
                return r;
        return how == BY_SYSTEMD ? run(arena, "systemctl", restart, err) : run(arena, "rc-service", again, err);
}

/* `rc-update del` fails where there is nothing to take away, as behind an init that went wrong and a reset that was
 * interrupted; `add` does not where it is there. */
static int stop_by(struct arena *arena, enum how how, const char *name, struct err **err) {
        const char *const disable[] = { "systemctl", "disable", "--now", name, NULL };
        const char *const stop[] = { "rc-service", name, "stop", NULL }, *const add[] = { "rc-update", "add", name,
                                                                                          "default", NULL };
        const char *const drop[] = { "rc-update", "del", name, "default", NULL };
        int r = how == BY_SYSTEMD ? run(arena, "systemctl", disable, err) : run(arena, "rc-service", stop, err);

        if (r < 0 || how == BY_SYSTEMD || (r = run(arena, "rc-update", add, err)) < 0)
                return r;
        return run(arena, "rc-update", drop, err);
}

int cli_cluster_start(const struct cluster_program *program, struct err **err) {
        _cleanup_arena_ struct arena *arena = arena_new();
        enum how how;
        int r = arena ? how_to(&how, err) : err_set(err, ENOMEM, "out of memory");

        if (r < 0 || how == BY_NOBODY)
                return r;
        return how == BY_US ? start_process(arena, program, err) : start_by(arena, how, program->name, err);
}

int cli_cluster_stop(const struct cluster_program *program, struct err **err) {
        _cleanup_arena_ struct arena *arena = arena_new();
        enum how how;
        int r = arena ? how_to(&how, err) : err_set(err, ENOMEM, "out of memory");

        if (r < 0 || how == BY_NOBODY)
                return r;
        return how == BY_US ? stop_process(arena, program, err) : stop_by(arena, how, program->name, err);
}

int cli_cluster_run(const struct cluster_program *program, const char *const *arguments, struct err **err) {
        _cleanup_arena_ struct arena *arena = arena_new();
        _cleanup_program_ struct program_result result = { 0 };
        const char *argv[ARGUMENTS_MAX + 1] = { program->name };
        struct program_call call = { .path = arena ? find(arena, program->name) : NULL,
                                     .arguments = argv,
                                     .output_max = OUTPUT_MAX,
                                     .timeout_ms = RUN_MS,
                                     .cancel_fd = -EBADF };
        int r;

        if (!call.path)
                return err_set(err, ENOENT, "%s is neither beside this program nor in /usr/bin", program->name);
        for (size_t n = 1; *arguments && n < ARGUMENTS_MAX; arguments++)
                argv[n++] = *arguments;
        if ((r = program_run(&call, &result, err)) < 0)
                return r;
        return WIFEXITED(result.status) && WEXITSTATUS(result.status) == 0 ?
                       0 :
                       err_set(err, EIO, "%s", words_of(program_complaint(&result.error, OUTPUT_MAX)));
}
