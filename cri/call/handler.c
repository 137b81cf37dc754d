#include "cri/call/handler.h"

#include <string.h>

#include "cgroups/cgroup.h"
#include "cri/container/seccomp.h"

/* Always there. */
static const struct cri_handler own[] = { { .name = "" }, { .name = CRI_RUNTIME_NAME } };

static const struct cri_handler *handler_at(const struct cri *cri, size_t i) {
        return i < ELEMENTS(own)                   ? &own[i] :
               i - ELEMENTS(own) < cri->n_handlers ? &cri->handlers[i - ELEMENTS(own)] :
                                                     NULL;
}

static const struct cri_handler *find(const struct cri *cri, const char *name) {
        const struct cri_handler *handler;

        for (size_t i = 0; (handler = handler_at(cri, i)); i++)
                if (strcmp(handler->name, name) == 0)
                        return handler;
        return NULL;
}

int handlers_read(struct cri *cri, struct err **err) {
        char *text = arena_strdup(cri->arena, cri->options.runtimes ? cri->options.runtimes : ""), *save = NULL;
        struct cri_handler *handlers = arena_alloc_array(cri->arena, HANDLERS_MAX, sizeof(*handlers));

        if (!text || !handlers)
                return err_set(err, ENOMEM, "out of memory");
        cri->handlers = handlers;
        for (char *one = strtok_r(text, ",", &save); one; one = strtok_r(NULL, ",", &save)) {
                char *path = strchr(one, '=');

                if (!path || path == one || path[1] != '/')
                        return err_set(err, EINVAL, "runtime handler \"%s\": wants NAME=PATH, the path absolute", one);
                *path++ = '\0';
                if (find(cri, one))
                        return err_set(err, EINVAL, "runtime handler \"%s\": named twice", one);
                if (cri->n_handlers == HANDLERS_MAX)
                        return err_set(err, EINVAL, "more than %d runtime handlers", HANDLERS_MAX);
                handlers[cri->n_handlers++] = (struct cri_handler){ .name = one, .path = path };
        }
        return 0;
}

int handler_check(const struct cri *cri, const char *name, const Cri__PodSandboxConfig *config, struct err **err) {
        const struct cri_handler *handler = find(cri, text_empty(name) ? "" : name);
        const Cri__UserNamespace *users = cri_sandbox_namespaces(config)->userns_options;

        if (!handler)
                return err_set(err, EINVAL, "no runtime for \"%s\" is configured", name);
        if (handler->path && users && users->mode == CRI__NAMESPACE_MODE__POD)
                return err_set(err, EOPNOTSUPP, "runtime handler \"%s\" has no user namespaces", name);
        return 0;
}

int handler_fill(struct cri_container *container, struct arena *arena, const struct cgroup_device *rules,
                 size_t n_rules, struct container_spec *spec, struct err **err) {
        struct cri *cri = container->sandbox->cri;
        const char *name = container->sandbox->record->runtime_handler;
        const struct cri_handler *handler = find(cri, name);
        struct delegate_spec *delegate;
        char *cgroup;
        int r;

        if (!handler)
                return err_set(err, ENOENT, "the pod's runtime handler \"%s\" is not configured any more", name);
        if (!handler->path)
                return 0;
        delegate = arena_alloc(arena, sizeof(*delegate));
        cgroup = arena_alloc(arena, CGROUP_PATH_MAX);
        if (!delegate || !cgroup)
                return err_set(err, ENOMEM, "out of memory");
        *delegate =
                (struct delegate_spec){ .path = handler->path, .cgroup = cgroup, .rules = rules, .n_rules = n_rules };
        if ((r = cgroup_full_path(cri->cgroups, container->cgroup, cgroup, err)) < 0 ||
            (r = seccomp_choose_oci(container, spec->process.capabilities.bounding, arena, &delegate->seccomp, err)) <
                    0)
                return r;
        spec->delegate = delegate;
        return 0;
}

Cri__RuntimeHandler **handlers_status(const struct cri *cri, struct arena *arena, size_t *ret_n) {
        Cri__RuntimeHandler **all =
                arena_alloc_array(arena, ELEMENTS(own) + cri->n_handlers, sizeof(Cri__RuntimeHandler *));
        const struct cri_handler *handler;
        size_t n = 0;

        for (; all && (handler = handler_at(cri, n)); n++) {
                Cri__RuntimeHandlerFeatures *features = message_new(arena, &cri__runtime_handler_features__descriptor);

                all[n] = message_new(arena, &cri__runtime_handler__descriptor);
                if (!all[n] || !features)
                        return NULL;
                all[n]->name = (char *)(uintptr_t)handler->name;
                all[n]->features = features;
                features->recursive_read_only_mounts = true;
                features->user_namespaces = !handler->path;
        }
        *ret_n = n;
        return all;
}
