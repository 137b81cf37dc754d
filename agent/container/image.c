/* A container's images: its own and those it mounts as volumes, looked up or pulled by imagePullPolicy, with
 * kubelet's reasons (pkg/kubelet/images/image_manager.go). */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/config/options.h"
#include "agent/pod/internal.h"
#include "images/reference.h"
#include "lib/arena.h"
#include "lib/cleanup.h"

struct wanted {
        const char *image;
        enum pod_pull_policy policy;
};

/* The image at @index: 0 is the container's own, the others those of image volumes it mounts. */
static bool image_at(const struct member *m, size_t index, struct wanted *ret) {
        if (index == 0) {
                *ret = (struct wanted){ m->spec->image, m->spec->image_pull_policy };
                return true;
        }
        list_for_each (mount, &m->spec->volume_mounts) {
                const struct pod_volume *volume = pod_find_volume(m->worker->pod, mount->name);

                if (!volume || !volume->image || --index)
                        continue;
                *ret = (struct wanted){ volume->image->reference, volume->image->pull_policy };
                return true;
        }
        return false;
}

static void look_up(struct member *m, const struct wanted *wanted);
static void pull(struct member *m, const struct wanted *wanted);

static void next_image(struct member *m) {
        struct wanted wanted;

        if (!image_at(m, m->images_done, &wanted)) {
                member_event(m, MEMBER_EVENT_OK);
                return;
        }
        /* What was pulled a moment ago for this start is only looked at. */
        if (wanted.policy == PULL_ALWAYS && !m->pulling)
                pull(m, &wanted);
        else
                look_up(m, &wanted);
}

void member_find_image(struct member *m) {
        m->pulling = false;
        next_image(m);
}

/* The name is to blame where it is none; not for what a registry or a configuration file says. */
static bool is_no_name(const struct err *err, const struct wanted *wanted) {
        struct image_reference reference;

        return err_code(err) == EINVAL && image_reference_parse(wanted->image, &reference, NULL) < 0;
}

static void pull_failed(struct member *m, const struct wanted *wanted, const struct err *err) {
        int64_t now = worker_now(m->worker);
        bool invalid = is_no_name(err, wanted);
        const char *reason = invalid ? "InvalidImageName" : "ErrImagePull";

        backoff_next(&m->pull, now, now);
        m->pull_failed_at = now;
        worker_say(m->worker, m, true, "Failed", "Failed to pull image \"%s\": %s", wanted->image, err_text(err));
        worker_say(m->worker, m, true, "Failed", "Error: %s", reason);
        if (invalid)
                member_set_waiting(m, reason,
                                   "Failed to apply default image tag \"%s\": couldn't parse image name \"%s\": "
                                   "invalid reference format: %s",
                                   wanted->image, wanted->image, err_text(err));
        else
                member_set_waiting(m, reason, "%s", err_text(err));
        member_event(m, MEMBER_EVENT_FAILED);
}

/* Starts @op, or lets it wait for one of the node's other pulls. */
static void begin_pull(struct worker_node *node, struct op *op) {
        int most = node->options->max_parallel_pulls;

        if (most > 0 && node->pulls >= (unsigned)most) {
                op->waiting = NULL;
                *(node->pull_last ? node->pull_last : &node->pull_first) = op;
                node->pull_last = &op->waiting;
                return;
        }
        node->pulls++;
        op_call(op, CRI_PULL_IMAGE, op->pointer);
}

/* Lets those that wait begin. One that ends at once leaves its place to the next, which begins here and not within it:
 * all of a node's pods may wait. */
static void end_pull(struct worker_node *node) {
        struct op *next;

        node->pulls--;
        if (node->pulls_begin)
                return;
        node->pulls_begin = true;
        while (node->pulls < (unsigned)node->options->max_parallel_pulls && (next = node->pull_first)) {
                if (!(node->pull_first = next->waiting))
                        node->pull_last = NULL;
                begin_pull(node, next);
        }
        node->pulls_begin = false;
}

