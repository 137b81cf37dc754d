/* The steps of a container's start, in kubelet's order (kuberuntime_container.go, startContainer()). */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "agent/config/options.h"
#include "agent/container/files.h"
#include "agent/container/internal.h"
#include "lib/cleanup.h"

/* -- files ------------------------------------------------------------------------------------------------- */

static bool has_expression(const struct kube_volume_mount *mount) {
        return mount->sub_path_expr && mount->sub_path_expr[0];
}

/* The container's variables, where a mount asks for them: they are put together once, however many mounts do. */
static int index_variables(struct arena *arena, struct pod_files *files, const struct member *m,
                           struct env_index *variables, struct err **err) {
        string_map environment = { 0 };
        bool wanted = false;
        int r;

        list_for_each (mount, &m->spec->volume_mounts)
                wanted |= has_expression(mount);
        if (!wanted)
                return 0;
        if ((r = member_environment(arena, m, files, &environment, err)) < 0)
                return r;
        return env_index_add_all(variables, &environment) < 0 ? err_set(err, ENOMEM, "out of memory") : 0;
}

static int expand_sub_path(struct arena *arena, const struct env_index *variables,
                           const struct kube_volume_mount *mount, const char **ret_path, struct err **err) {
        *ret_path = mount->sub_path;
        return has_expression(mount) ? env_expand_sub_path(arena, mount->sub_path_expr, variables, ret_path, err) : 0;
}

static int collect_subpaths(struct arena *arena, struct member_files *files, struct member *m, struct err **err) {
        const struct options *options = m->host->world->options;
        const struct pod *pod = m->host->pod;
        _cleanup_env_index_ struct env_index variables = { .arena = arena };
        size_t index = 0;
        int r = index_variables(arena, files->pod, m, &variables, err);

        if (r < 0)
                return r;
        files->subpaths = arena_alloc_array(arena, m->spec->volume_mounts.count + 1, sizeof(*files->subpaths));
        if (!files->subpaths)
                return err_set(err, ENOMEM, "out of memory");
        list_for_each (mount, &m->spec->volume_mounts) {
                const struct kube_volume *volume = pod_find_volume(pod, mount->name);
                struct subpath_mount_job *job = &files->subpaths[files->n_subpaths];
                const char *path = NULL;

                if ((r = expand_sub_path(arena, &variables, mount, &path, err)) < 0)
                        return r;
                index++;
                if (!volume || volume->image || !path || !path[0])
                        continue;
                *job = (struct subpath_mount_job){
                        .volume = pod_files_volume(arena, options, pod, volume),
                        .path = path,
                        .target = pod_files_subpath(arena, options, pod, m->spec->name, mount, index - 1),
                };
                if (!job->volume || !job->target)
                        return err_set(err, ENOMEM, "out of memory");
                files->n_subpaths++;
        }
        return 0;
}

/* kubelet's check of runAsNonRoot against the user that the image names (security_context.go). */
static int check_user(const struct member *m, struct err **err) {
        const struct kube_security_context *own = m->spec->security_context;
        const struct kube_pod_security_context *shared = m->host->pod->spec.security_context;
        const struct kube_object_meta *pod = &m->host->pod->metadata;
        enum tri wanted = own && own->run_as_non_root ? own->run_as_non_root :
                          shared                      ? shared->run_as_non_root :
                                                        TRI_UNSET;
        const struct opt_int *uid = own && own->run_as_user.set ? &own->run_as_user :
                                    shared                      ? &shared->run_as_user :
                                                                  NULL;

        if (wanted != TRI_TRUE)
                return 0;
        if (uid && uid->set) {
                if (uid->value != 0)
                        return 0;
                return err_set(err, EINVAL,
                               "container's runAsUser breaks non-root policy (pod: \"%s_%s(%s)\", container: %s)",
                               pod->name, pod->namespace, pod->uid, m->spec->name);
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
                        pod->name, pod->namespace, pod->uid, m->spec->name);
        return 0;
}

static int prepare_work(struct op *op, struct err **err) {
        return member_files_prepare(op->input, err);
}

static void on_prepared(struct op *op, const ProtobufCMessage *response, const struct err *err) {
        struct member *m = op->scope->data;

        member_event(m, err ? member_failed_because(m, "CreateContainerConfigError", err) : MEMBER_EVENT_OK);
}

static enum member_event prepare_files(struct member *m) {
        const struct node_world *world = m->host->world;
        _cleanup_op_ struct op *op = op_new(&m->scope);
        struct member_files *files = op ? arena_new_of(op->arena, struct member_files) : NULL;
        _cleanup_err_ struct err *err = NULL;

