/* How a container ended, with its termination message, and what of dead ones is removed (kuberuntime_gc.go). */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/config/options.h"
#include "agent/container/internal.h"
#include "lib/cleanup.h"
#include "lib/log.h"
#include "logs/reader.h"

void ending_clear(struct ending *e) {
        free(e->message);
        *e = (struct ending){ 0 };
}

void ending_set(struct ending *e, const char *id, const char *reason) {
        ending_clear(e);
        e->set = true;
        strncpy(e->id, id, sizeof(e->id) - 1);
        strncpy(e->reason, reason, sizeof(e->reason) - 1);
}

void member_keep_end(struct member *m) {
        ending_clear(&m->last);
        m->last = m->end;
        m->end = (struct ending){ 0 };
}

/* -- the termination message ------------------------------------------------------------------------------- */

struct message_job {
        const char *file, *log;
        bool failed; /* the exit code was not 0 */
        bool from_log;
        char *text; /* found; taken by the loop */
};

/* The file is the container's to write: opened without following a link, read up to the bound, from its end. */
static int read_file(struct message_job *job) {
        _cleanup_close_ int fd = open(job->file, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
        _cleanup_free_ char *text = NULL;
        struct stat st;
        ssize_t n;

        if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_size == 0)
                return 0;
        if (!(text = malloc(MEMBER_MESSAGE_MAX + 1)))
                return -ENOMEM;
        n = pread(fd, text, MEMBER_MESSAGE_MAX, st.st_size > MEMBER_MESSAGE_MAX ? st.st_size - MEMBER_MESSAGE_MAX : 0);
        if (n <= 0)
                return 0;
        text[n] = '\0';
        job->text = TAKE_PTR(text);
        return 0;
}

static int message_work(struct op *op, struct err **err) {
        struct message_job *job = op->input;
        int r = read_file(job);

        if (r < 0)
                return err_set(err, -r, "out of memory");
        if (job->text || !job->from_log || !job->failed)
                return 0;
        r = logs_tail_path(job->log, LOGS_TERMINATION_LINES, LOGS_TERMINATION_BYTES, &job->text, NULL);
        return r == -ENOMEM ? err_set(err, ENOMEM, "out of memory") : 0; /* without a log there is no message */
}

static void dispose_message(struct op *op) {
        free(((struct message_job *)op->input)->text);
}

static void message_later(struct member *m, struct ending *e) {
        e->message_waits = true;
        m->chores_at = node_now(m->host->world) + NODE_RETRY_MS;
}

static void on_message(struct op *op, const ProtobufCMessage *response, const struct err *err) {
        struct message_job *job = op->input;
        struct member *m = op->scope->data;
        struct ending *e = m->end.set && strcmp(m->end.id, op->text) == 0 ? &m->end : &m->last;

        if (!e->set || strcmp(e->id, op->text) != 0)
                return;
        if (err)
                message_later(m, e);
        if (job->text && job->text[0]) {
                free(e->message);
                e->message = TAKE_PTR(job->text);
        }
        m->host->ops->changed(m->host->data);
}

/* What the runtime says of its end; -ENOMEM. */
static int keep_runtime_message(const struct member *m, struct ending *e) {
        struct cri_container_info info;

        if (e->message || node_container_get(m->host->world, e->id, &info) < 0 || !info.message || !info.message[0])
                return 0;
        return (e->message = strdup(info.message)) ? 0 : -ENOMEM;
}

static bool begin_reading(struct member *m, struct ending *e) {
        const struct options *options = m->host->world->options;
        const struct pod *pod = m->host->pod;
        _cleanup_op_ struct op *op = op_new(&m->scope);
        struct message_job *job = op ? arena_new_of(op->arena, struct message_job) : NULL;

        if (!job || keep_runtime_message(m, e) < 0 || !(op->text = arena_strdup(op->arena, e->id)) ||
            !(job->file = pod_files_message(op->arena, options, pod, m->spec->name, e->attempt)) ||
            !(job->log = pod_files_log(op->arena, options, pod, m->spec->name, e->attempt)))
                return false;
        job->failed = e->exit_code != 0;
        job->from_log = kube_is(m->spec->termination_message_policy, "FallbackToLogsOnError");
        op->input = job;
        op->work = message_work;
        op->done = on_message;
        op->dispose = dispose_message;
        op->heard_always = true;
        op->aside = true;
        op_run(TAKE_PTR(op));
        return true;
}

static void read_message(struct member *m, struct ending *e) {
        e->message_waits = false;
        if (!begin_reading(m, e))
                message_later(m, e);
}

void member_take_exit(struct member *m, const struct cri_container_info *info) {
        ending_set(&m->end, m->id,
                   info->reason && info->reason[0] ? info->reason :
                   info->exit_code                 ? "Error" :
                                                     "Completed");
        m->end.exit_code = info->exit_code;
        m->end.started_at = info->started_at / 1000000;
        m->end.finished_at = info->finished_at ? info->finished_at / 1000000 : node_now(m->host->world);
        m->end.attempt = m->restarts;
        read_message(m, &m->end);
}

/* -- removal ----------------------------------------------------------------------------------------------- */

static bool remove_leftover(struct member *m) {
        Cri__RemoveContainerRequest *request;
        struct op *op = OP_NEW(&m->scope, &request, cri__remove_container_request__init);

        if (!op || !(request->container_id = arena_strdup(op->arena, m->leftover_id))) {
                op_drop(op);
                return false;
        }
        m->leftover_id[0] = '\0';
        op_call(op, CRI_REMOVE_CONTAINER, request);
        return true;
}

void member_discard(struct member *m, const char *id) {
        if (m->leftover_id[0])
                log_warning("pod %s/%s: container %s stays until its pod goes: out of memory",
                            m->host->pod->metadata.namespace, m->host->pod->metadata.name, m->leftover_id);
        strncpy(m->leftover_id, id, sizeof(m->leftover_id) - 1);
        if (!remove_leftover(m))
                m->chores_at = node_now(m->host->world) + NODE_RETRY_MS;
}

/* What waited for memory. Returns when it is tried again. */
void member_do_later(struct member *m) {
        m->chores_at = node_now(m->host->world) + NODE_RETRY_MS;
}

int64_t member_do_chores(struct member *m) {
        int64_t now = node_now(m->host->world);

        if (!m->chores_at)
                return NODE_NEVER;
        if (now < m->chores_at)
                return m->chores_at;
        m->chores_at = 0;
        if (m->end.message_waits)
                read_message(m, &m->end);
        if (m->last.message_waits)
                read_message(m, &m->last);
        if (m->leftover_id[0] && !remove_leftover(m))
                member_do_later(m);
        member_update_cpus(m);
        return m->chores_at ?: NODE_NEVER;
}
