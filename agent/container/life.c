/* A container from member_new() to member_free(), how it is taken up, and what it is in. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "agent/config/options.h"
#include "agent/container/internal.h"
#include "kube/pod/restart.h"
#include "lib/cleanup.h"

struct member *member_new(const struct member_host *host, const struct kube_container *spec, enum member_role role) {
        struct member *m = calloc(1, sizeof(*m));

        if (!m)
                return NULL;
        m->host = host;
        m->spec = spec;
        m->role = role;
        m->scope = (struct op_scope){ .owner = host->owner, .data = m };
        m->hook.due = m->hook.deadline = NODE_NEVER;
        m->image_uid = -1;
        m->crash.max_ms = host->world->options->crash_back_off_max * 1000;
        probers_init(m);
        return m;
}

void member_leave(struct member *m) {
        probers_stop(m);
        hook_cancel(m);
}

void member_free(struct member *m) {
        if (!m)
                return;
        ending_clear(&m->end);
        ending_clear(&m->last);
        err_free(m->failure);
        free(m->image_id);
        free(m->image_user);
        free(m->cpus);
        free(m->waiting_message);
        free(m);
}

int member_take_up(struct member *m, const char *id, uint32_t restarts) {
        _cleanup_free_ char *image_id = NULL;
        struct cri_container_info info;

        if (node_container_get(m->host->world, id, &info) < 0)
                return 0;
        if (info.state == CRI__CONTAINER_STATE__CONTAINER_CREATED) {
                member_discard(m, id);
                return 0;
        }
        if (info.image_id && !(image_id = strdup(info.image_id)))
                return -ENOMEM;
        if (m->id[0]) {
                memcpy(m->previous_id, m->id, sizeof(m->previous_id));
                member_keep_end(m);
        }
        strncpy(m->id, id, sizeof(m->id) - 1);
        m->restarts = restarts;
        m->size = member_wanted_size(m);
        free(m->image_id);
        m->image_id = TAKE_PTR(image_id);
        m->started_at = info.started_at / 1000000;
        if (info.state == CRI__CONTAINER_STATE__CONTAINER_RUNNING) {
                m->state = MEMBER_RUNNING;
                probers_begin(m, m->started_at, true);
        } else {
                m->state = MEMBER_EXITED;
                member_take_exit(m, &info);
        }
        return 0;
}

/* -- what it is in ----------------------------------------------------------------------------------------- */

enum member_role member_role(const struct member *m) {
        return m->role;
}

const struct kube_container *member_spec(const struct member *m) {
        return m->spec;
}

const char *member_id(const struct member *m) {
        return m->id[0] ? m->id : NULL;
}

uint32_t member_next_attempt(const struct member *m) {
        return m->id[0] ? m->restarts + 1 : m->restarts;
}

bool member_runs(const struct member *m) {
        return m->state >= MEMBER_PREPARING && m->state <= MEMBER_STOP_AGAIN;
}

bool member_has_process(const struct member *m) {
        return m->state >= MEMBER_POST_START && m->state <= MEMBER_STOP_AGAIN;
}

bool member_is_up(const struct member *m) {
        return m->state == MEMBER_RUNNING && m->started;
}

bool member_is_starting(const struct member *m) {
        return m->starting;
}

static bool has_ended(const struct member *m) {
        return (m->state == MEMBER_EXITED || m->state == MEMBER_PRESUMED_DONE) && m->end.set;
}

bool member_is_done(const struct member *m) {
        return has_ended(m) && m->end.exit_code == 0;
}

bool member_restarts(const struct member *m) {
        if (m->role == MEMBER_EPHEMERAL)
                return false;
        if (m->role == MEMBER_SIDECAR || m->redefined)
                return true;
        if (m->role == MEMBER_INIT && m->end.exit_code == 0)
                return false;
        return pod_should_restart(m->host->pod, m->spec, m->end.exit_code);
}

