#include "cri/container/process.h"

#include <limits.h>
#include <string.h>

#include "cri/container/seccomp.h"
#include "lib/environment.h"
#include "runtime/capability.h"

#define DEFAULT_PATH "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

static size_t count(char *const *list) {
        size_t n = 0;

        while (list && list[n])
                n++;
        return n;
}

/* command and args go before the image's entrypoint and cmd: a command alone leaves the image's cmd out. */
static int decide_args(struct arena *arena, const Cri__ContainerConfig *config, const struct image_config *image,
                       Record__Container *record, struct err **err) {
        char **first = config->command, **rest = config->args;
        size_t n_first = config->n_command, n_rest = config->n_args;

        if (n_first == 0) {
                first = image->entrypoint;
                n_first = count(first);
                if (n_rest == 0) {
                        rest = image->cmd;
                        n_rest = count(rest);
                }
        }
        if (n_first + n_rest == 0)
                return err_set(err, EINVAL, "no command specified");
        record->args = arena_alloc_array(arena, n_first + n_rest, sizeof(*record->args));
        if (!record->args)
                return err_set(err, ENOMEM, "out of memory");
        record->n_args = n_first + n_rest;
        for (size_t i = 0; i < record->n_args; i++) {
                record->args[i] = arena_strdup(arena, i < n_first ? first[i] : rest[i - n_first]);
                if (!record->args[i])
                        return err_set(err, ENOMEM, "out of memory");
        }
        if (!*record->args[0])
                return err_set(err, EINVAL, "the command is empty");
        return 0;
}

/* Room for what nobody asks for: PATH, TERM, HOSTNAME, HOME. */
#define OWN_ENV_MAX 4

/* An empty one is none, as runc has it. The last counts. */
static bool has_home(const char *const *env, size_t n) {
        while (n-- > 0)
                if (strncmp(env[n], "HOME", 4) == 0 && (env[n][4] == '=' || env[n][4] == '\0'))
                        return env[n][4] && env[n][5];
        return false;
}

/* The image's over ours, the request's over the image's. -ENOMEM. */
static int decide_env(struct arena *arena, const Cri__ContainerConfig *config, const struct image_config *image,
                      const Cri__PodSandboxConfig *pod, Record__Container *record) {
        size_t n_image = count(image->env), n = 0;
        const char **env = arena_alloc_array(arena, n_image + config->n_envs + OWN_ENV_MAX, sizeof(*env));
        long left;

        if (!env)
                return -ENOMEM;
        env[n++] = DEFAULT_PATH;
        if (config->tty)
                env[n++] = "TERM=xterm";
        if (!text_empty(pod->hostname))
                env[n++] = arena_printf(arena, "HOSTNAME=%s", pod->hostname);
        for (size_t i = 0; i < n_image; i++)
                env[n++] = arena_strdup(arena, image->env[i]);
        for (size_t i = 0; i < config->n_envs; i++)
                env[n++] = arena_printf(arena, "%s=%.*s", config->envs[i]->key, (int)config->envs[i]->value.len,
                                        (const char *)config->envs[i]->value.data);
        for (size_t i = 0; i < n; i++)
                if (!env[i])
                        return -ENOMEM;
        if (!has_home(env, n))
                env[n++] = arena_printf(arena, "HOME=%s", text_empty(record->home) ? "/" : record->home);
        if (!env[n - 1] || (left = environment_merge(env, n)) < 0)
                return -ENOMEM;
        record->env = (char **)(uintptr_t)env;
        record->n_env = (size_t)left;
        return 0;
}

/* Said here, and not by the kernel when the container starts, again and again. */
static int check_size(const Record__Container *record, struct err **err) {
        const char *const *env = (const char *const *)record->env, *const *args = (const char *const *)record->args;
        size_t size = environment_exec_size(env, record->n_env) + environment_exec_size(args, record->n_args),
               max = environment_exec_max();

        for (size_t i = 0; i < record->n_env; i++)
                if (strlen(env[i]) >= ENVIRONMENT_STRING_MAX)
                        return err_set(err, EINVAL, "environment: %.*s: %zu bytes; a program can be given %zu",
                                       (int)(strcspn(env[i], "=") < 64 ? strcspn(env[i], "=") : 64), env[i],
                                       strlen(env[i]), ENVIRONMENT_STRING_MAX - 1);
        for (size_t i = 0; i < record->n_args; i++)
                if (strlen(args[i]) >= ENVIRONMENT_STRING_MAX)
                        return err_set(err, EINVAL, "args[%zu]: %zu bytes; a program can be given %zu", i,
                                       strlen(args[i]), ENVIRONMENT_STRING_MAX - 1);
        return size <= max ? 0 :
                             err_set(err, EINVAL,
                                     "the command and its environment, the image's with the request's, are %zu "
                                     "variables and %zu bytes; a program can be given %zu bytes (ARG_MAX)",
                                     record->n_env, size, max);
}

