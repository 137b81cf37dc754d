/* What the processes of a pod may. */
#include <string.h>

#include "api/admission/pod_security_check.h"
#include "lib/cleanup.h"

/* --- capabilities --- */

void pod_check_capabilities(struct pod_check *c) {
        static const char *const usual[] = { "AUDIT_WRITE", "CHOWN",  "DAC_OVERRIDE",     "FOWNER",  "FSETID",
                                             "KILL",        "MKNOD",  "NET_BIND_SERVICE", "SETFCAP", "SETGID",
                                             "SETPCAP",     "SETUID", "SYS_CHROOT" };
        struct pod_words bad = { 0 }, added = { 0 };

        POD_CHECK_EACH(container, c) {
                const struct kube_security_context *context = container->security_context;
                bool good = true;

                if (!context || !context->capabilities)
                        continue;
                list_for_each (name, &context->capabilities->add)
                        if (!pod_check_one_of(*name, usual, ELEMENTS(usual))) {
                                good = false;
                                pod_words_add(c, &added, *name);
                        }
                if (!good)
                        pod_words_add(c, &bad, container->name);
        }
        pod_words_settle(&added);
        if (bad.n > 0)
                pod_check_refuse(c, "non-default capabilities",
                                 "%s must not include %s in securityContext.capabilities.add",
                                 pod_words_containers(c, &bad), pod_words_quote(c, &added));
}

static bool drops_all(const struct kube_capabilities *capabilities) {
        list_for_each (name, &capabilities->drop)
                if (strcmp(*name, "ALL") == 0)
                        return true;
        return false;
}

void pod_check_dropped(struct pod_check *c) {
        struct pod_words kept = { 0 }, adding = { 0 }, added = { 0 }, details = { 0 };
        struct pod_check part = *c;

        POD_CHECK_EACH(container, c) {
                const struct kube_capabilities *capabilities =
                        container->security_context ? container->security_context->capabilities : NULL;
                uint32_t before = added.n;

                if (!capabilities || !drops_all(capabilities))
                        pod_words_add(c, &kept, container->name);
                if (!capabilities)
                        continue;
                list_for_each (name, &capabilities->add)
                        if (strcmp(*name, "NET_BIND_SERVICE") != 0)
                                pod_words_add(c, &added, *name);
                if (added.n > before)
                        pod_words_add(c, &adding, container->name);
        }
        pod_words_settle(&added);
        if (kept.n > 0) {
                pod_check_refuse(&part, "", "%s must set securityContext.capabilities.drop=[\"ALL\"]",
                                 pod_words_containers(c, &kept));
                pod_words_add(c, &details, part.detail);
        }
        if (adding.n > 0) {
                pod_check_refuse(&part, "", "%s must not include %s in securityContext.capabilities.add",
                                 pod_words_containers(c, &adding), pod_words_quote(c, &added));
                pod_words_add(c, &details, part.detail);
        }
        if (details.n > 0)
                pod_check_refuse(c, "unrestricted capabilities", "%s", pod_words_join(c, &details, "; "));
        c->error = c->error ?: part.error;
}

void pod_check_dropped_linux(struct pod_check *c) {
        if (!pod_check_is_windows(c))
                pod_check_dropped(c);
}

/* --- privileges --- */

void pod_check_escalation(struct pod_check *c) {
        struct pod_words bad = { 0 };

        POD_CHECK_EACH(container, c)
        if (!container->security_context || container->security_context->allow_privilege_escalation != TRI_FALSE)
                pod_words_add(c, &bad, container->name);
        if (bad.n > 0)
                pod_check_refuse(c, "allowPrivilegeEscalation != false",
                                 "%s must set securityContext.allowPrivilegeEscalation=false",
                                 pod_words_containers(c, &bad));
}

void pod_check_escalation_linux(struct pod_check *c) {
        if (!pod_check_is_windows(c))
                pod_check_escalation(c);
}

void pod_check_privileged(struct pod_check *c) {
        struct pod_words bad = { 0 };

        POD_CHECK_EACH(container, c)
        if (container->security_context && container->security_context->privileged == TRI_TRUE)
                pod_words_add(c, &bad, container->name);
        if (bad.n > 0)
                pod_check_refuse(c, "privileged", "%s must not set securityContext.privileged=true",
                                 pod_words_containers(c, &bad));
}

void pod_check_proc(struct pod_check *c) {
        struct pod_words bad = { 0 }, types = { 0 };

        POD_CHECK_EACH(container, c) {
                const char *type = container->security_context ? container->security_context->proc_mount : NULL;

                if (!type || strcmp(type, "Default") == 0)
                        continue;
                pod_words_add(c, &bad, container->name);
                pod_words_add(c, &types, type);
        }
        pod_words_settle(&types);
        if (bad.n > 0)
                pod_check_refuse(c, "procMount", "%s must not set securityContext.procMount to %s",
                                 pod_words_containers(c, &bad), pod_words_quote(c, &types));
}

void pod_check_proc_mapped(struct pod_check *c) {
        if (!pod_check_owns_users(c))
                pod_check_proc(c);
}

/* --- users --- */

void pod_check_not_root(struct pod_check *c) {
        const struct kube_pod_security_context *context = c->spec->security_context;
        enum tri of_pod = context ? context->run_as_non_root : TRI_UNSET;
        struct pod_words explicit = { 0 }, implicit = { 0 };
        const char *setters;

        POD_CHECK_EACH(container, c) {
                enum tri own = container->security_context ? container->security_context->run_as_non_root : TRI_UNSET;

                if (own == TRI_FALSE)
                        pod_words_add(c, &explicit, container->name);
                else if (own == TRI_UNSET && of_pod != TRI_TRUE)
                        pod_words_add(c, &implicit, container->name);
        }
        setters = pod_check_setters(c, of_pod == TRI_FALSE, &explicit);
        if (setters)
                pod_check_refuse(c, "runAsNonRoot != true", "%s must not set securityContext.runAsNonRoot=false",
                                 setters);
        else if (implicit.n > 0)
                pod_check_refuse(c, "runAsNonRoot != true", "pod or %s must set securityContext.runAsNonRoot=true",
                                 pod_words_containers(c, &implicit));
}

void pod_check_not_root_mapped(struct pod_check *c) {
        if (!pod_check_owns_users(c))
                pod_check_not_root(c);
}

static bool is_root(const struct opt_int *user) {
        return user->set && user->value == 0;
}

void pod_check_user(struct pod_check *c) {
        const struct kube_pod_security_context *context = c->spec->security_context;
        struct pod_words bad = { 0 };
        const char *setters;

        POD_CHECK_EACH(container, c)
        if (container->security_context && is_root(&container->security_context->run_as_user))
                pod_words_add(c, &bad, container->name);
        setters = pod_check_setters(c, context && is_root(&context->run_as_user), &bad);
        if (setters)
                pod_check_refuse(c, "runAsUser=0", "%s must not set runAsUser=0", setters);
}

void pod_check_user_mapped(struct pod_check *c) {
        if (!pod_check_owns_users(c))
                pod_check_user(c);
}
