/* Fields of features that are off by default in Kubernetes are dropped, as kube-apiserver drops them, unless the object
 * has them already. What says who owns which field still has them. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "api/rest/shape.h"
#include "api/server/request.h"
#include "kube/kinds.h"
#include "lib/arena.h"
#include "lib/cleanup.h"
#include "lib/value.h"
#include "lib/value_edit.h"

#define POINTER_MAX 128

/* @path, keys divided by dots, as a pointer. */
static const char *pointer_of(const char *path, char pointer[POINTER_MAX]) {
        snprintf(pointer, POINTER_MAX, "/%s", path);
        for (char *p = pointer; *p; p++)
                *p = *p == '.' ? '/' : *p;
        return pointer;
}

/* What is at @path, by dots, and was not before. */
static int drop_new(struct api_request *r, struct value_edit *edit, const char *path) {
        char pointer[POINTER_MAX];

        if (value_is_null(value_find(r->next, path)) || !value_is_null(value_find(r->current_tree, path)))
                return 0;
        return value_edit_remove(edit, pointer_of(path, pointer), NULL);
}

/* --- pods, and templates of them --- */

static const char *const off_sources[] = { "clusterTrustBundle", "podCertificate" };

/* What is projected by something that is off is an empty source. */
static bool has_off_source(const struct value *spec) {
        const struct value *volumes = value_get(spec, "volumes");

        for (uint32_t i = 0; i < value_count(volumes); i++) {
                const struct value *sources = value_find(value_at(volumes, i), "projected.sources");

                for (uint32_t j = 0; j < value_count(sources); j++)
                        for (size_t k = 0; k < ELEMENTS(off_sources); k++)
                                if (value_get(value_at(sources, j), off_sources[k]))
                                        return true;
        }
        return false;
}

static int empty_sources(struct value_edit *edit, const char *at, uint32_t volume, const struct value *sources) {
        int r = 0;

        for (uint32_t i = 0; i < value_count(sources); i++)
                for (size_t k = 0; r == 0 && k < ELEMENTS(off_sources); k++) {
                        char pointer[2 * POINTER_MAX];

                        if (!value_get(value_at(sources, i), off_sources[k]))
                                continue;
                        snprintf(pointer, sizeof(pointer), "%s/volumes/%u/projected/sources/%u/%s", at, volume, i,
                                 off_sources[k]);
                        r = value_edit_remove(edit, pointer, NULL);
                }
        return r;
}

static int drop_of_spec(struct api_request *r, struct value_edit *edit, const char *path) {
        const struct value *spec = value_find(r->next, path), *volumes = value_get(spec, "volumes");
        char group[POINTER_MAX], pointer[POINTER_MAX];
        int error;

        snprintf(group, sizeof(group), "%s.schedulingGroup", path);
        error = drop_new(r, edit, group);
        if (error < 0 || !has_off_source(spec) || has_off_source(value_find(r->current_tree, path)))
                return error;
        for (uint32_t i = 0; error == 0 && i < value_count(volumes); i++)
                error = empty_sources(edit, pointer_of(path, pointer), i,
                                      value_find(value_at(volumes, i), "projected.sources"));
        return error;
}

int shape_pod_features(struct api_request *r, struct value_edit *edit) {
        return drop_of_spec(r, edit, "spec") ?: drop_new(r, edit, "status.nodeAllocatableResourceClaimStatuses");
}

int shape_template(struct api_request *r, struct value_edit *edit) {
        if (strcmp(r->kind->resource, "podtemplates") == 0)
                return drop_of_spec(r, edit, "template.spec");
        if (strcmp(r->kind->resource, "cronjobs") == 0)
                return drop_of_spec(r, edit, "spec.jobTemplate.spec.template.spec");
        return drop_of_spec(r, edit, "spec.template.spec");
}

int shape_stateful_set(struct api_request *r, struct value_edit *edit) {
        return drop_new(r, edit, "spec.updateStrategy.rollingUpdate.maxUnavailable") ?: shape_template(r, edit);
}

/* --- others --- */

int shape_lease(struct api_request *r, struct value_edit *edit) {
        return drop_new(r, edit, "spec.strategy") ?: drop_new(r, edit, "spec.preferredHolder");
}

int shape_csi_driver(struct api_request *r, struct value_edit *edit) {
        return drop_new(r, edit, "spec.preventPodSchedulingIfMissing");
}

int shape_node(struct api_request *r, struct value_edit *edit) {
        return drop_new(r, edit, "spec.configSource") ?: drop_new(r, edit, "status.config");
}

/* discovery.k8s.io/v1 has no topology but node and zone: there it is read alone. */
int shape_endpoint_slice(struct api_request *r, struct value_edit *edit) {
        const struct value *now = value_get(r->next, "endpoints"), *was = value_get(r->current_tree, "endpoints");
        int error = 0;

        if (was && now && value_equal(was, now))
                return 0;
        for (uint32_t i = 0; error == 0 && i < value_count(now); i++) {
                char pointer[POINTER_MAX];

                if (!value_get(value_at(now, i), "deprecatedTopology"))
                        continue;
                snprintf(pointer, sizeof(pointer), "/endpoints/%u/deprecatedTopology", i);
                error = value_edit_remove(edit, pointer, NULL);
        }
        return error;
}
