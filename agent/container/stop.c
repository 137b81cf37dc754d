/* A container's end: preStop, StopContainer, its termination message, and the removal of those long dead
 * (kuberuntime_container.go, killContainer(); kuberuntime_gc.go). */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/config/options.h"
#include "agent/pod/files.h"
#include "agent/pod/internal.h"
#include "kube/restart.h"
#include "lib/arena.h"
#include "lib/cleanup.h"
#include "logs/reader.h"

static void say_killing(struct member *m) {
        const char *reason = m->kill_reason ?: "";
        bool again = pod_restart_policy(m->worker->pod, m->spec) != RESTART_NEVER;

        if (strcmp(reason, "liveness") == 0 || strcmp(reason, "startup") == 0)
                worker_say(m->worker, m, false, "Killing", "Container %s failed %s probe%s", m->spec->name, reason,
                           again ? ", will be restarted" : "");
        else if (reason[0])
                worker_say(m->worker, m, false, "Killing", "%s", reason);
        else
                worker_say(m->worker, m, false, "Killing", "Stopping container %s", m->spec->name);
}

void member_pre_stop(struct member *m) {
        const struct pod_lifecycle *lifecycle = m->spec->lifecycle;

        say_killing(m);
        if (lifecycle && lifecycle->pre_stop && worker_now(m->worker) < m->stop_deadline)
                hook_run(m, lifecycle->pre_stop, m->stop_deadline);
        else
                member_event(m, MEMBER_EVENT_OK);
}

static void on_stopped(struct op *op, const ProtobufCMessage *response, const struct err *err) {
        struct member *m = op->member;

        if (err && err_code(err) != ENOENT) {
                m->worker->failure = err_free(m->worker->failure);
                err_set(&m->worker->failure, err_code(err), "%s", err_text(err));
                member_event(m, MEMBER_EVENT_FAILED);
                return;
        }
        member_event(m, MEMBER_EVENT_OK);
}

void member_stop(struct member *m) {
        struct op *op = op_new(m->worker, m);
        Cri__StopContainerRequest *request = op ? arena_new_of(op->arena, Cri__StopContainerRequest) : NULL;
        int64_t left = (m->stop_deadline - worker_now(m->worker) + 999) / 1000;

        if (!request) {
                if (op)
                        op_drop(op);
                return;
        }
        m->retry_at = 0;
        cri__stop_container_request__init(request);
        request->container_id = arena_strdup(op->arena, m->id);
        request->timeout = left < WORKER_STOP_MIN_S ? WORKER_STOP_MIN_S : left;
        op->done = on_stopped;
        op_call(op, CRI_STOP_CONTAINER, request);
}

/* -- the termination message ------------------------------------------------------------------------------- */

struct message_job {
        const char *file, *log;
        bool failed; /* the exit code was not 0 */
        bool from_log;
        char *text; /* found; taken by the loop */
};

/* The file is the container's to write: opened without following a link, read up to the bound, from its end. */
static void read_file(struct message_job *job) {
        _cleanup_close_ int fd = open(job->file, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
        struct stat st;

        if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_size == 0)
                return;
        off_t from = st.st_size > WORKER_MESSAGE_MAX ? st.st_size - WORKER_MESSAGE_MAX : 0;
        char *text = malloc(WORKER_MESSAGE_MAX + 1);
        ssize_t n = text ? pread(fd, text, WORKER_MESSAGE_MAX, from) : -1;
        if (n <= 0) {
                free(text);
                return;
        }
        text[n] = '\0';
        job->text = text;
}

static int message_work(struct op *op, struct err **err) {
        struct message_job *job = op->input;

        if (job->file)
                read_file(job);
        if (!job->text && job->from_log && job->failed && job->log)
                log_tail_path(job->log, LOG_TERMINATION_LINES, LOG_TERMINATION_BYTES, &job->text, NULL);
        return 0;
}

static void on_message(struct op *op, const ProtobufCMessage *response, const struct err *err) {
        struct message_job *job = op->input;
        struct member *m = op->member;

        if (job->text && job->text[0] && m->end.set && m->end.id && strcmp(m->end.id, op->text) == 0) {
                free(m->end.message);
                m->end.message = TAKE_PTR(job->text);
        }
        free(job->text);
        job->text = NULL;
        worker_step(m->worker);
}

static void read_message(struct member *m) {
        struct op *op = op_new(m->worker, m);
        struct message_job *job = op ? arena_new_of(op->arena, struct message_job) : NULL;

        if (!job) {
                if (op)
                        op_drop(op);
                return;
        }
        *job = (struct message_job){
                .file = pod_files_message(op->arena, m, m->restarts),
                .log = arena_printf(op->arena, "%s/%s/%u.log", pod_files_logs(op->arena, m->worker), m->spec->name,
                                    m->restarts),
                .failed = m->end.exit_code != 0,
                .from_log = m->spec->termination_message_policy == MESSAGE_FALLBACK_TO_LOGS,
        };
        op->input = job;
        op->text = arena_strdup(op->arena, m->end.id);
        op->work = message_work;
        op->done = on_message;
        op->heard_always = true;
        op->aside = true;
        op_run(op);
}

void member_take_exit(struct member *m, const struct cri_container_info *info) {
        free(m->end.id);
        free(m->end.reason);
        free(m->end.message);
        m->end = (struct ending){
                .set = true,
                .id = strdup(m->id),
                .reason = info->reason && info->reason[0] ? strdup(info->reason) :
                                                            strdup(info->exit_code ? "Error" : "Completed"),
                .message = info->message && info->message[0] ? strdup(info->message) : NULL,
                .exit_code = info->exit_code,
                .started_at = info->started_at / 1000000,
                .finished_at = info->finished_at ? info->finished_at / 1000000 : worker_now(m->worker),
        };
        read_message(m);
}

/* -- removal ----------------------------------------------------------------------------------------------- */

void member_remove_dead(struct member *m, const char *id, uint32_t attempt) {
        struct op *op = op_new(m->worker, m);
        Cri__RemoveContainerRequest *request = op ? arena_new_of(op->arena, Cri__RemoveContainerRequest) : NULL;

        if (!request) {
                if (op)
                        op_drop(op);
                return;
        }
        cri__remove_container_request__init(request);
        request->container_id = arena_strdup(op->arena, id);
        op_call(op, CRI_REMOVE_CONTAINER, request);
}