bool member_is_over(const struct member *m) {
        return has_ended(m) && !member_restarts(m);
}

bool member_is_replaced(const struct member *m) {
        return m->replacing && !m->waiting_reason;
}

bool member_is_removing(const struct member *m) {
        return m->state == MEMBER_REMOVING || m->state == MEMBER_REMOVE_AGAIN;
}

bool member_asks_for_all(const struct member *m) {
        return m->state == MEMBER_EXITED && m->end.set && pod_restarts_all(m->spec, m->end.exit_code);
}

bool member_get_exit(const struct member *m, struct cri_container_info *ret_info) {
        return m->id[0] && node_container_get(m->host->world, m->id, ret_info) == 0 &&
               ret_info->state == CRI__CONTAINER_STATE__CONTAINER_EXITED;
}

bool member_has_exited(const struct member *m) {
        struct cri_container_info info;

        return member_get_exit(m, &info);
}

/* -- whether it may begin ---------------------------------------------------------------------------------- */

/* kubelet shows the failure until its next look at the pod, then the back-off. */
#define PULL_ERROR_SHOWN_MS 2000

static void tell_pull_back_off(struct member *m, int64_t now, int64_t *wake) {
        _cleanup_free_ char *message = NULL;
        const char *image;

        if (!m->waiting_reason || strcmp(m->waiting_reason, "ErrImagePull") != 0)
                return;
        if (now < m->pull_failed_at + PULL_ERROR_SHOWN_MS) {
                *wake = node_earlier(*wake, m->pull_failed_at + PULL_ERROR_SHOWN_MS);
                return;
        }
        message = TAKE_PTR(m->waiting_message);
        image = member_image(m);
        member_set_waiting(m, "ImagePullBackOff", "Back-off pulling image \"%s\": ErrImagePull: %s", image,
                           message ?: "");
        member_say_of_image(m, false, "BackOff", "Back-off pulling image \"%s\"", image);
        member_say_of_image(m, true, "Failed", "Error: ImagePullBackOff");
}

static void tell_crash_back_off(struct member *m) {
        const struct kube_object_meta *pod = &m->host->pod->metadata;
        char text[BACKOFF_TEXT_MAX];

        if (m->waiting_reason && strcmp(m->waiting_reason, "CrashLoopBackOff") == 0)
                return;
        member_set_waiting(m, "CrashLoopBackOff", "back-off %s restarting failed container=%s pod=%s_%s(%s)",
                           backoff_format(m->crash.delay_ms, text), m->spec->name, pod->name, pod->namespace, pod->uid);
        member_say(m, true, "BackOff", "Back-off restarting failed container %s in pod %s_%s(%s)", m->spec->name,
                   pod->name, pod->namespace, pod->uid);
}

int64_t member_failed_at(struct member *m) {
        int64_t now = node_now(m->host->world), before = m->last.set ? m->last.finished_at : 0;

        if (!m->end.set)
                return 0;
        if (m->condemned && (!before || backoff_left(&m->crash, before, now) == 0))
                return before;
        m->condemned = false;
        return m->end.finished_at;
}

bool member_may_begin(struct member *m, int64_t *wake) {
        int64_t now = node_now(m->host->world), left, failed;

        if (m->state != MEMBER_WAITING && !(m->state == MEMBER_EXITED && member_restarts(m)))
                return false;
        if (m->retry_at > now) {
                *wake = node_earlier(*wake, m->retry_at);
                return false;
        }
        if (m->pull_failed_at && (left = backoff_left(&m->pull, m->pull_failed_at, now)) > 0) {
                *wake = node_earlier(*wake, now + left);
                tell_pull_back_off(m, now, wake);
                return false;
        }
        if ((failed = member_failed_at(m)) && (left = backoff_left(&m->crash, failed, now)) > 0) {
                *wake = node_earlier(*wake, now + left);
                tell_crash_back_off(m);
                return false;
        }
        return true;
}
