/* The steps of a pod that take time: its files on the pool, its sandbox by CRI. Each ends in WORKER_EVENT_OK or
 * WORKER_EVENT_FAILED, a step that cannot even begin at once. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "agent/config/options.h"
#include "agent/node/dns.h"
#include "agent/pod/files.h"
#include "agent/pod/internal.h"
#include "lib/cleanup.h"

/* Keeps why. @err NULL: there was no memory. */
static enum worker_event failed(struct worker *w, const struct err *err) {
        w->failure = err_free(w->failure);
        err_repeat(&w->failure, err);
        return WORKER_EVENT_FAILED;
}

static void ended(struct worker *w, const struct err *err) {
        worker_event(w, err ? failed(w, err) : WORKER_EVENT_OK);
}

static void on_done(struct op *op, const ProtobufCMessage *response, const struct err *err) {
        ended(op->scope->data, err);
}

/* -- files ------------------------------------------------------------------------------------------------- */

static struct op *new_job(struct worker *w, const char *step, int (*work)(struct op *op, struct err **err)) {
        _cleanup_op_ struct op *op = op_new(&w->scope);

        if (!op || !(op->input = pod_files_new(op->arena, &w->node->world, w->pod, &w->sandbox.addresses)))
                return NULL;
        op->step = step;
        op->work = work;
        op->done = on_done;
        return TAKE_PTR(op);
}

static enum worker_event run_job(struct worker *w, const char *step, int (*work)(struct op *op, struct err **err)) {
        struct op *op = new_job(w, step, work);

        if (!op)
                return failed(w, NULL);
        op_run(op);
        return WORKER_EVENT_NONE;
}

struct prepare_job {
        const struct pod_files *files;
        int64_t burstable_milli;
        struct dns_choice *dns; /* made; taken by the loop */
};

static int prepare_work(struct op *op, struct err **err) {
        struct prepare_job *job = op->input;
        int r = pod_files_prepare(job->files, job->burstable_milli, err);

        return r < 0 ? r : dns_choose(job->files->pod, job->files->options, &job->dns, err);
}

static void dispose_prepare(struct op *op) {
        dns_choice_free(((struct prepare_job *)op->input)->dns);
}

static void say_what_is_left_out(struct op *op, struct worker *w) {
        for (unsigned i = 0; i < DNS_WARNINGS; i++) {
                const char *text = dns_choice_warning(w->dns, i, op->arena);

                if (text)
                        worker_say(w, true, "DNSConfigForming", "%s", text);
        }
}

static void on_prepared(struct op *op, const ProtobufCMessage *response, const struct err *err) {
        struct prepare_job *job = op->input;
        struct worker *w = op->scope->data;

        if (job->dns) {
                dns_choice_free(w->dns);
                w->dns = TAKE_PTR(job->dns);
                say_what_is_left_out(op, w);
        }
        ended(w, err);
}

enum worker_event worker_prepare(struct worker *w) {
        _cleanup_op_ struct op *op = new_job(w, "prepare_pod", prepare_work);
        struct prepare_job *job = op ? arena_new_of(op->arena, struct prepare_job) : NULL;

        if (!job)
                return failed(w, NULL);
        w->update.due = false; /* they are made of what is known by now */
        pod_files_take_services(op->arena, &w->node->world, op->input, NULL); /* to be kept, if they are known */
        job->files = op->input;
        job->burstable_milli = w->node->burstable_milli;
        w->resize.size = pod_files_size(w->pod);
        op->input = job;
        op->done = on_prepared;
        op->dispose = dispose_prepare;
        op_run(TAKE_PTR(op));
        return WORKER_EVENT_NONE;
}

static int release_work(struct op *op, struct err **err) {
        return pod_files_release(op->input, err);
}

static int drop_work(struct op *op, struct err **err) {
        return pod_files_drop_logs(op->input, err);
}

static int sweep_work(struct op *op, struct err **err) {
        return pod_files_sweep(op->input, err);
}

enum worker_event worker_release(struct worker *w) {
        return run_job(w, "release_pod", release_work);
}

enum worker_event worker_drop_logs(struct worker *w) {
        return run_job(w, "drop_logs", drop_work);
}

enum worker_event worker_sweep(struct worker *w) {
        return run_job(w, "sweep_pod", sweep_work);
}

/* -- RunPodSandbox ----------------------------------------------------------------------------------------- */

