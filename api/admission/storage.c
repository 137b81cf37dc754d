/* StorageObjectInUseProtection: what is in use is not deleted under its user's hands.
 * PersistentVolumeClaimResize: a claim grows where its class lets it. */
#include <errno.h>
#include <string.h>

#include "api/admission/builtin.h"
#include "api/server/request.h"
#include "api/server/status.h"
#include "kube/core_v1.h"
#include "kube/kinds.h"
#include "kube/storage_v1.h"
#include "lib/cleanup.h"

enum api_step admission_protect(struct admission *a) {
        static const struct {
                const char *resource, *finalizer;
        } rows[] = {
                { "persistentvolumes", "kubernetes.io/pv-protection" },
                { "persistentvolumeclaims", "kubernetes.io/pvc-protection" },
                { "volumeattributesclasses", "kubernetes.io/vac-protection" },
        };
        void *object = admission_object(a);
        struct kube_object_meta *meta = object ? admission_meta(a, object) : NULL;
        const char **last, *finalizer = NULL;

        if (!object)
                return API_END;
        for (size_t i = 0; i < ELEMENTS(rows); i++)
                if (strcmp(rows[i].resource, a->r->kind->resource) == 0)
                        finalizer = rows[i].finalizer;
        list_for_each (there, &meta->finalizers)
                if (strcmp(*there, finalizer) == 0)
                        return API_NEXT;
        last = admission_grow(a->arena, &meta->finalizers, sizeof(*last));
        if (!last)
                return api_fail(a->r, -ENOMEM, NULL);
        *last = finalizer;
        a->changed = true;
        return API_NEXT;
}

static const char *class_of(const struct kube_persistent_volume_claim *claim) {
        return string_map_get(&claim->metadata.annotations, "volume.beta.kubernetes.io/storage-class") ?:
                       claim->spec.storage_class_name                                                  ?:
                                                                                                         "";
}

static struct quantity size_of(const struct kube_persistent_volume_claim *claim) {
        const struct quantity *size = resource_get(&claim->spec.resources.requests, "storage");

        return size ? *size : (struct quantity){ 0 };
}

/* 1, 0, or a negative errno. */
static int may_grow(const struct admission *a, const char *name, const char *old_name) {
        const void *class;
        int error;

        if (!*name || strcmp(name, old_name) != 0)
                return 0;
        error = admission_get(a, "storage.k8s.io", "storageclasses", "", name, &class);
        if (error < 0)
                return error == -ENOENT ? 0 : error;
        return ((const struct kube_storage_v1_storage_class *)class)->allow_volume_expansion == TRI_TRUE;
}

enum api_step admission_resize_claim(struct admission *a) {
        const struct kube_persistent_volume_claim *claim = admission_object(a), *old = claim ? admission_old(a) : NULL;
        int may;

        if (!claim || !old)
                return API_END;
        if (quantity_compare(size_of(claim), size_of(old)) <= 0)
                return API_NEXT;
        if (!kube_is(old->status.phase, "Bound"))
                return admission_forbid(a, "Only bound persistent volume claims can be expanded");
        may = may_grow(a, class_of(claim), class_of(old));
        if (may < 0)
                return api_fail(a->r, may, NULL);
        return may ? API_NEXT :
                     admission_forbid(a, "only dynamically provisioned pvc can be resized and the storageclass that "
                                         "provisions the pvc must support resize");
}
