/* What confines the processes of a pod. */
#include <errno.h>
#include <string.h>

#include "api/admission/pod_security_check.h"
#include "lib/arena.h"
#include "lib/cleanup.h"
#include "lib/go_text.h"

#define APP_ARMOR_PREFIX "container.apparmor.security.beta.kubernetes.io/"
#define SECCOMP_POD "seccomp.security.alpha.kubernetes.io/pod"
#define SECCOMP_PREFIX "container.seccomp.security.alpha.kubernetes.io/"

static bool begins(const char *text, const char *prefix) {
        return strncmp(text, prefix, strlen(prefix)) == 0;
}

/* As kubelet confines by default, or by a profile of the node. */
static bool is_confining(const char *type) {
        return kube_is(type, "RuntimeDefault") || kube_is(type, "Localhost");
}

/* `KEY="VALUE"` */
static void add_annotation(struct pod_check *c, struct pod_words *words, const char *key, const char *value) {
        const char *quoted = go_text_quote(c->arena, value),
                   *text = quoted ? arena_printf(c->arena, "%s=%s", key, quoted) : NULL;

        pod_words_add_made(c, words, text);
}

/* --- AppArmor --- */

static void find_annotations(struct pod_check *c, struct pod_words *found) {
        list_for_each (pair, c->annotations) {
                const char *value = pair->value ?: "";

                if (begins(pair->key, APP_ARMOR_PREFIX) && *value && strcmp(value, "runtime/default") != 0 &&
                    !begins(value, "localhost/"))
                        add_annotation(c, found, pair->key, value);
        }
        pod_words_settle(found);
}

void pod_check_app_armor(struct pod_check *c) {
        const struct kube_pod_security_context *context = c->spec->security_context;
        const struct kube_app_armor_profile *own = context ? context->app_armor_profile : NULL;
        struct pod_words bad = { 0 }, values = { 0 }, annotations = { 0 }, setters = { 0 };
        bool pod = own && !is_confining(own->type);

        if (pod)
                pod_words_add(c, &values, own->type);
        POD_CHECK_EACH(container, c) {
                const struct kube_app_armor_profile *profile =
                        container->security_context ? container->security_context->app_armor_profile : NULL;

                if (!profile || is_confining(profile->type))
                        continue;
                pod_words_add(c, &bad, container->name);
                pod_words_add(c, &values, profile->type);
        }
        pod_words_settle(&values);
        find_annotations(c, &annotations);
        if (pod)
                pod_words_add(c, &setters, "pod");
        if (bad.n > 0)
                pod_words_add(c, &setters, pod_words_containers(c, &bad));
        if (annotations.n > 0)
                pod_words_add(c, &setters, annotations.n == 1 ? "annotation" : "annotations");
        for (uint32_t i = 0; i < annotations.n; i++)
                pod_words_add(c, &values, annotations.items[i]);
        if (setters.n > 0)
                pod_check_refuse(c, values.n == 1 ? "forbidden AppArmor profile" : "forbidden AppArmor profiles",
                                 "%s must not set AppArmor profile type to %s", pod_words_join(c, &setters, " and "),
                                 pod_words_quote(c, &values));
}

/* --- SELinux --- */

struct se_linux {
        struct pod_words types;
        bool user, role;
};

static bool is_plain_label(struct pod_check *c, const struct kube_se_linux_options *options, struct se_linux *found) {
        static const char *const types[] = { "", "container_t", "container_init_t", "container_kvm_t",
                                             "container_engine_t" };
        uint32_t n = c->minor >= 31 ? ELEMENTS(types) : ELEMENTS(types) - 1;
        bool type = pod_check_one_of(options->type ?: "", types, n), user = options->user && *options->user,
             role = options->role && *options->role;

        if (!type)
                pod_words_add(c, &found->types, options->type);
        found->user |= user;
        found->role |= role;
        return type && !user && !role;
}

