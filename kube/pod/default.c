/* What the API server fills in when a pod is created: pkg/apis/core/v1/defaults.go. */
#include <errno.h>
#include <string.h>

#include "kube/pod/image_name.h"
#include "kube/pod/pod.h"
#include "kube/pod/resource_list.h"
#include "kube/pod/resources.h"
#include "kube/codec/codec.h"
#include "lib/arena.h"

#define GRACE_PERIOD_DEFAULT 30

static void default_string(const char **text, const char *value) {
        if (!*text)
                *text = value;
}

static void default_int(int32_t *number, int32_t value) {
        if (*number == 0)
                *number = value;
}

static void default_opt_int(struct opt_int *number, int64_t value) {
        if (!number->set)
                *number = (struct opt_int){ value, true };
}

static void default_pull_policy(const char **policy, const char *image) {
        default_string(policy, image_name_is_latest(image ?: "") ? "Always" : "IfNotPresent");
}

static void default_http_get(struct kube_http_get_action *get) {
        if (!get)
                return;
        default_string(&get->path, "/");
        default_string(&get->scheme, "HTTP");
}

static void default_probe(struct kube_probe *probe) {
        if (!probe)
                return;
        default_int(&probe->timeout_seconds, 1);
        default_int(&probe->period_seconds, 10);
        default_int(&probe->success_threshold, 1);
        default_int(&probe->failure_threshold, 3);
        default_http_get(probe->http_get);
        if (probe->grpc)
                default_string(&probe->grpc->service, "");
}

static void default_field_ref(struct kube_object_field_selector *ref) {
        if (ref)
                default_string(&ref->api_version, "v1");
}

static void default_env(struct kube_env_var *env) {
        if (!env->value_from)
                return;
        default_field_ref(env->value_from->field_ref);
        if (env->value_from->file_key_ref && env->value_from->file_key_ref->optional == TRI_UNSET)
                env->value_from->file_key_ref->optional = TRI_FALSE;
}

/* Amounts are kept to the thousandth. */
static void round_amounts(resource_list *list) {
        list_for_each (r, list)
                if (r->amount.exponent < -3)
                        r->amount = quantity_restyle(quantity_from_milli(quantity_milli(r->amount)), r->amount.style);
}

static bool default_requests(struct arena *arena, struct kube_resource_requirements *resources) {
        round_amounts(&resources->limits);
        round_amounts(&resources->requests);
        list_for_each (limit, &resources->limits)
                if (!resource_get(&resources->requests, limit->name) &&
                    !resource_list_add(arena, &resources->requests, limit->name, limit->amount))
                        return false;
        return true;
}

static void default_lifecycle(struct kube_lifecycle *lifecycle) {
        if (lifecycle && lifecycle->post_start)
                default_http_get(lifecycle->post_start->http_get);
        if (lifecycle && lifecycle->pre_stop)
                default_http_get(lifecycle->pre_stop->http_get);
}

static void default_ports(struct kube_container *c, bool host_network) {
        list_for_each (port, &c->ports) {
                default_string(&port->protocol, "TCP");
                if (host_network)
                        default_int(&port->host_port, port->container_port);
        }
}

static bool default_container(struct arena *arena, struct kube_container *c, bool host_network) {
        default_pull_policy(&c->image_pull_policy, c->image);
        default_string(&c->termination_message_path, "/dev/termination-log");
        default_string(&c->termination_message_policy, "File");
        default_ports(c, host_network);
        list_for_each (env, &c->env)
                default_env(env);
        default_probe(c->liveness_probe);
        default_probe(c->readiness_probe);
        default_probe(c->startup_probe);
        default_lifecycle(c->lifecycle);
        return default_requests(arena, &c->resources);
}

static void default_downward(kube_downward_api_volume_file_items *files) {
        list_for_each (file, files)
                default_field_ref(file->field_ref);
}

static void default_projected(struct kube_projected_volume_source *projected) {
        default_opt_int(&projected->default_mode, POD_VOLUME_MODE_DEFAULT);
        list_for_each (source, &projected->sources)
                if (source->downward_api)
                        default_downward(&source->downward_api->items);
}

