/* A container's images: its own and those it mounts as volumes, looked up or pulled by imagePullPolicy, with
 * kubelet's reasons (pkg/kubelet/images/image_manager.go). */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "agent/container/internal.h"
#include "agent/container/pull_secrets.h"
#include "agent/container/pulls.h"
#include "images/reference.h"
#include "lib/cleanup.h"

struct wanted {
        const char *image;
        const char *policy;
};

/* The image at @index: 0 is the container's own, the others those of image volumes it mounts. */
static bool image_at(const struct member *m, size_t index, struct wanted *ret) {
        if (index == 0) {
                *ret = (struct wanted){ m->spec->image, m->spec->image_pull_policy };
                return true;
        }
        list_for_each (mount, &m->spec->volume_mounts) {
                const struct kube_volume *volume = pod_find_volume(m->host->pod, mount->name);

                if (!volume || !volume->image || --index)
                        continue;
                *ret = (struct wanted){ volume->image->reference, volume->image->pull_policy };
                return true;
        }
        return false;
}

const char *member_image(const struct member *m) {
        struct wanted wanted;

        return image_at(m, m->images_done, &wanted) ? wanted.image : m->spec->image;
}

/* -- failures ---------------------------------------------------------------------------------------------- */

static void count_failure(struct member *m) {
        int64_t now = node_now(m->host->world);

        backoff_next(&m->pull, now, now);
        m->pull_failed_at = now;
}

/* What can be no image's name is not asked for. */
static enum member_event refuse_name(struct member *m, const struct wanted *wanted) {
        static const char format[] =
                "Failed to apply default image tag \"%s\": couldn't parse image name \"%s\": invalid reference format";

        count_failure(m);
        member_say_of_image(m, true, "InspectFailed", format, wanted->image, wanted->image);
        member_say_of_image(m, true, "Failed", "Error: InvalidImageName");
        member_set_waiting(m, "InvalidImageName", format, wanted->image, wanted->image);
        return MEMBER_EVENT_FAILED;
}

static enum member_event pull_failed(struct member *m, const struct wanted *wanted, const struct err *err) {
        count_failure(m);
        member_say_of_image(m, true, "Failed", "Failed to pull image \"%s\": %s", wanted->image, err_text(err));
        member_say_of_image(m, true, "Failed", "Error: ErrImagePull");
        member_set_waiting(m, "ErrImagePull", "%s", err_text(err));
        return member_failed(m, err);
}

static enum member_event never_pulled(struct member *m, const struct wanted *wanted) {
        count_failure(m);
        member_say_of_image(m, true, "ErrImageNeverPull",
                            "Container image \"%s\" is not present with pull policy of Never", wanted->image);
        member_say_of_image(m, true, "Failed", "Error: ErrImageNeverPull");
        member_set_waiting(m, "ErrImageNeverPull", "Container image \"%s\" is not present with pull policy of Never",
                           wanted->image);
        return MEMBER_EVENT_FAILED;
}

/* Says nothing of the image: it is tried again like what else could not be made. */
static enum member_event no_memory(struct member *m) {
        m->retry_at = node_now(m->host->world) + NODE_RETRY_MS;
        return member_failed_because(m, "CreateContainerError", NULL);
}

/* -- pull -------------------------------------------------------------------------------------------------- */

/* A pull under way. */
struct pulling {
        Cri__PullImageRequest request; /* first: it is the operation's pointer */
        struct pull_secrets secrets;
};

static enum member_event ask_for_pull(struct member *m);

/* Each credential that the pod has for the image is tried, then what the node has by itself. */
static void on_pulled(struct op *op, const ProtobufCMessage *response, const struct err *err) {
        const struct pull_secrets *secrets = &((struct pulling *)op->pointer)->secrets;
        struct member *m = op->scope->data;
        struct wanted wanted;

        if (m->state != MEMBER_PULLING || !image_at(m, m->images_done, &wanted))
                return;
        if (err && m->pull_tries < secrets->n) {
                m->pull_tries++;
                return member_event(m, ask_for_pull(m));
        }
        if (err && *secrets->missing)
                member_say_of_image(
                        m, true, "FailedToRetrieveImagePullSecret",
                        "Unable to retrieve some image pull secrets (%s); attempting to pull the image may not "
                        "succeed.",
                        secrets->missing);
        member_event(m, err ? pull_failed(m, &wanted, err) : MEMBER_EVENT_OK);
}

/* With the credential whose turn it is. -ENOMEM. */
static int set_auth(struct op *op, struct member *m, const char *image, struct pulling *pulling) {
        const struct pod *pod = m->host->pod;
        const struct pod_files *files = pod_files_new(op->arena, m->host->world, pod, &m->host->sandbox->addresses);

        if (!files || pull_secrets_find(op->arena, pod, files->facts.sources, image, &pulling->secrets) < 0)
                return -ENOMEM;
        if (m->pull_tries < pulling->secrets.n)
                pulling->request.auth = pulling->secrets.list[m->pull_tries];
        return 0;
}

