/* nacelle-oci: runtime/ behind the OCI runtime command line (runtime-spec 1.2, and runc's options where callers use
 * them).
 *
 * No daemon: `create` makes the container's process, which waits on a FIFO, and ends; whoever called it is the parent
 * then (containerd's shim and conmon are subreapers). What later calls need stands in ROOT/ID/state.json.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "cgroups/cgroup.h"
#include "cgroups/limits.h"
#include "lib/arena.h"
#include "lib/value.h"
#include "runtime/oci/document.h"
#include "runtime/spec.h"

#define OCI_VERSION "1.2.0"
#define OCI_CONFIG_MAX (4 * 1024 * 1024)
#define OCI_PRESERVE_FDS_MAX (1024 * 1024)

struct err;

/* What the command line says, and what a call carries along. */
struct oci {
        const char *root;
        const char *log, *log_format;
        bool systemd_cgroup;
        struct arena *arena;
        struct cgroups *cgroups; /* opened when needed */
};

/* ---- config.json ---- */

struct oci_hooks {
        struct hook_spec *list;
        size_t n;
};

struct oci_all_hooks {
        struct oci_hooks prestart, create_runtime, create_container, start_container, poststart, poststop;
};

struct oci_config {
        struct oci_document document;
        struct container_spec spec;
        const char *cgroup; /* path below the hierarchies' roots, "": none */
        struct cgroup_limits limits;
        struct cgroup_device *devices;
        size_t n_devices;
        struct oci_all_hooks hooks;
};

/* Reads and checks BUNDLE/config.json. What is not supported is refused with the field's name. */
int oci_config_load(struct oci *oci, const char *bundle, const char *id, struct oci_config *ret_config,
                    struct err **err);
/* Reads the file at @path, called @name in errors, into the zeroed @ret_document of @type. */
int oci_document_load(struct oci *oci, const char *path, const char *name, const struct member_type *type,
                      void *ret_document, struct err **err);
/* The `process` object, also of an exec's process.json. */
int oci_config_process(struct oci *oci, const struct oci_document_process *from, const struct value *seccomp,
                       struct process_spec *process, struct err **err);
/* Refuses a label that this kernel would not see to. */
int oci_config_mount_label(const char *label, struct err **err);
int oci_config_limits(struct oci *oci, const struct oci_document_resources *from, struct cgroup_limits *limits,
                      struct err **err);
int oci_config_mounts(struct oci *oci, const struct member_list *list, const char *bundle, struct container_spec *spec,
                      struct err **err);
int oci_config_mappings(struct oci *oci, const struct member_list *uids, const struct member_list *gids,
                        struct id_mappings *mappings, struct err **err);
int oci_config_hooks(struct oci *oci, const struct oci_document_hooks *from, struct oci_all_hooks *hooks,
                     struct err **err);
/* Both lists (NULL: none) as one environment, in which the last of a name counts, in the place of the first. */
int oci_environment(struct oci *oci, const char *const *first, const char *const *second, const char *const **ret_env,
                    struct err **err);
/* A list of strings, which ends with NULL. */
const char *const *oci_strings(const struct member_list *list);

/* Whether this is a user's own affair: not root, or root of a user namespace alone. */
bool oci_is_users(void);

/* How the user namespace of process @pid counts, seen from ours: without mappings when it is our own. */
int oci_mappings_of(struct oci *oci, pid_t pid, struct id_mappings *ret_mappings, struct err **err);

struct userns;
/* Makes or joins the user namespace that the configuration asks for; completes the mappings, and turns the new
 * namespaces that it owns into ones to join. */
int oci_user_namespace(struct oci *oci, struct container_spec *spec, struct userns *ret_userns, struct err **err);

/* ---- state ---- */

struct oci_state {
        const char *id, *bundle, *cgroup /* "": none */, *status; /* created, running, paused, stopped */
        pid_t pid;                                                /* 0 once stopped */
        uint64_t start_ticks;
        bool shares_pids;         /* its pid namespace is not its own: its first process is not all's end */
        const struct value *json; /* state.json */
        int dir;                  /* ROOT/ID */
};

/* In a container's directory from the first on: where its cgroup is, should there never be a state. */
#define OCI_CGROUP_LINK "cgroup"

/* An id is a file's name. */
int oci_check_id(const char *id, struct err **err);
/* -ENOENT without a state, -EBADMSG for one that cannot be read. */
int oci_state_open(struct oci *oci, const char *id, struct oci_state *ret_state, struct err **err);
/* What a container's state is made of. */
struct oci_record {
        const char *id, *bundle, *cgroup;
        pid_t pid;
        bool shares_pids;
        const struct value *annotations, *hooks;
};
int oci_state_write(struct oci *oci, int dir, const struct oci_record *record, struct err **err);
/* As the spec's state document. */
char *oci_state_text(struct oci *oci, const char *id, const char *status, pid_t pid, const char *bundle,
                     const struct value *annotations);

struct oci_removal {
        const char *id, *cgroup, *bundle;
        const struct value *annotations, *hooks;
};

/* Kills what is left in the cgroup, removes that and the state, and runs the poststop hooks. */
int oci_remove(struct oci *oci, const struct oci_removal *removal, struct err **err);

int oci_cgroups(struct oci *oci, struct err **err);
/* As oci_cgroups(), -ENOTSUP for a container without one. */
int oci_own_cgroup(struct oci *oci, const struct oci_state *state, struct err **err);

