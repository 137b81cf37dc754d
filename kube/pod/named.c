/* Which objects of the API a pod names (pkg/api/v1/pod, VisitPodSecretNames(), VisitPodConfigmapNames()), and the
 * tokens that its volumes want. */

#include "kube/pod/pod.h"
#include "kube/pod/sources.h"

struct visit {
        int (*each)(void *data, enum pod_object_kind kind, const char *name);
        void *data;
        int result; /* of the first that was not 0 */
};

static void name(struct visit *v, enum pod_object_kind kind, const char *text) {
        if (v->result == 0 && text && *text)
                v->result = v->each(v->data, kind, text);
}

static void visit_container(struct visit *v, const struct kube_container *c) {
        list_for_each (from, &c->env_from) {
                name(v, POD_CONFIG_MAP, from->config_map_ref ? from->config_map_ref->name : NULL);
                name(v, POD_SECRET, from->secret_ref ? from->secret_ref->name : NULL);
        }
        list_for_each (env, &c->env) {
                const struct kube_env_var_source *from = env->value_from;

                name(v, POD_CONFIG_MAP, from && from->config_map_key_ref ? from->config_map_key_ref->name : NULL);
                name(v, POD_SECRET, from && from->secret_key_ref ? from->secret_key_ref->name : NULL);
        }
}

static void visit_volume(struct visit *v, const struct kube_volume *volume) {
        name(v, POD_CONFIG_MAP, volume->config_map ? volume->config_map->name : NULL);
        name(v, POD_SECRET, volume->secret ? volume->secret->secret_name : NULL);
        if (!volume->projected)
                return;
        list_for_each (source, &volume->projected->sources) {
                name(v, POD_CONFIG_MAP, source->config_map ? source->config_map->name : NULL);
                name(v, POD_SECRET, source->secret ? source->secret->name : NULL);
        }
}

int pod_each_named(const struct pod *pod, int (*each)(void *data, enum pod_object_kind kind, const char *name_),
                   void *data) {
        struct visit v = { each, data, 0 };

        list_for_each (volume, &pod->spec.volumes)
                visit_volume(&v, volume);
        list_for_each (container, &pod->spec.init_containers)
                visit_container(&v, container);
        list_for_each (container, &pod->spec.containers)
                visit_container(&v, container);
        list_for_each (ephemeral, &pod->spec.ephemeral_containers)
                visit_container(&v, &ephemeral->container);
        list_for_each (added, &pod->spec.ephemeral_containers)
                visit_container(&v, &added->container);
        list_for_each (secret, &pod->spec.image_pull_secrets)
                name(&v, POD_SECRET, secret->name);
        return v.result;
}

int pod_each_token(const struct pod *pod, int (*each)(void *data, const char *audience, int64_t seconds), void *data) {
        list_for_each (volume, &pod->spec.volumes) {
                if (!volume->projected)
                        continue;
                list_for_each (source, &volume->projected->sources) {
                        const struct kube_service_account_token_projection *token = source->service_account_token;
                        int r = token ? each(data, token->audience ?: "", token->expiration_seconds.value) : 0;

                        if (r)
                                return r;
                }
        }
        return 0;
}
