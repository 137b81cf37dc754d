/* DefaultStorageClass, DefaultIngressClass: the class of whoever names none, the newest of those that are marked. */
#include <string.h>

#include "api/admission/builtin.h"
#include "api/server/status.h"
#include "kube/core_v1.h"
#include "kube/networking_v1.h"
#include "kube/storage_v1.h"

static bool is_marked(const struct kube_object_meta *meta, const char *annotation) {
        return kube_is(string_map_get(&meta->annotations, annotation), "true");
}

static bool is_before(const struct kube_object_meta *a, const struct kube_object_meta *b) {
        if (a->creation_timestamp.seconds != b->creation_timestamp.seconds)
                return a->creation_timestamp.seconds > b->creation_timestamp.seconds;
        return strcmp(a->name, b->name) < 0;
}

static bool is_default_storage(const struct kube_object_meta *meta) {
        return is_marked(meta, "storageclass.kubernetes.io/is-default-class") ||
               is_marked(meta, "storageclass.beta.kubernetes.io/is-default-class");
}

static bool is_default_ingress(const struct kube_object_meta *meta) {
        return is_marked(meta, "ingressclass.kubernetes.io/is-default-class");
}

static void choose(const struct kube_object_meta *meta, bool is_default, const struct kube_object_meta **best) {
        if (is_default && (!*best || is_before(meta, *best)))
                *best = meta;
}

/* As the older annotation has it, or the field. */
static bool has_class(const struct kube_persistent_volume_claim *claim) {
        return string_map_get(&claim->metadata.annotations, "volume.beta.kubernetes.io/storage-class") ||
               claim->spec.storage_class_name;
}

enum api_step admission_storage_class(struct admission *a) {
        struct kube_persistent_volume_claim *claim = admission_object(a);
        const struct kube_object_meta *best = NULL;
        struct admission_list classes;
        int error;

        if (!claim || has_class(claim))
                return claim ? API_NEXT : API_END;
        error = admission_list(a, "storage.k8s.io", "storageclasses", "", &classes);
        if (error < 0)
                return api_fail(a->r, error, NULL);
        for (size_t i = 0; i < classes.n; i++) {
                const struct kube_storage_v1_storage_class *class = classes.items[i];

                choose(&class->metadata, is_default_storage(&class->metadata), &best);
        }
        if (best) {
                claim->spec.storage_class_name = best->name;
                a->changed = true;
        }
        return API_NEXT;
}

enum api_step admission_ingress_class(struct admission *a) {
        struct kube_networking_v1_ingress *ingress = admission_object(a);
        const struct kube_object_meta *best = NULL;
        struct admission_list classes;
        int error;

        if (!ingress)
                return API_END;
        if (ingress->spec.ingress_class_name ||
            string_map_get(&ingress->metadata.annotations, "kubernetes.io/ingress.class"))
                return API_NEXT;
        error = admission_list(a, "networking.k8s.io", "ingressclasses", "", &classes);
        if (error < 0)
                return api_fail(a->r, error, NULL);
        for (size_t i = 0; i < classes.n; i++) {
                const struct kube_networking_v1_ingress_class *class = classes.items[i];

                choose(&class->metadata, is_default_ingress(&class->metadata), &best);
        }
        if (best) {
                ingress->spec.ingress_class_name = best->name;
                a->changed = true;
        }
        return API_NEXT;
}
