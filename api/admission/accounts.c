/* ServiceAccount: a pod runs as an account that is there, and has its token. */
#include <errno.h>
#include <string.h>

#include "api/admission/account_token.h"
#include "api/admission/account_wait.h"
#include "api/admission/builtin.h"
#include "api/rbac/graph.h"
#include "api/rest/meta.h"
#include "api/server/request.h"
#include "api/server/status.h"
#include "kube/core_v1.h"
#include "kube/kinds.h"
#include "lib/value.h"

#define MIRROR "kubernetes.io/config.mirror"

static bool is_mirror(const struct kube_pod *pod) {
        return string_map_get(&pod->metadata.annotations, MIRROR);
}

static int see_reference(void *data, enum rbac_vertex vertex, const char *name) {
        *(bool *)data |= vertex == RBAC_SECRET;
        return 0;
}

static bool projects_token(const struct kube_pod *pod) {
        list_for_each (volume, &pod->spec.volumes)
                if (volume->projected)
                        list_for_each (source, &volume->projected->sources)
                                if (source->service_account_token)
                                        return true;
        return false;
}

/* What a node tells of its static pods needs nothing of the API. */
static enum api_step check_mirror(struct admission *a, const struct kube_pod *pod) {
        bool secrets = false;

        if (pod->spec.service_account_name && *pod->spec.service_account_name)
                return admission_forbid(a, "a mirror pod may not reference service accounts");
        rbac_pod_references(a->r->next, see_reference, &secrets);
        if (secrets)
                return admission_forbid(a, "a mirror pod may not reference secrets");
        if (projects_token(pod))
                return admission_forbid(a, "a mirror pod may not use ServiceAccountToken volume projections");
        return API_NEXT;
}

/* API_NEXT with *ret_account, or the answer. @waits: for the account that each namespace gets. */
static enum api_step find_account(struct admission *a, const struct kube_pod *pod, bool waits,
                                  const struct kube_service_account **ret_account) {
        const char *name = pod->spec.service_account_name ?: "";
        enum api_step step = API_NEXT;
        const void *found;
        int error;

        if (!*name)
                return admission_forbid(a, "no service account specified for pod %s/%s", a->namespace,
                                        pod->metadata.name ?: "");
        error = admission_get(a, "", "serviceaccounts", a->namespace, name, &found);
        if (error == -ENOENT && waits && strcmp(name, "default") == 0)
                step = account_wait(a);
        if (step != API_NEXT)
                return step;
        if (error == -ENOENT)
                return admission_forbid(a, "error looking up service account %s/%s: serviceaccount \"%s\" not found",
                                        a->namespace, name, name);
        if (error < 0)
                return api_fail(a->r, error, NULL);
        *ret_account = found;
        return API_NEXT;
}

static enum api_step check_secrets(struct admission *a, const struct kube_pod *pod, bool ephemeral,
                                   const struct kube_service_account *account) {
        const char *text = NULL;
        int error = account_secrets_check(a->arena, account, pod, ephemeral, &text);

        if (error < 0)
                return api_fail(a->r, error, NULL);
        return text ? admission_forbid(a, "%s", text) : API_NEXT;
}

static bool wants_token(const struct kube_service_account *account, const struct kube_pod *pod) {
        if (pod->spec.automount_service_account_token != TRI_UNSET)
                return pod->spec.automount_service_account_token == TRI_TRUE;
        return account->automount_service_account_token != TRI_FALSE;
}

/* What the account has for its pods. */
static int give(struct admission *a, struct kube_pod *pod, const struct kube_service_account *account) {
        const char *volume;

        a->changed = true;
        if (pod->spec.image_pull_secrets.count == 0)
                pod->spec.image_pull_secrets = account->image_pull_secrets;
        if (!wants_token(account, pod))
                return 0;
        volume = api_meta_generate(a->r, ACCOUNT_TOKEN_VOLUME);
        return volume ? account_token_mount(a->arena, pod, volume) : -ENOMEM;
}

enum api_step admission_give_account(struct admission *a) {
        const struct kube_service_account *account;
        struct kube_pod *pod;
        enum api_step step;
        int error;

        if (a->operation != ADMISSION_CREATE || a->r->sub)
                return API_NEXT;
        if (!(pod = admission_object(a)))
                return API_END;
        if (is_mirror(pod))
                return check_mirror(a, pod);
        if (!pod->spec.service_account_name || !*pod->spec.service_account_name)
                pod->spec.service_account_name = "default";
        pod->spec.service_account = pod->spec.service_account_name; /* the older name of the same */
        step = find_account(a, pod, true, &account);
        if (step != API_NEXT)
                return step;
        error = give(a, pod, account);
        return error < 0 ? api_fail(a->r, error, NULL) : check_secrets(a, pod, false, account);
}

/* Of a new pod all was looked at before, and nothing that comes between changes it. A plugin that does (a webhook) has
 * this look again. */
enum api_step admission_check_account(struct admission *a) {
        bool ephemeral = a->r->sub && strcmp(a->r->sub->name, "ephemeralcontainers") == 0;
        const struct kube_service_account *account;
        const struct kube_pod *pod;
        enum api_step step;

        if (a->operation == ADMISSION_CREATE || !ephemeral)
                return API_NEXT;
        if (!(pod = admission_object(a)))
                return API_END;
        step = find_account(a, pod, false, &account);
        return step == API_NEXT ? check_secrets(a, pod, true, account) : step;
}