static bool default_volume(struct arena *arena, struct kube_volume *v) {
        if (!pod_volume_source(v, NULL)) {
                v->empty_dir = arena_new_of(arena, struct kube_empty_dir_volume_source);
                return v->empty_dir;
        }
        if (v->host_path)
                default_string(&v->host_path->type, "");
        if (v->downward_api) {
                default_opt_int(&v->downward_api->default_mode, POD_VOLUME_MODE_DEFAULT);
                default_downward(&v->downward_api->items);
        }
        if (v->projected)
                default_projected(v->projected);
        if (v->config_map)
                default_opt_int(&v->config_map->default_mode, POD_VOLUME_MODE_DEFAULT);
        if (v->secret)
                default_opt_int(&v->secret->default_mode, POD_VOLUME_MODE_DEFAULT);
        if (v->image)
                default_pull_policy(&v->image->pull_policy, v->image->reference);
        return kube_default(arena, &kube_volume_type, v) ==
               0; /* what else the schema says, of what is not mounted here */
}

/* Pod-level requests come from the containers' where those say something, else from the pod's limits; pod-level
 * limits of huge pages from the containers'. */
static bool default_pod_resources(struct pod *pod) {
        struct kube_resource_requirements *r = pod->spec.resources;
        resource_list totals = { 0 };

        if (!r || (r->limits.count == 0 && r->requests.count == 0))
                return true;
        if (!pod_container_limits(pod->arena, pod, &totals))
                return false;
        list_for_each (total, &totals)
                if (strncmp(total->name, "hugepages-", 10) == 0 && !resource_get(&r->requests, total->name) &&
                    !resource_get(&r->limits, total->name) &&
                    !resource_list_add(pod->arena, &r->limits, total->name, total->amount))
                        return false;
        if (r->limits.count == 0)
                return true;
        totals = (resource_list){ 0 };
        if (!pod_container_requests(pod->arena, pod, &totals))
                return false;
        list_for_each (total, &totals)
                if ((strcmp(total->name, "cpu") == 0 || strcmp(total->name, "memory") == 0) &&
                    !resource_get(&r->requests, total->name) &&
                    !resource_list_add(pod->arena, &r->requests, total->name, total->amount))
                        return false;
        list_for_each (limit, &r->limits)
                if (pod_level_takes(limit->name) && !resource_get(&r->requests, limit->name) &&
                    !resource_list_add(pod->arena, &r->requests, limit->name, limit->amount))
                        return false;
        return true;
}

static bool default_containers(struct pod *pod, kube_container_items *list) {
        list_for_each (container, list)
                if (!default_container(pod->arena, container, pod->spec.host_network))
                        return false;
        return true;
}

int pod_default(struct pod *pod) {
        struct kube_pod_spec *spec = &pod->spec;

        list_for_each (volume, &spec->volumes)
                if (!default_volume(pod->arena, volume))
                        return -ENOMEM;
        if (!default_containers(pod, &spec->init_containers) || !default_containers(pod, &spec->containers))
                return -ENOMEM;
        list_for_each (ephemeral, &spec->ephemeral_containers)
                if (!default_container(pod->arena, &ephemeral->container, spec->host_network))
                        return -ENOMEM;
        default_string(&spec->restart_policy, "Always");
        default_string(&spec->dns_policy, "ClusterFirst");
        if (spec->enable_service_links == TRI_UNSET)
                spec->enable_service_links = TRI_TRUE;
        if (!spec->security_context &&
            !(spec->security_context = arena_new_of(pod->arena, struct kube_pod_security_context)))
                return -ENOMEM;
        default_opt_int(&spec->termination_grace_period_seconds, GRACE_PERIOD_DEFAULT);
        if (spec->termination_grace_period_seconds.value < 0)
                spec->termination_grace_period_seconds.value = 1; /* the API's reading of a negative one */
        default_string(&spec->scheduler_name, "default-scheduler");
        if (spec->service_account && !spec->service_account_name)
                spec->service_account_name = spec->service_account;
        round_amounts(&spec->overhead);
        if (spec->resources) {
                round_amounts(&spec->resources->limits);
                round_amounts(&spec->resources->requests);
        }
        return default_pod_resources(pod) ? 0 : -ENOMEM;
}
