/* One probe of a container: TCP connect, HTTP or HTTPS GET, gRPC health check. On the caller's loop, nothing blocks.
 *
 * As kubelet's probers do (pkg/probe): HTTP succeeds on status 200 to 399, follows redirects on the same host only,
 * does not verify certificates (probes/url.h has what becomes of paths that are no URLs); gRPC calls
 * grpc.health.v1.Health/Check; all end at their timeout with a failure. Exec probes run in the container and are the
 * agent's (CRI ExecSync); probe_exec_result() says what their end means.
 *
 * The network namespace is the caller's: pods are reached by their addresses.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

struct err;

#define PROBE_MESSAGE_MAX ((size_t)10 * 1024) /* of a response's body, as kubelet keeps it */
#define PROBE_REDIRECTS_MAX 10
#define PROBE_HEADERS_MAX 248 /* of the manifest: lib/http's maximum, less those that are added */

enum probe_outcome {
        PROBE_SUCCESS,
        PROBE_WARNING, /* counts as success; the message is worth an event (a redirect to another host) */
        PROBE_FAILURE,
        PROBE_UNKNOWN, /* the probe itself could not be made; the result is thrown away */
};

enum probe_kind { PROBE_TCP, PROBE_HTTP, PROBE_GRPC };

struct probe_header {
        const char *name, *value;
};

/* What to probe. Read during probe_start() only, nothing is kept of it. */
struct probe_target {
        enum probe_kind kind;
        const char *address; /* IPv4 or IPv6, or a name (HTTP host, resolved off the loop) */
        uint16_t port;
        bool tls;                           /* PROBE_HTTP */
        const char *path;                   /* PROBE_HTTP, with query; NULL: "/" */
        const char *service;                /* PROBE_GRPC; NULL: "" */
        const struct probe_header *headers; /* PROBE_HTTP; "Host" replaces the header's default */
        size_t n_headers;
        bool hook; /* PROBE_HTTP of a lifecycle hook: any answer is a success; one in plain HTTP to an HTTPS
                    * request makes it ask so, which is a warning */
        const char *user_agent; /* NULL: "kube-probe/1.36" */
        uint64_t timeout;       /* milliseconds, of the whole probe */
};

/* Called once on the loop; @message (NUL-terminated, in kubelet's words) is valid during the call only. */
typedef void (*probe_done)(void *data, enum probe_outcome outcome, const char *message);

struct probe;

/* Starts a probe; @done is called later, never from within this call. Returns 0 with *ret_probe for probe_cancel(), or
 * -ENOMEM, -EINVAL (then @done is not called). */
int probe_start(uv_loop_t *loop, const struct probe_target *target, probe_done done, void *data,
                struct probe **ret_probe, struct err **err);

/* Ends the probe without a call of @done. Its handles close on the loop's next turns. Not after @done was called; NULL
 * is fine. */
void probe_cancel(struct probe *probe);

/* Frees what probes keep between runs (the TLS context). At the end of the program. */
void probe_cleanup(void);

/* What the end of an exec probe's command means: exit code 0 is success, another is failure, @timed_out failure, an
 * @error (negative errno, the command could not be run) unknown. */
enum probe_outcome probe_exec_result(int error, bool timed_out, int exit_code);
