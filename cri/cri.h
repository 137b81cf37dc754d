/* CRI v1 as C functions: the services, and the sandboxes and containers behind them.
 *
 * cri_call() is the only way in for requests: the gRPC server and the agent use the same handlers. All functions here
 * are for the loop's thread; what blocks runs on the pool. Requests about one object are done one after another, in the
 * order they came; requests about different objects run side by side.
 *
 * Errors carry errno codes that lib/grpc's table turns into gRPC's: ENOENT (NotFound), EEXIST (AlreadyExists),
 * EINVAL (InvalidArgument), EOPNOTSUPP (Unimplemented), EBUSY, ETIMEDOUT (DeadlineExceeded), ...
 *
 * CRI: kubernetes/cri-api runtime/v1; what it leaves open is done as containerd does it.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <uv.h>

#include "cri/api.pb-c.h"
#include "cri/call/methods.h"
#include "lib/trace/span.h"

struct cri;
struct credential_providers;
struct err;
struct network;
struct network_options;
struct pool;

#define CRI_RUNTIME_NAME "nacelle"
#define CRI_API_VERSION "v1"
#define CRI_ID_LENGTH 64 /* hex digits of a sandbox's or container's id */
#define CRI_SANDBOXES_MAX 4096
#define CRI_CONTAINERS_MAX 16384
#define CRI_EXEC_SYNC_OUTPUT_MAX (16 << 20) /* bytes of stdout and stderr together; what is more is dropped */
#define CRI_RECORD_MAX (4 << 20)            /* bytes of one record; a request past it is refused */

/* Everything is copied by cri_new(). NULL and 0 take the default in brackets. */
struct cri_options {
        const char *root_dir;                  /* what outlives a reboot [/var/lib/nacelle] */
        const char *run_dir;                   /* what does not; a tmpfs [/run/nacelle] */
        const char *cgroup_root;               /* where cgroups lie when a request names no cgroup_parent [/nacelle] */
        const char *shim_path;                 /* nacelle-shim [found beside the program] */
        const struct network_options *network; /* [bridge nacelle0, no CIDR: NetworkReady is false] */
        const char *registries;                /* registries.yaml [none] */
        const char *hosts_dir;                 /* certs.d [none] */
        const char *docker_config;             /* config.json [none] */
        struct credential_providers *credential_providers; /* outlives cri [none] */
        const char *insecure_registries;                   /* hosts, comma-separated [loopback only] */
        const char *cdi_dirs;                              /* colon-separated [/etc/cdi:/var/run/cdi] */
        const char *runtimes;                              /* runtime handlers that another OCI runtime serves:
                                                              "runc=/usr/sbin/runc,crun=/usr/bin/crun" [none] */
        const char *seccomp_dir; /* base of relative localhost profiles [/var/lib/kubelet/seccomp] */
        uint64_t log_max_size; /* bytes after which a container's log is rotated by its shim [0: by the CRI's caller] */
        unsigned log_max_files; /* kept in all [5] */
        struct tracer *tracer;  /* outlives cri [none] */
};

/* Reads the records, takes up what runs, sweeps what nothing owns any more. Blocks: call it before the loop runs. A
 * broken record is set aside with a warning; only a directory that cannot be used, or cgroups that are missing, fail.
 * @options->network is kept by pointer only during the call. */
int cri_new(uv_loop_t *loop, struct pool *pool, const struct cri_options *options, struct cri **ret_cri,
            struct err **err);

/* Ends watching; sandboxes and containers stay as they are. Calls under way must have ended. NULL is fine. */
void cri_free(struct cri *cri);

/* Answers one call, on the loop, possibly before cri_call() returns. Exactly one of @response and @err is not NULL;
 * both are valid during the call only and stay cri's. For a method with CRI_STREAM it is called with each message of
 * the stream, and at last with both NULL (or with @err). */
typedef void (*cri_done_fn)(void *data, const ProtobufCMessage *response, const struct err *err);

/* Calls @method. @request is of the method's request type and must live until the last @done. */
void cri_call(struct cri *cri, enum cri_method method, const ProtobufCMessage *request, cri_done_fn done, void *data);

struct cri_caller {
        enum span_kind kind;               /* a client of the socket (SPAN_SERVER), or the agent itself */
        const struct trace_parent *parent; /* NULL: it is nobody's trace */
};