void pod_check_se_linux(struct pod_check *c) {
        const struct kube_pod_security_context *context = c->spec->security_context;
        struct pod_words bad = { 0 }, data = { 0 };
        struct se_linux found = { 0 };
        const char *setters;
        bool pod = context && context->se_linux_options && !is_plain_label(c, context->se_linux_options, &found);

        POD_CHECK_EACH(container, c)
        if (container->security_context && container->security_context->se_linux_options &&
            !is_plain_label(c, container->security_context->se_linux_options, &found))
                pod_words_add(c, &bad, container->name);
        setters = pod_check_setters(c, pod, &bad);
        if (!setters)
                return;
        pod_words_settle(&found.types);
        if (found.types.n > 0)
                pod_words_add_made(c, &data,
                                   arena_printf(c->arena, "%s %s", found.types.n == 1 ? "type" : "types",
                                                pod_words_quote(c, &found.types)));
        if (found.user)
                pod_words_add(c, &data, "user may not be set");
        if (found.role)
                pod_words_add(c, &data, "role may not be set");
        pod_check_refuse(c, "seLinuxOptions", "%s set forbidden securityContext.seLinuxOptions: %s", setters,
                         pod_words_join(c, &data, "; "));
}

/* --- seccomp --- */

static void look_at_annotation(struct pod_check *c, struct pod_words *found, const char *key) {
        const char *value = string_map_get(c->annotations, key);

        if (value && strcmp(value, "runtime/default") != 0 && strcmp(value, "docker/default") != 0 &&
            !begins(value, "localhost/"))
                add_annotation(c, found, key, value);
}

void pod_check_seccomp_annotations(struct pod_check *c) {
        struct pod_words found = { 0 };

        look_at_annotation(c, &found, SECCOMP_POD);
        POD_CHECK_EACH(container, c) {
                const char *key = arena_printf(c->arena, SECCOMP_PREFIX "%s", container->name ?: "");

                if (key)
                        look_at_annotation(c, &found, key);
                else
                        c->error = -ENOMEM;
        }
        pod_words_settle(&found);
        if (found.n > 0)
                pod_check_refuse(c, "seccompProfile", "forbidden %s %s", found.n == 1 ? "annotation" : "annotations",
                                 pod_words_join(c, &found, ", "));
}

/* @given: who has none is refused as well. */
static void check_seccomp(struct pod_check *c, bool given) {
        const struct kube_pod_security_context *context = c->spec->security_context;
        const struct kube_seccomp_profile *own = context ? context->seccomp_profile : NULL;
        struct pod_words explicit = { 0 }, implicit = { 0 }, values = { 0 };
        bool pod = own && !is_confining(own->type);
        const char *setters;

        if (pod)
                pod_words_add(c, &values, own->type);
        POD_CHECK_EACH(container, c) {
                const struct kube_seccomp_profile *profile =
                        container->security_context ? container->security_context->seccomp_profile : NULL;

                if (profile && !is_confining(profile->type)) {
                        pod_words_add(c, &explicit, container->name);
                        pod_words_add(c, &values, profile->type);
                } else if (!profile && (!own || pod)) {
                        pod_words_add(c, &implicit, container->name);
                }
        }
        pod_words_settle(&values);
        setters = pod_check_setters(c, pod, &explicit);
        if (setters)
                pod_check_refuse(c, "seccompProfile", "%s must not set securityContext.seccompProfile.type to %s",
                                 setters, pod_words_quote(c, &values));
        else if (given && implicit.n > 0)
                pod_check_refuse(c, "seccompProfile",
                                 "pod or %s must set securityContext.seccompProfile.type to \"RuntimeDefault\" or "
                                 "\"Localhost\"",
                                 pod_words_containers(c, &implicit));
}

void pod_check_seccomp(struct pod_check *c) {
        check_seccomp(c, false);
}

void pod_check_seccomp_given(struct pod_check *c) {
        check_seccomp(c, true);
}

void pod_check_seccomp_given_linux(struct pod_check *c) {
        if (!pod_check_is_windows(c))
                check_seccomp(c, true);
}
