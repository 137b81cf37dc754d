/* The steps of a container's start, in kubelet's order (kuberuntime_container.go, startContainer()). */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/pod/files.h"
#include "agent/pod/internal.h"
#include "lib/arena.h"
#include "lib/cleanup.h"

static uint32_t next_attempt(const struct member *m) {
        return m->id ? m->restarts + 1 : m->restarts;
}

static void take_failure(struct member *m, const struct err *err) {
        m->worker->failure = err_free(m->worker->failure);
        err_set(&m->worker->failure, err_code(err) ? err_code(err) : EIO, "%s", err_text(err));
}

static void failed(struct member *m, const char *reason, const struct err *err) {
        take_failure(m, err);
        worker_say(m->worker, m, true, "Failed", "Error: %s", err_text(err));
        member_set_waiting(m, reason, "%s", err_text(err));
        member_event(m, MEMBER_EVENT_FAILED);
}

/* -- files ------------------------------------------------------------------------------------------------- */

static int expand_sub_path(struct arena *arena, const struct pod_files *files, const struct member *m,
                           const struct pod_volume_mount *mount, const char **ret_path, struct err **err) {
        string_map environment = { 0 };
        int r;

        *ret_path = mount->sub_path;
        if (!mount->sub_path_expr || !mount->sub_path_expr[0])
                return 0;
        r = pod_environment(arena, m->worker->pod, m->spec, &files->facts, &environment, err);
        return r < 0 ? r : env_expand_sub_path(arena, mount->sub_path_expr, &environment, ret_path, err);
}

static int collect_subpaths(struct arena *arena, struct pod_files *files, struct member *m, struct err **err) {
        size_t index = 0;

        files->subpaths = arena_alloc_array(arena, m->spec->volume_mounts.count + 1, sizeof(*files->subpaths));
        if (!files->subpaths)
                return err_set(err, ENOMEM, "out of memory");
        list_for_each (mount, &m->spec->volume_mounts) {
                const struct pod_volume *volume = pod_find_volume(m->worker->pod, mount->name);
                const char *path = NULL;
                int r = expand_sub_path(arena, files, m, mount, &path, err);

                if (r < 0)
                        return r;
                if (volume && !volume->image && path && path[0])
                        files->subpaths[files->n_subpaths++] = (struct subpath_mount_job){
                                .volume = pod_files_volume(arena, m->worker, volume),
                                .path = path,
                                .target = pod_files_subpath(arena, m, mount->name, index),
                        };
                index++;
        }
        return 0;
}

/* kubelet's check of runAsNonRoot against the user that the image names (security_context.go). */
static int check_user(const struct member *m, struct err **err) {
        const struct pod_container_security *own = m->spec->security;
        const struct pod_security *shared = m->worker->pod->spec.security;
        enum tri wanted = own && own->run_as_non_root ? own->run_as_non_root :
                          shared                      ? shared->run_as_non_root :
                                                        TRI_UNSET;
        const struct opt_int *uid = own && own->run_as_user.set ? &own->run_as_user :
                                    shared                      ? &shared->run_as_user :
                                                                  NULL;

        if (wanted != TRI_TRUE)
                return 0;
        if (uid && uid->set) {
                if (uid->value == 0)
                        return err_set(
                                err, EINVAL,
                                "container's runAsUser breaks non-root policy (pod: \"%s_%s(%s)\", container: %s)",
                                m->worker->pod->metadata.name, m->worker->pod->metadata.namespace,
                                m->worker->pod->metadata.uid, m->spec->name);
                return 0;
        }
        if (m->image_user)
                return err_set(err, EINVAL,
                               "container has runAsNonRoot and image has non-numeric user (%s), cannot verify user is "
                               "non-root",
                               m->image_user);
        if (m->image_uid == 0)
                return err_set(
                        err, EINVAL,
                        "container has runAsNonRoot and image will run as root (pod: \"%s_%s(%s)\", container: %s)",
                        m->worker->pod->metadata.name, m->worker->pod->metadata.namespace, m->worker->pod->metadata.uid,
                        m->spec->name);
        return 0;
}

static int prepare_work(struct op *op, struct err **err) {
        return pod_files_prepare_container(op->input, err);
}