static enum member_event ask_for_pull(struct member *m) {
        _cleanup_op_ struct op *op = op_new(&m->scope);
        struct pulling *pulling = op ? arena_new_of(op->arena, struct pulling) : NULL;
        Cri__ImageSpec *spec = op ? arena_new_of(op->arena, Cri__ImageSpec) : NULL;
        _cleanup_err_ struct err *err = NULL;
        struct wanted wanted;

        if (!pulling || !spec || !image_at(m, m->images_done, &wanted))
                return no_memory(m);
        cri__pull_image_request__init(&pulling->request);
        cri__image_spec__init(spec);
        spec->image = (char *)wanted.image;
        pulling->request.image = spec;
        if (set_auth(op, m, wanted.image, pulling) < 0)
                return no_memory(m);
        pulling->request.sandbox_config = m->host->ops->sandbox_config(m->host->data, op->arena, &err);
        if (!pulling->request.sandbox_config)
                return err_code(err) == ENOMEM ? no_memory(m) : pull_failed(m, &wanted, err);
        op->done = on_pulled;
        pulls_put(m->host->pulls, TAKE_PTR(op), &pulling->request);
        return MEMBER_EVENT_NONE;
}

enum member_event member_pull_image(struct member *m) {
        struct wanted wanted;

        if (image_at(m, m->images_done, &wanted))
                member_say_of_image(m, false, "Pulling", "Pulling image \"%s\"", wanted.image);
        m->pull_began = node_now(m->host->world);
        m->pull_tries = 0;
        return ask_for_pull(m);
}

/* -- look -------------------------------------------------------------------------------------------------- */

static int keep_image(struct member *m, const Cri__Image *image) {
        bool named = image->username && image->username[0];
        _cleanup_free_ char *id = strdup(image->id), *user = named ? strdup(image->username) : NULL;

        if (!id || (named && !user))
                return -ENOMEM;
        free(m->image_id);
        free(m->image_user);
        m->image_id = TAKE_PTR(id);
        m->image_user = TAKE_PTR(user);
        m->image_uid = image->uid ? image->uid->value : 0;
        return 0;
}

static enum member_event found(struct member *m, const struct wanted *wanted, const Cri__Image *image) {
        if (m->images_done == 0 && keep_image(m, image) < 0)
                return no_memory(m);
        if (m->state == MEMBER_PULLED)
                member_say_of_image(m, false, "Pulled",
                                    "Successfully pulled image \"%s\" in %.3fs. Image size: %llu bytes.", wanted->image,
                                    (double)(node_now(m->host->world) - m->pull_began) / 1000,
                                    (unsigned long long)image->size);
        else
                member_say_of_image(m, false, "Pulled",
                                    "Container image \"%s\" already present on machine and can be accessed by the pod",
                                    wanted->image);
        m->images_done++;
        return MEMBER_EVENT_FOUND;
}

static void on_looked_up(struct op *op, const ProtobufCMessage *response, const struct err *err) {
        const Cri__ImageStatusResponse *answer = (const void *)response;
        struct member *m = op->scope->data;
        struct wanted wanted;

        if ((m->state != MEMBER_FINDING && m->state != MEMBER_PULLED) || !image_at(m, m->images_done, &wanted))
                return;
        member_event(m, err                             ? pull_failed(m, &wanted, err) :
                        answer->image                   ? found(m, &wanted, answer->image) :
                        kube_is(wanted.policy, "Never") ? never_pulled(m, &wanted) :
                                                          MEMBER_EVENT_MISSING);
}

static enum member_event look_up(struct member *m, const struct wanted *wanted) {
        Cri__ImageStatusRequest *request;
        _cleanup_op_ struct op *op = OP_NEW(&m->scope, &request, cri__image_status_request__init);
        Cri__ImageSpec *spec = op ? arena_new_of(op->arena, Cri__ImageSpec) : NULL;

        if (!spec)
                return no_memory(m);
        cri__image_spec__init(spec);
        spec->image = (char *)wanted->image;
        request->image = spec;
        op->done = on_looked_up;
        op_call(TAKE_PTR(op), CRI_IMAGE_STATUS, request);
        return MEMBER_EVENT_NONE;
}

enum member_event member_find_image(struct member *m) {
        struct image_reference reference;
        struct wanted wanted;

        if (!image_at(m, m->images_done, &wanted))
                return MEMBER_EVENT_OK;
        if (image_reference_parse(wanted.image, &reference, NULL) < 0)
                return refuse_name(m, &wanted);
        return kube_is(wanted.policy, "Always") ? MEMBER_EVENT_MISSING : look_up(m, &wanted);
}

/* What was pulled a moment ago for this start is only looked at. */
enum member_event member_look_at_pulled(struct member *m) {
        struct wanted wanted;

        return image_at(m, m->images_done, &wanted) ? look_up(m, &wanted) : MEMBER_EVENT_FOUND;
}