static void on_pulled(struct op *op, const ProtobufCMessage *response, const struct err *err) {
        struct member *m = op->member;
        struct wanted wanted;

        end_pull(m->worker->node);
        if (m->round != op->round || m->state != MEMBER_IMAGE || !image_at(m, m->images_done, &wanted))
                return;
        if (err) {
                pull_failed(m, &wanted, err);
                return;
        }
        m->pulling = true;
        look_up(m, &wanted);
}

static void pull(struct member *m, const struct wanted *wanted) {
        struct op *op = op_new(m->worker, m);
        Cri__PullImageRequest *request;
        _cleanup_err_ struct err *err = NULL;

        if (!op)
                return;
        request = arena_new_of(op->arena, Cri__PullImageRequest);
        Cri__ImageSpec *spec = arena_new_of(op->arena, Cri__ImageSpec);
        Cri__PodSandboxConfig *config = request_sandbox(op->arena, m->worker, &err);
        if (!request || !spec || !config) {
                op_drop(op);
                pull_failed(m, wanted, err);
                return;
        }
        cri__pull_image_request__init(request);
        cri__image_spec__init(spec);
        spec->image = (char *)wanted->image;
        request->image = spec;
        request->sandbox_config = config;
        worker_say(m->worker, m, false, "Pulling", "Pulling image \"%s\"", wanted->image);
        m->pull_began = worker_now(m->worker);
        op->heard_always = true;
        op->done = on_pulled;
        op->pointer = request;
        begin_pull(m->worker->node, op);
}

static void keep_image(struct member *m, const Cri__Image *image) {
        free(m->image_id);
        free(m->image_user);
        m->image_id = strdup(image->id);
        m->image_user = image->username && image->username[0] ? strdup(image->username) : NULL;
        m->image_uid = image->uid ? image->uid->value : 0;
}

static void never_pulled(struct member *m, const struct wanted *wanted) {
        int64_t now = worker_now(m->worker);

        backoff_next(&m->pull, now, now);
        m->pull_failed_at = now;
        worker_say(m->worker, m, true, "ErrImageNeverPull",
                   "Container image \"%s\" is not present with pull policy of Never", wanted->image);
        worker_say(m->worker, m, true, "Failed", "Error: ErrImageNeverPull");
        member_set_waiting(m, "ErrImageNeverPull", "Container image \"%s\" is not present with pull policy of Never",
                           wanted->image);
        member_event(m, MEMBER_EVENT_FAILED);
}

static void have(struct member *m, const struct wanted *wanted, const Cri__Image *image) {
        if (m->pulling)
                worker_say(m->worker, m, false, "Pulled",
                           "Successfully pulled image \"%s\" in %.3fs. Image size: %llu bytes.", wanted->image,
                           (double)(worker_now(m->worker) - m->pull_began) / 1000, (unsigned long long)image->size);
        else
                worker_say(m->worker, m, false, "Pulled", "Container image \"%s\" already present on machine",
                           wanted->image);
        if (m->images_done == 0)
                keep_image(m, image);
        m->images_done++;
        m->pulling = false;
        next_image(m);
}

static void on_looked_up(struct op *op, const ProtobufCMessage *response, const struct err *err) {
        const Cri__ImageStatusResponse *found = (const void *)response;
        struct member *m = op->member;
        struct wanted wanted;

        if (m->state != MEMBER_IMAGE || !image_at(m, m->images_done, &wanted))
                return;
        if (err)
                pull_failed(m, &wanted, err);
        else if (found->image)
                have(m, &wanted, found->image);
        else if (wanted.policy == PULL_NEVER)
                never_pulled(m, &wanted);
        else
                pull(m, &wanted);
}

static void look_up(struct member *m, const struct wanted *wanted) {
        struct op *op = op_new(m->worker, m);
        Cri__ImageStatusRequest *request = op ? arena_new_of(op->arena, Cri__ImageStatusRequest) : NULL;
        Cri__ImageSpec *spec = op ? arena_new_of(op->arena, Cri__ImageSpec) : NULL;

        if (!request || !spec) {
                if (op)
                        op_drop(op);
                return;
        }
        cri__image_status_request__init(request);
        cri__image_spec__init(spec);
        spec->image = (char *)wanted->image;
        request->image = spec;
        op->done = on_looked_up;
        op_call(op, CRI_IMAGE_STATUS, request);
}