/* Of the process @pid that has nothing more to report: -ENOMEM, with the limit, when it was killed for its memory
 * instead of becoming its program. */
int oci_check_started(struct oci *oci, const char *id, const char *cgroup, pid_t pid, struct err **err);
/* The same as a warning, of one that ended later. */
void oci_warn_of_oom(struct oci *oci, const char *id, const char *cgroup);

/* ---- running hooks in the runtime's namespaces ---- */
int oci_run_hooks(const struct oci_hooks *hooks, const char *kind, const char *state, struct err **err);
/* Those that the state has kept. */
int oci_state_hooks(struct oci *oci, const struct value *value, struct oci_all_hooks *hooks, struct err **err);

/* ---- the command line ---- */

/* A whole number of option @option, with nothing behind it. */
int oci_parse_number(const char *option, const char *text, int64_t min, int64_t max, int64_t *ret_number,
                     struct err **err);
/* A size in bytes, as runc takes it: 65536, 64M, 1.5g, 1 KiB; -1 is no limit. */
int oci_parse_size(const char *option, const char *text, int64_t *ret_bytes, struct err **err);

/* ---- making processes ---- */

/* Pipes in place of standard streams that are copied; all zero: none. */
struct oci_streams {
        bool open;
        int theirs[3], ours[3]; /* -EBADF: passed on as it is */
};

/* Makes 0, 1 and 2 ready for a process of the user @uid (as we count; -1: they stay as they are). @waits: for its end,
 * with oci_streams_copy(). Close with oci_streams_close(). */
int oci_streams_open(struct oci_streams *streams, uint32_t uid, bool waits, unsigned preserve, struct err **err);
/* In the child; and in the parent once the child is there. */
void oci_streams_take(const struct oci_streams *streams);
void oci_streams_passed(struct oci_streams *streams);
/* Copies until the process has ended. */
void oci_streams_copy(struct oci_streams *streams, int pidfd);
void oci_streams_close(struct oci_streams *streams);

struct oci_io {
        const char *console_socket;
        const char *pid_file;
        bool detach;
        unsigned preserve_fds;
        struct oci_streams streams; /* oci_spawn() opens them, oci_wait() copies and closes them */
};

struct plan;

/* Clones a process that becomes nacelle-init, and has it walk the steps of @lead (cgroups, namespaces) while @prepare
 * makes the plan for the rest. */
struct oci_spawn {
        uint64_t clone_flags;
        int pid_ns_fd, cgroup_fd, user_fd; /* -EBADF: none */
        uint32_t stdio_uid;                /* whose the standard streams are to be, as we count; -1: as they are */
        bool own_mounts;                   /* its mount namespace is not the caller's once the lead was walked */
        int (*lead)(void *data, struct plan *plan, struct err **err);
        int (*prepare)(void *data, struct plan *plan, struct err **err);
        int (*beside)(void *data, struct err **err); /* what the parent does meanwhile; NULL: nothing */
        /* At PLAN_SYNC; and what has to be done before PLAN_GO: beside the child, or once it was at PLAN_SYNC; NULL:
         * the plan has no such step */
        int (*sync)(void *data, pid_t pid, struct err **err);
        int (*start)(void *data, pid_t pid, struct err **err);
        void *data;
};
/* Forwards the terminal; returns when the process waits or has become its program. */
int oci_spawn(const struct oci_spawn *how, struct oci_io *io, pid_t *ret_pid, int *ret_master, struct err **err);
/* Steps that join the cgroup where that is done by files; but for the one of index @late, -1: for all. */
void oci_add_cgroups(struct plan *plan, const struct cgroup_join *join, int late);
/* Until the process has ended: its exit code, as a shell has it. */
int oci_wait(pid_t pid, int master, struct oci_io *io);
/* Hands a terminal's master to whoever listens at @path. */
int oci_send_master(const char *path, int master, struct err **err);
int oci_write_pid(const char *path, pid_t pid, struct err **err);

/* nacelle-init to be executed, from where no container can change it. */
int oci_program_open(int *ret_fd, struct err **err);
/* In the child: executes it, with @socket, and @pid_ns unless it is negative (init_serve()), behind what is preserved.
 * Returns a negative errno. */
int oci_program_run(int program, int socket, int pid_ns, unsigned preserve);

/* ---- verbs ---- */
struct oci_call {
        struct oci *oci;
        int argc; /* what follows the verb */
        char **argv;
};
int oci_create(struct oci_call *call, struct err **err);
int oci_run(struct oci_call *call, struct err **err);
int oci_start(struct oci_call *call, struct err **err);
int oci_state(struct oci_call *call, struct err **err);
int oci_kill(struct oci_call *call, struct err **err);
int oci_delete(struct oci_call *call, struct err **err);
int oci_exec(struct oci_call *call, struct err **err);
int oci_ps(struct oci_call *call, struct err **err);
int oci_list(struct oci_call *call, struct err **err);
int oci_pause(struct oci_call *call, struct err **err);
int oci_resume(struct oci_call *call, struct err **err);
int oci_update(struct oci_call *call, struct err **err);
int oci_events(struct oci_call *call, struct err **err);
int oci_features(struct oci_call *call, struct err **err);
int oci_make_spec(struct oci_call *call, struct err **err);
int oci_checkpoint(struct oci_call *call, struct err **err);
int oci_restore(struct oci_call *call, struct err **err);