        if (!files)
                return member_failed_because(m, "CreateContainerConfigError", NULL);
        files->container = m->spec->name;
        files->pod = pod_files_new(op->arena, world, m->host->pod, &m->host->sandbox->addresses);
        files->message_file =
                pod_files_message(op->arena, world->options, m->host->pod, m->spec->name, member_next_attempt(m));
        if (!files->pod || !files->message_file || check_user(m, &err) < 0 ||
            collect_subpaths(op->arena, files, m, &err) < 0)
                return member_failed_because(m, "CreateContainerConfigError", err);
        op->input = files;
        op->work = prepare_work;
        op->step = "prepare_container";
        op->done = on_prepared;
        op_run(TAKE_PTR(op));
        return MEMBER_EVENT_NONE;
}

/* -- devices ----------------------------------------------------------------------------------------------- */

static void on_devices(struct op *op, const ProtobufCMessage *response, const struct err *err) {
        struct member *m = op->scope->data;

        if (err)
                member_event(m, member_failed_because(m, "CreateContainerConfigError", err));
        else if (m->state == MEMBER_CALLED_OFF)
                member_event(m, MEMBER_EVENT_OK);
        else
                member_event(m, prepare_files(m));
}

enum member_event member_prepare(struct member *m) {
        const struct node_world *world = m->host->world;
        _cleanup_op_ struct op *op = NULL;
        int r;

        if (!world->ops->pre_start)
                return prepare_files(m);
        if (!(op = op_new(&m->scope)))
                return member_failed_because(m, "CreateContainerConfigError", NULL);
        op->step = "prepare_devices";
        op->done = on_devices;
        r = world->ops->pre_start(world->data, m->host->pod, m->spec->name, op_awaited, op);
        if (r == 1)
                return prepare_files(m);
        if (r < 0)
                return member_failed_because(m, "CreateContainerConfigError", NULL);
        op_await(TAKE_PTR(op));
        return MEMBER_EVENT_NONE;
}

/* -- create ------------------------------------------------------------------------------------------------ */

static void on_created(struct op *op, const ProtobufCMessage *response, const struct err *err) {
        const Cri__CreateContainerResponse *made = (const void *)response;
        struct member *m = op->scope->data;

        if (err) {
                member_event(m, member_failed_because(m, "CreateContainerError", err));
                return;
        }
        /* The one before stays for its log, the one before that goes: kubelet's MaxPerPodContainer of 1. */
        if (m->previous_id[0])
                member_discard(m, m->previous_id);
        m->restarts = member_next_attempt(m);
        memcpy(m->previous_id, m->id, sizeof(m->previous_id));
        memset(m->id, 0, sizeof(m->id));
        strncpy(m->id, made->container_id, sizeof(m->id) - 1);
        if (m->end.set)
                member_keep_end(m);
        member_say(m, false, "Created", "Container created");
        member_event(m, MEMBER_EVENT_OK);
}

enum member_event member_create(struct member *m) {
        Cri__CreateContainerRequest *request;
        _cleanup_op_ struct op *op = OP_NEW(&m->scope, &request, cri__create_container_request__init);
        _cleanup_err_ struct err *err = NULL;

        if (!op || !(request->pod_sandbox_id = arena_strdup(op->arena, m->host->sandbox->id)) ||
            !(request->config = member_request(op->arena, m, &err)) ||
            !(request->sandbox_config = m->host->ops->sandbox_config(m->host->data, op->arena, &err)))
                return member_failed_because(m, "CreateContainerConfigError", err);
        m->size = member_wanted_size(m);
        member_note_cpus(m, request->config->linux->resources->cpuset_cpus);
        op->done = on_created;
        op_call(TAKE_PTR(op), CRI_CREATE_CONTAINER, request);
        return MEMBER_EVENT_NONE;
}

/* -- start ------------------------------------------------------------------------------------------------- */

static void on_started(struct op *op, const ProtobufCMessage *response, const struct err *err) {
        struct member *m = op->scope->data;
        struct cri_container_info info;

        if (err) {
                member_event(m, member_failed_because(m, "RunContainerError", err));
                return;
        }
        m->started_at = node_now(m->host->world);
        if (node_container_get(m->host->world, m->id, &info) == 0 && info.started_at)
                m->started_at = info.started_at / 1000000;
        member_say(m, false, "Started", "Container started");
        member_event(m, MEMBER_EVENT_OK);
}

enum member_event member_start(struct member *m) {
        Cri__StartContainerRequest *request;
        _cleanup_op_ struct op *op = OP_NEW(&m->scope, &request, cri__start_container_request__init);

        if (!op || !(request->container_id = arena_strdup(op->arena, m->id))) {
                member_failed_because(m, "RunContainerError", NULL);
                return MEMBER_EVENT_AGAIN;
        }
        op->done = on_started;
        op_call(TAKE_PTR(op), CRI_START_CONTAINER, request);
        return MEMBER_EVENT_NONE;
}

enum member_event member_post_start(struct member *m) {
        const struct kube_lifecycle *lifecycle = m->spec->lifecycle;

        return lifecycle && lifecycle->post_start ? hook_run(m, lifecycle->post_start, NODE_NEVER) : MEMBER_EVENT_OK;
}