int process_decide(struct arena *arena, const Cri__ContainerConfig *config, const struct image_config *image,
                   const Cri__PodSandboxConfig *pod, Record__Container *record, struct err **err) {
        int r = decide_args(arena, config, image, record, err);

        if (r < 0)
                return r;
        for (size_t i = 0; i < config->n_envs; i++)
                if (text_empty(config->envs[i]->key) || strchr(config->envs[i]->key, '=') ||
                    config->envs[i]->value.len > INT_MAX)
                        return err_set(err, EINVAL, "environment: \"%s\" is no name", config->envs[i]->key);
        record->cwd = (char *)(uintptr_t) "/";
        if (!text_empty(config->working_dir))
                record->cwd = config->working_dir;
        else if (!text_empty(image->workdir) && !(record->cwd = arena_strdup(arena, image->workdir)))
                return err_set(err, ENOMEM, "out of memory");
        record->stop_signal = signal_of_cri(config->stop_signal);
        if (record->stop_signal == 0 && image->stop_signal)
                record->stop_signal = signal_of_text(image->stop_signal);
        if (record->stop_signal <= 0)
                record->stop_signal = 15;
        return decide_env(arena, config, image, pod, record) < 0 ? err_set(err, ENOMEM, "out of memory") :
                                                                   check_size(record, err);
}

static bool names_all(char *const *names, size_t n) {
        for (size_t i = 0; i < n; i++)
                if (strcasecmp(names[i], "ALL") == 0)
                        return true;
        return false;
}

/* The capabilities named one by one. */
static int parse_names(char *const *names, size_t n, uint64_t *ret_mask, struct err **err) {
        uint64_t all = 0, mask;
        int r;

        for (size_t i = 0; i < n; i++) {
                if (strcasecmp(names[i], "ALL") == 0)
                        continue;
                r = capability_parse(names[i], &mask, err);
                if (r < 0)
                        return r;
                all |= mask;
        }
        *ret_mask = all;
        return 0;
}

int process_capabilities(const Cri__ContainerConfig *config, struct capability_sets *ret_sets, struct err **err) {
        const Cri__LinuxContainerSecurityContext *security = cri_container_security(config);
        static const Cri__Capability none = CRI__CAPABILITY__INIT;
        const Cri__Capability *c = security->capabilities ? security->capabilities : &none;
        uint64_t set = security->privileged ? capability_all() : capability_default();
        uint64_t add, drop, ambient;
        int r;

        if ((r = parse_names(c->add_capabilities, c->n_add_capabilities, &add, err)) < 0 ||
            (r = parse_names(c->drop_capabilities, c->n_drop_capabilities, &drop, err)) < 0 ||
            (r = parse_names(c->add_ambient_capabilities, c->n_add_ambient_capabilities, &ambient, err)) < 0)
                return r;
        if (!security->privileged) {
                /* ALL counts first on both sides, so that "drop ALL, add CHOWN" and "add ALL, drop CHOWN" both work. */
                if (names_all(c->add_capabilities, c->n_add_capabilities))
                        set = capability_all();
                if (names_all(c->drop_capabilities, c->n_drop_capabilities))
                        set = 0;
                set = (set | add) & ~drop;
        }
        ambient &= set;
        *ret_sets = (struct capability_sets){
                .bounding = set, .effective = set, .permitted = set, .inheritable = ambient, .ambient = ambient
        };
        return 0;
}

int process_fill(struct cri_container *container, struct arena *arena, struct process_spec *ret_process,
                 struct err **err) {
        const Cri__LinuxContainerSecurityContext *security = cri_container_security(container->config);
        const Record__Container *record = container->record;
        struct process_spec process = { .umask = 0022 };
        int r;

        process.args = arena_list(arena, record->args, record->n_args);
        process.env = arena_list(arena, record->env, record->n_env);
        if (!process.args || !process.env)
                return err_set(err, ENOMEM, "out of memory");
        process.cwd = record->cwd;
        process.uid = record->uid;
        process.gid = record->gid;
        process.groups = record->groups;
        process.n_groups = record->n_groups;
        process.no_new_privileges = security->no_new_privs;
        process.terminal = container->config->tty;
        if (container->resources && container->resources->oom_score_adj != 0) {
                process.oom_score_adj = (int)container->resources->oom_score_adj;
                process.set_oom_score_adj = true;
        }
        r = process_capabilities(container->config, &process.capabilities, err);
        if (r >= 0 && !container->seccomp_known) {
                r = seccomp_choose(container, process.capabilities.bounding, &container->seccomp, err);
                container->seccomp_known = r >= 0;
        }
        if (r < 0)
                return r;
        process.seccomp = container->seccomp;
        *ret_process = process;
        return 0;
}
