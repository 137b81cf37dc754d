/* An account that says so limits its pods to the secrets that it names. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "api/admission/account_token.h"
#include "lib/arena.h"
#include "lib/texts.h"

struct search {
        struct arena *arena;
        const struct kube_service_account *account;
        const char **known; /* the names of its secrets, sorted */
        const char *text;   /* what was found */
        int error;
};

static int begin(struct search *s) {
        uint32_t n = 0;

        s->known = arena_alloc_array(s->arena, s->account->secrets.count, sizeof(*s->known));
        if (!s->known)
                return -ENOMEM;
        list_for_each (secret, &s->account->secrets)
                s->known[n++] = secret->name ?: "";
        if (n > 0)
                qsort(s->known, n, sizeof(*s->known), texts_order);
        return 0;
}

static bool knows(const struct search *s, const char *name) {
        uint32_t n = s->account->secrets.count;

        return n > 0 && bsearch(&name, s->known, n, sizeof(*s->known), texts_order);
}

static void tell(struct search *s, const char *text) {
        s->text = text;
        s->error = text ? 0 : -ENOMEM;
}

static bool is_done(const struct search *s) {
        return s->text || s->error < 0;
}

static void look_at_container(struct search *s, const char *what, const struct kube_container *c) {
        const char *account = s->account->metadata.name ?: "";

        list_for_each (env, &c->env) {
                const struct kube_secret_key_selector *ref = env->value_from ? env->value_from->secret_key_ref : NULL;

                if (!is_done(s) && ref && !knows(s, ref->name ?: ""))
                        tell(s, arena_printf(s->arena,
                                             "%s %s with envVar %s referencing secret.secretName=\"%s\" is not "
                                             "allowed because service account %s does not reference that secret",
                                             what, c->name ?: "", env->name ?: "", ref->name ?: "", account));
        }
        list_for_each (from, &c->env_from)
                if (!is_done(s) && from->secret_ref && !knows(s, from->secret_ref->name ?: ""))
                        tell(s, arena_printf(s->arena,
                                             "%s %s with envFrom referencing secret.secretName=\"%s\" is not allowed "
                                             "because service account %s does not reference that secret",
                                             what, c->name ?: "", from->secret_ref->name ?: "", account));
}

static void look_at_volumes(struct search *s, const struct kube_pod *pod) {
        list_for_each (volume, &pod->spec.volumes) {
                const char *name = volume->secret ? volume->secret->secret_name ?: "" : NULL;

                if (!is_done(s) && name && !knows(s, name))
                        tell(s, arena_printf(s->arena,
                                             "volume with secret.secretName=\"%s\" is not allowed because service "
                                             "account %s does not reference that secret",
                                             name, s->account->metadata.name ?: ""));
        }
}

static bool knows_pull_secret(const struct search *s, const char *name) {
        list_for_each (secret, &s->account->image_pull_secrets)
                if (strcmp(secret->name ?: "", name) == 0)
                        return true;
        return false;
}

static void look_at_pull_secrets(struct search *s, const struct kube_pod *pod) {
        unsigned i = 0;

        list_for_each (ref, &pod->spec.image_pull_secrets) {
                if (!is_done(s) && !knows_pull_secret(s, ref->name ?: ""))
                        tell(s, arena_printf(s->arena,
                                             "imagePullSecrets[%u].name=\"%s\" is not allowed because service account "
                                             "%s does not reference that imagePullSecret",
                                             i, ref->name ?: "", s->account->metadata.name ?: ""));
                i++;
        }
}

/* As Go's strconv.ParseBool() takes it. */
static bool is_true(const char *text) {
        static const char *const words[] = { "1", "t", "T", "TRUE", "true", "True" };

        for (unsigned i = 0; text && i < sizeof(words) / sizeof(words[0]); i++)
                if (strcmp(words[i], text) == 0)
                        return true;
        return false;
}

int account_secrets_check(struct arena *arena, const struct kube_service_account *account, const struct kube_pod *pod,
                          bool ephemeral, const char **ret_text) {
        struct search s = { .arena = arena, .account = account };

        if (is_true(string_map_get(&account->metadata.annotations, "kubernetes.io/enforce-mountable-secrets"))) {
                s.error = begin(&s);
                if (s.error < 0)
                        return s.error;
                if (ephemeral) {
                        list_for_each (c, &pod->spec.ephemeral_containers)
                                look_at_container(&s, "ephemeral container", &c->container);
                } else {
                        look_at_volumes(&s, pod);
                        list_for_each (c, &pod->spec.init_containers)
                                look_at_container(&s, "init container", c);
                        list_for_each (c, &pod->spec.containers)
                                look_at_container(&s, "container", c);
                        look_at_pull_secrets(&s, pod);
                }
        }
        if (s.error == 0)
                *ret_text = s.text;
        return s.error;
}