/* As cri_call(), with a span that says who called. */
void cri_call_traced(struct cri *cri, enum cri_method method, const ProtobufCMessage *request,
                     const struct cri_caller *caller, cri_done_fn done, void *data);

/* Nobody waits for the answer to the call that was made with @data: a process of ExecSync is killed, a pull given up.
 * The answer comes as usual, soon; other calls take their course. */
void cri_cancel(struct cri *cri, const void *data);

/* The value of a metric of what cri_call() has answered to ListPodSandboxMetrics: CPU time is in seconds with a
 * fraction there, where the message has whole ones. */
double cri_metric_value(const Cri__Metric *metric);

/* The number of calls not answered yet: wait for 0 before cri_free(). */
unsigned cri_calls_under_way(const struct cri *cri);

/* The pods' network: cri's. */
struct network *cri_network(const struct cri *cri);

/* NULL: no traces are made. */
struct tracer *cri_tracer(const struct cri *cri);

/* What is true now, without a message. Texts are cri's, valid until the loop runs again. */
struct cri_sandbox_info {
        const char *id;
        const char *name, *namespace_, *uid;
        uint32_t attempt;
        bool ready;
        int64_t created_at;     /* ns since 1970 */
        const char *const *ips; /* the first is the primary one; n_ips = 0 with the host's network */
        size_t n_ips;
        const char *netns;  /* path; NULL with the host's network */
        const char *cgroup; /* as cgroups/ takes it */
};

struct cri_container_info {
        const char *id, *sandbox_id;
        const char *name;
        uint32_t attempt;
        Cri__ContainerState state;
        pid_t pid;                                   /* 0 unless running */
        int64_t created_at, started_at, finished_at; /* ns since 1970, 0: not yet */
        int exit_code;
        const char *reason; /* "Completed", "Error", "OOMKilled", "StartError", "Unknown"; "" before its end */
        const char *message;
        const char *image_ref; /* as ContainerStatus answers it: "NAME@DIGEST" where a name is known */
        const char *image_id;  /* "sha256:HEX" */
        const char *log_path;  /* absolute; "" without a log */
        const char *root;      /* the container's root as the host can open it, /proc/PID/root; NULL unless running */
        const char *layer;     /* the directory of its writable layer */
        const char *cgroup;
        uint32_t uid, gid; /* of its first process */
        const uint32_t *groups;
        size_t n_groups;
        const char *stop_signal; /* "SIGTERM" */
};

/* Returns 0 or -ENOENT. Ids are whole ids here. */
int cri_sandbox_get(struct cri *cri, const char *id, struct cri_sandbox_info *ret_info);
int cri_container_get(struct cri *cri, const char *id, struct cri_container_info *ret_info);

/* The value of a label or annotation that the object was made with; NULL when it has none. */
const char *cri_sandbox_label(struct cri *cri, const char *id, const char *key);
const char *cri_sandbox_annotation(struct cri *cri, const char *id, const char *key);
const char *cri_container_annotation(struct cri *cri, const char *id, const char *key);

/* Calls @each for every sandbox, or every container (of @sandbox_id; NULL: of all), oldest first; @each must not call
 * cri_call(). Stops when it returns false. */
void cri_each_sandbox(struct cri *cri, bool (*each)(void *data, const struct cri_sandbox_info *info), void *data);
void cri_each_container(struct cri *cri, const char *sandbox_id,
                        bool (*each)(void *data, const struct cri_container_info *info), void *data);

/* Calls @each for the id ("sha256:HEX") of every image that a container has for its root or a volume, some more than
 * once. */
void cri_each_used_image(struct cri *cri, void (*each)(void *data, const char *image_id), void *data);

/* Counters since the start, for metrics. */
#define CRI_BUCKETS 14
struct cri_counters {
        uint64_t calls[CRI_METHODS], errors[CRI_METHODS], nanoseconds[CRI_METHODS];
        uint64_t buckets[CRI_METHODS][CRI_BUCKETS]; /* ended calls by the time they took; what took longer is in none */
        uint64_t ended[CRI_METHODS];
        uint64_t oom_kills, pulls, pull_bytes, started, restarts, shims_recovered;
        unsigned sandboxes, ready, containers, created, running;
};

/* The longest time of a bucket, in ns: from 0.5 ms on, each 2.5 times the one before. */
uint64_t cri_bucket_end(unsigned bucket);
void cri_get_counters(const struct cri *cri, struct cri_counters *ret_counters);
