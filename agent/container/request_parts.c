#include "agent/container/request.h"
#include "lib/arena.h"

/* Labels and annotations are messages of one layout, {key, value}. */
typedef Cri__PodSandboxConfig__LabelsEntry Pair;
_Static_assert(sizeof(Cri__PodSandboxConfig__AnnotationsEntry) == sizeof(Pair), "one layout");
_Static_assert(sizeof(Cri__ContainerConfig__LabelsEntry) == sizeof(Pair), "one layout");
_Static_assert(sizeof(Cri__ContainerConfig__AnnotationsEntry) == sizeof(Pair), "one layout");

/* -- pairs ------------------------------------------------------------------------------------------------- */

struct request_pairs request_pairs_new(struct arena *arena, const ProtobufCMessageDescriptor *descriptor, size_t size) {
        void *items = arena_alloc_array(arena, size + 1, sizeof(void *));

        return (struct request_pairs){ arena, descriptor, items, 0, size, !items };
}

void request_pairs_add(struct request_pairs *pairs, const char *key, const char *value) {
        Pair *pair = pairs->failed || !value ? NULL : arena_new_of(pairs->arena, Pair);

        if (!pair || pairs->n == pairs->size) {
                pairs->failed = true;
                return;
        }
        cri__pod_sandbox_config__labels_entry__init(pair);
        pair->base.descriptor = pairs->descriptor;
        pair->key = (char *)key;
        pair->value = (char *)value;
        ((Pair **)pairs->items)[pairs->n++] = pair;
}

void request_pairs_add_pod(struct request_pairs *pairs, const struct pod *pod) {
        request_pairs_add(pairs, "io.kubernetes.pod.name", pod->metadata.name);
        request_pairs_add(pairs, "io.kubernetes.pod.namespace", pod->metadata.namespace);
        request_pairs_add(pairs, "io.kubernetes.pod.uid", pod->metadata.uid);
}

/* -- namespaces -------------------------------------------------------------------------------------------- */

bool request_mappings(struct arena *arena, int userns, Cri__IDMapping ***ret_list, size_t *ret_n) {
        Cri__IDMapping *mapping, **list;

        *ret_n = 0;
        *ret_list = NULL;
        if (userns < 0)
                return true;
        mapping = arena_new_message(arena, Cri__IDMapping, cri__idmapping__init);
        list = arena_alloc(arena, sizeof(*list));
        if (!mapping || !list)
                return false;
        mapping->host_id = (uint32_t)(userns + 1) * REQUEST_USERNS_IDS;
        mapping->length = REQUEST_USERNS_IDS;
        list[0] = mapping;
        *ret_list = list;
        *ret_n = 1;
        return true;
}

static Cri__UserNamespace *users(struct arena *arena, int userns) {
        Cri__UserNamespace *u = arena_new_message(arena, Cri__UserNamespace, cri__user_namespace__init);

        if (!u || !request_mappings(arena, userns, &u->uids, &u->n_uids) ||
            !request_mappings(arena, userns, &u->gids, &u->n_gids))
                return NULL;
        u->mode = userns < 0 ? CRI__NAMESPACE_MODE__NODE : CRI__NAMESPACE_MODE__POD;
        return u;
}

Cri__NamespaceOption *request_namespaces(struct arena *arena, const struct pod *pod, int userns) {
        Cri__NamespaceOption *o = arena_new_message(arena, Cri__NamespaceOption, cri__namespace_option__init);

        if (!o || !(o->userns_options = users(arena, userns)))
                return NULL;
        o->network = pod->spec.host_network ? CRI__NAMESPACE_MODE__NODE : CRI__NAMESPACE_MODE__POD;
        o->ipc = pod->spec.host_ipc ? CRI__NAMESPACE_MODE__NODE : CRI__NAMESPACE_MODE__POD;
        o->pid = pod->spec.host_pid                            ? CRI__NAMESPACE_MODE__NODE :
                 pod->spec.share_process_namespace == TRI_TRUE ? CRI__NAMESPACE_MODE__POD :
                                                                 CRI__NAMESPACE_MODE__CONTAINER;
        return o;
}

/* -- security ---------------------------------------------------------------------------------------------- */

bool request_number(struct arena *arena, const struct opt_int *value, Cri__Int64Value **ret_number) {
        Cri__Int64Value *n = NULL;

        if (value && value->set) {
                if (!(n = arena_new_message(arena, Cri__Int64Value, cri__int64_value__init)))
                        return false;
                n->value = value->value;
        }
        *ret_number = n;
        return true;
}

Cri__SecurityProfile *request_profile(struct arena *arena, struct pod_profile wanted, const char *dir,
                                      Cri__SecurityProfile__ProfileType unset) {
        Cri__SecurityProfile *p = arena_new_message(arena, Cri__SecurityProfile, cri__security_profile__init);

        if (!p)
                return NULL;
        p->profile_type = unset;
        if (kube_is(wanted.type, "RuntimeDefault"))
                p->profile_type = CRI__SECURITY_PROFILE__PROFILE_TYPE__RuntimeDefault;
        else if (kube_is(wanted.type, "Unconfined"))
                p->profile_type = CRI__SECURITY_PROFILE__PROFILE_TYPE__Unconfined;
        else if (kube_is(wanted.type, "Localhost") && wanted.localhost_profile) {
                p->profile_type = CRI__SECURITY_PROFILE__PROFILE_TYPE__Localhost;
                p->localhost_ref = dir ? arena_printf(arena, "%s/%s", dir, wanted.localhost_profile) :
                                         (char *)wanted.localhost_profile;
        }
        return p->localhost_ref ? p : NULL;
}

bool request_groups(struct arena *arena, const struct kube_pod_security_context *security, int64_t **ret_groups,
                    size_t *ret_n) {
        int64_t *list;
        size_t n = 0;

        if (!(list = arena_alloc_array(arena, security->supplemental_groups.count + 1, sizeof(*list))))
                return false;
        if (security->fs_group.set)
                list[n++] = security->fs_group.value;
        list_for_each (group, &security->supplemental_groups)
                list[n++] = *group;
        *ret_groups = list;
        *ret_n = n;
        return true;
}

Cri__SupplementalGroupsPolicy request_groups_policy(const struct kube_pod_security_context *security) {
        return kube_is(security->supplemental_groups_policy, "Strict") ? CRI__SUPPLEMENTAL_GROUPS_POLICY__Strict :
                                                                         CRI__SUPPLEMENTAL_GROUPS_POLICY__Merge;
}