static void on_prepared(struct op *op, const ProtobufCMessage *response, const struct err *err) {
        if (err)
                failed(op->member, "CreateContainerConfigError", err);
        else
                member_event(op->member, MEMBER_EVENT_OK);
}

void member_prepare(struct member *m) {
        struct op *op = op_new(m->worker, m);
        struct pod_files *files = op ? pod_files_new(op->arena, m->worker) : NULL;
        _cleanup_err_ struct err *err = NULL;

        if (!files) {
                if (op)
                        op_drop(op);
                return;
        }
        files->container = m->spec->name;
        files->message_file = pod_files_message(op->arena, m, next_attempt(m));
        if (check_user(m, &err) < 0 || collect_subpaths(op->arena, files, m, &err) < 0) {
                op_drop(op);
                failed(m, "CreateContainerConfigError", err);
                return;
        }
        op->input = files;
        op->work = prepare_work;
        op->step = "prepare_container";
        op->done = on_prepared;
        op_run(op);
}

/* -- create ------------------------------------------------------------------------------------------------ */

static void on_created(struct op *op, const ProtobufCMessage *response, const struct err *err) {
        struct member *m = op->member;

        if (err) {
                failed(m, "CreateContainerError", err);
                return;
        }
        /* The one before stays for its log, the one before that goes: kubelet's MaxPerPodContainer of 1. */
        if (m->previous_id)
                member_remove_dead(m, m->previous_id, m->restarts ? m->restarts - 1 : 0);
        free(m->previous_id);
        m->restarts = next_attempt(m);
        m->previous_id = TAKE_PTR(m->id);
        m->id = strdup(((const Cri__CreateContainerResponse *)response)->container_id);
        if (m->end.set) {
                free(m->last.id);
                free(m->last.reason);
                free(m->last.message);
                m->last = m->end;
                m->end = (struct ending){ 0 };
        }
        worker_say(m->worker, m, false, "Created", "Created container: %s", m->spec->name);
        member_event(m, MEMBER_EVENT_OK);
}

void member_create(struct member *m) {
        struct op *op = op_new(m->worker, m);
        _cleanup_err_ struct err *err = NULL;
        Cri__CreateContainerRequest *request;

        if (!op)
                return;
        request = arena_new_of(op->arena, Cri__CreateContainerRequest);
        if (request) {
                cri__create_container_request__init(request);
                request->pod_sandbox_id = arena_strdup(op->arena, m->worker->sandbox_id);
                request->config = request_container(op->arena, m, &err);
                request->sandbox_config = request_sandbox(op->arena, m->worker, err ? NULL : &err);
        }
        if (!request || !request->config || !request->sandbox_config) {
                op_drop(op);
                failed(m, "CreateContainerConfigError", err);
                return;
        }
        op->done = on_created;
        op_call(op, CRI_CREATE_CONTAINER, request);
}

/* -- start ------------------------------------------------------------------------------------------------- */

static void on_started(struct op *op, const ProtobufCMessage *response, const struct err *err) {
        struct member *m = op->member;
        struct cri_container_info info;

        if (err) {
                failed(m, "RunContainerError", err);
                return;
        }
        m->started_at = worker_now(m->worker);
        if (m->worker->node->ops->container_get(m->worker->node->data, m->id, &info) == 0 && info.started_at)
                m->started_at = info.started_at / 1000000;
        worker_say(m->worker, m, false, "Started", "Started container %s", m->spec->name);
        member_event(m, MEMBER_EVENT_OK);
}

void member_start(struct member *m) {
        struct op *op = op_new(m->worker, m);
        Cri__StartContainerRequest *request = op ? arena_new_of(op->arena, Cri__StartContainerRequest) : NULL;

        if (!request) {
                if (op)
                        op_drop(op);
                return;
        }
        cri__start_container_request__init(request);
        request->container_id = arena_strdup(op->arena, m->id);
        op->done = on_started;
        op_call(op, CRI_START_CONTAINER, request);
}

void member_post_start(struct member *m) {
        const struct pod_lifecycle *lifecycle = m->spec->lifecycle;

        if (lifecycle && lifecycle->post_start)
                hook_run(m, lifecycle->post_start, WORKER_NEVER);
        else
                member_event(m, MEMBER_EVENT_OK);
}
