#include "kube/pod/tolerations.h"

#include <string.h>

static bool is_none_or(const char *text, const char *word) {
        return !text || !*text || kube_is(text, word ?: "");
}

static bool tolerates(const struct kube_toleration *t, const struct kube_taint *taint) {
        if (!is_none_or(t->effect, taint->effect) || !is_none_or(t->key, taint->key))
                return false;
        if (kube_is(t->operator, "Exists"))
                return true;
        return is_none_or(t->operator, "Equal") && strcmp(t->value ?: "", taint->value ?: "") == 0;
}

const struct kube_toleration *pod_toleration_of(const kube_toleration_items *tolerations,
                                                const struct kube_taint *taint) {
        list_for_each (t, tolerations)
                if (tolerates(t, taint))
                        return t;
        return NULL;
}
