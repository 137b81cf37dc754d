#include "api/access/audiences.h"

#include <errno.h>
#include <string.h>

#include "api/access/access.h"
#include "api/auth/attributes.h"
#include "api/auth/authorizer.h"
#include "api/cache/collection.h"
#include "api/server/codec.h"
#include "api/server/request.h"
#include "api/server/server.h"
#include "api/state/resource.h"
#include "api/state/state.h"
#include "kube/authentication_v1.h"
#include "kube/core_v1.h"
#include "kube/kinds.h"
#include "kube/storage_v1.h"
#include "kube/type.h"
#include "lib/arena.h"
#include "lib/cleanup.h"
#include "lib/go_text.h"

/* Objects that a volume leads to and that are not there are told of, up to so many. */
#define MISSING_MAX 16

struct search {
        struct api_request *r;
        const struct kube_pod *pod;
        const char *audience;
        const char *missing[MISSING_MAX]; /* "persistentvolume \"x\" not found" */
        unsigned n_missing;
        int error;
};

/* In the words of client-go's listers, which name one by @singular. NULL: it is not there, or search->error says why.
 */
static const void *find(struct search *s, const char *group, const char *resource, const char *singular,
                        const char *namespace, const char *name) {
        struct api_resource *of = api_state_find(s->r->server->config.state, group, resource);
        _cleanup_object_ struct object *object = of ? collection_get(of->collection, namespace, name) : NULL;
        void *read = object ? arena_alloc(s->r->arena, of->kind->type->size) : NULL;
        const char *text;

        if (object) {
                s->error = read ? api_struct_of(s->r->arena, of->kind->type, object, read) : -ENOMEM;
                return s->error == 0 ? read : NULL;
        }
        text = arena_printf(s->r->arena, "%s \"%s\" not found", singular, name);
        if (!text)
                s->error = -ENOMEM;
        for (unsigned i = 0; text && i < s->n_missing; i++)
                if (strcmp(s->missing[i], text) == 0)
                        return NULL;
        if (text && s->n_missing < MISSING_MAX)
                s->missing[s->n_missing++] = text;
        return NULL;
}

/* Volumes that had no driver once have one each today. */
#define MIGRATED(source)                                                                                               \
        ((source)->gce_persistent_disk     ? "pd.csi.storage.gke.io" :                                                 \
         (source)->aws_elastic_block_store ? "ebs.csi.aws.com" :                                                       \
         (source)->cinder                  ? "cinder.csi.openstack.org" :                                              \
         (source)->azure_disk              ? "disk.csi.azure.com" :                                                    \
         (source)->azure_file              ? "file.csi.azure.com" :                                                    \
         (source)->vsphere_volume          ? "csi.vsphere.vmware.com" :                                                \
         (source)->portworx_volume         ? "pxd.portworx.com" :                                                      \
                                             NULL)

static const char *driver_of_claim(struct search *s, const char *name) {
        const struct kube_persistent_volume_claim *claim =
                find(s, "", "persistentvolumeclaims", "persistentvolumeclaim", s->r->path.namespace, name ?: "");
        const struct kube_persistent_volume *volume =
                claim ? find(s, "", "persistentvolumes", "persistentvolume", "", claim->spec.volume_name ?: "") : NULL;

        if (!volume)
                return NULL;
        return volume->spec.csi ? volume->spec.csi->driver : MIGRATED(&volume->spec);
}

static const char *driver_of(struct search *s, const struct kube_volume *volume) {
        const char *name;

        if (volume->ephemeral && volume->ephemeral->volume_claim_template) {
                name = arena_printf(s->r->arena, "%s-%s", s->pod->metadata.name ?: "", volume->name ?: "");
                if (!name)
                        s->error = -ENOMEM;
                return name ? driver_of_claim(s, name) : NULL;
        }
        if (volume->persistent_volume_claim)
                return driver_of_claim(s, volume->persistent_volume_claim->claim_name);
        return volume->csi ? volume->csi->driver : MIGRATED(volume);
}

static bool wants_itself(const struct kube_volume *volume, const char *audience) {
        if (!volume->projected)
                return false;
        list_for_each (source, &volume->projected->sources)
                if (source->service_account_token &&
                    strcmp(source->service_account_token->audience ?: "", audience) == 0)
                        return true;
        return false;
}

static bool driver_wants(struct search *s, const char *name) {
        const struct kube_storage_v1_csi_driver *driver;

        if (!name || !*name)
                return false;
        driver = find(s, "storage.k8s.io", "csidrivers", "csidriver.storage.k8s.io", "", name);
        if (!driver)
                return false;
        list_for_each (request, &driver->spec.token_requests)
                if (strcmp(request->audience ?: "", s->audience) == 0)
                        return true;
        return false;
}

static bool is_wanted(struct search *s) {
        list_for_each (volume, &s->pod->spec.volumes) {
                if (wants_itself(volume, s->audience) || driver_wants(s, driver_of(s, volume)))
                        return true;
                if (s->error < 0)
                        return false;
        }
        return false;
}

/* Whether the node may ask for the account's tokens for that audience, whatever volumes there are. */
static bool may_ask(struct api_request *r, const char *audience) {
        struct auth_attributes attributes = AUTH_ATTRIBUTES(&r->user);
        size_t n;
        const struct auth_authorizer *chain = api_access_chain(r->server->config.data, &n);

        attributes.is_resource = true;
        attributes.verb = "request-serviceaccounts-token-audience";
        attributes.group = "";
        attributes.version = "v1";
        attributes.resource = audience;
        attributes.subresource = "";
        attributes.namespace = r->path.namespace;
        attributes.name = r->path.name;
        return auth_authorize(chain, n, &attributes, r->arena).decision == AUTH_ALLOW;
}

static const char *join_missing(struct search *s) {
        const char *text = s->n_missing > 1 ? "[" : "";

        for (unsigned i = 0; text && i < s->n_missing; i++)
                text = arena_printf(s->r->arena, "%s%s%s", text, i > 0 ? ", " : "", s->missing[i]);
        return text && s->n_missing > 1 ? arena_printf(s->r->arena, "%s]", text) : text;
}

static int refuse(struct search *s, const char **ret_text) {
        const char *quoted = go_text_quote(s->r->arena, s->audience), *missing = join_missing(s);

        if (!quoted || !missing)
                return -ENOMEM;
        *ret_text = s->n_missing > 0 ?
                            arena_printf(s->r->arena, "error validating audience %s: %s", quoted, missing) :
                            arena_printf(s->r->arena,
                                         "audience %s not found in pod spec volume, %s is not authorized to request "
                                         "tokens for this audience",
                                         quoted, s->r->user.name);
        return *ret_text ? -EACCES : -ENOMEM;
}

int api_audience_check(struct api_request *r, const struct object *pod,
                       const struct kube_authentication_v1_token_request *request, const char **ret_text) {
        const string_list *audiences = &request->spec.audiences;
        struct kube_pod *read = arena_new_of(r->arena, struct kube_pod);
        struct search s = { .r = r, .pod = read, .audience = audiences->count > 0 ? audiences->items[0] : "" };
        int error = read ? api_struct_of(r->arena, &kube_pod_type, pod, read) : -ENOMEM;

        if (error < 0)
                return error;
        if (audiences->count > 1) {
                *ret_text = "node may only request 0 or 1 audiences";
                return -EACCES;
        }
        if (is_wanted(&s) || s.error < 0)
                return s.error;
        if (s.n_missing == 0 && may_ask(r, s.audience))
                return 0;
        return refuse(&s, ret_text);
}