static void on_sandbox(struct op *op, const ProtobufCMessage *response, const struct err *err) {
        const Cri__RunPodSandboxResponse *made = (const void *)response;
        struct worker *w = op->scope->data;

        if (!err) {
                memset(w->sandbox.id, 0, sizeof(w->sandbox.id));
                strncpy(w->sandbox.id, made->pod_sandbox_id, sizeof(w->sandbox.id) - 1);
        }
        ended(w, err);
}

enum worker_event worker_run_sandbox(struct worker *w) {
        Cri__RunPodSandboxRequest *request;
        _cleanup_op_ struct op *op = OP_NEW(&w->scope, &request, cri__run_pod_sandbox_request__init);
        _cleanup_err_ struct err *err = NULL;

        if (!worker_take_userns(w, -1))
                err_set(&err, ENOSPC, "all %d blocks of user ids are taken by other pods", WORKER_USERNS_MAX);
        if (!op || err || !(request->config = worker_sandbox_config(op->arena, w, &err)))
                return failed(w, err);
        if (w->pod->spec.runtime_class_name)
                request->runtime_handler = (char *)w->pod->spec.runtime_class_name;
        op->done = on_sandbox;
        op_call(TAKE_PTR(op), CRI_RUN_POD_SANDBOX, request);
        return WORKER_EVENT_NONE;
}

/* Its addresses, those of cri, or the host's where it has the host's network. */
static int take_addresses(struct worker *w, const struct cri_sandbox_info *info) {
        struct pod_addresses *addresses = &w->sandbox.addresses;
        const char *host = w->pod->spec.host_network ? w->node->world.host_ip : NULL;

        pod_addresses_clear(addresses);
        for (size_t i = 0; i < info->n_ips; i++)
                if (pod_addresses_add(addresses, info->ips[i]) < 0)
                        return -ENOMEM;
        return addresses->n == 0 && host ? pod_addresses_add(addresses, host) : 0;
}

enum worker_event worker_join_sandbox(struct worker *w) {
        const struct node_world *world = &w->node->world;
        struct cri_sandbox_info info;

        w->sandbox_ready = false;
        if (world->ops->sandbox_get(world->data, w->sandbox.id, &info) < 0) {
                pod_addresses_clear(&w->sandbox.addresses);
                return WORKER_EVENT_OK;
        }
        if (take_addresses(w, &info) < 0)
                return failed(w, NULL);
        w->sandbox_ready = info.ready;
        return WORKER_EVENT_OK;
}

/* -- StopPodSandbox, RemovePodSandbox ---------------------------------------------------------------------- */

static bool is_failure(const struct err *err) {
        return err && err_code(err) != ENOENT;
}

static void on_stopped(struct op *op, const ProtobufCMessage *response, const struct err *err) {
        struct worker *w = op->scope->data;

        w->sandbox_ready &= is_failure(err);
        ended(w, is_failure(err) ? err : NULL);
}

enum worker_event worker_stop_sandbox(struct worker *w) {
        Cri__StopPodSandboxRequest *request;
        _cleanup_op_ struct op *op = NULL;

        if (!w->sandbox.id[0])
                return WORKER_EVENT_OK;
        op = OP_NEW(&w->scope, &request, cri__stop_pod_sandbox_request__init);
        if (!op || !(request->pod_sandbox_id = arena_strdup(op->arena, w->sandbox.id)))
                return failed(w, NULL);
        op->done = on_stopped;
        op_call(TAKE_PTR(op), CRI_STOP_POD_SANDBOX, request);
        return WORKER_EVENT_NONE;
}

static void on_removed(struct op *op, const ProtobufCMessage *response, const struct err *err) {
        struct worker *w = op->scope->data;

        if (!is_failure(err))
                w->sandbox.id[0] = '\0';
        ended(w, is_failure(err) ? err : NULL);
}

enum worker_event worker_remove_sandbox(struct worker *w) {
        Cri__RemovePodSandboxRequest *request;
        _cleanup_op_ struct op *op = NULL;

        if (!w->sandbox.id[0])
                return WORKER_EVENT_OK;
        op = OP_NEW(&w->scope, &request, cri__remove_pod_sandbox_request__init);
        if (!op || !(request->pod_sandbox_id = arena_strdup(op->arena, w->sandbox.id)))
                return failed(w, NULL);
        op->done = on_removed;
        op_call(TAKE_PTR(op), CRI_REMOVE_POD_SANDBOX, request);
        return WORKER_EVENT_NONE;
}
