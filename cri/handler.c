#include "cri/handler.h"

#include <string.h>

#include "cgroups/cgroup.h"
#include "cri/seccomp.h"

int handlers_read(struct cri *cri, struct err **err) {
        char *text = arena_strdup(cri->arena, cri->options.runtimes ? cri->options.runtimes : ""), *save = NULL;
        struct cri_handler *handlers = arena_alloc_array(cri->arena, HANDLERS_MAX, sizeof(*handlers));

        if (!text || !handlers)
                return err_set(err, ENOMEM, "out of memory");
        handlers[0].name = "";
        handlers[1].name = CRI_RUNTIME_NAME;
        cri->handlers = handlers;
        cri->n_handlers = 2;
        for (char *one = strtok_r(text, ",", &save); one; one = strtok_r(NULL, ",", &save)) {
                char *path = strchr(one, '=');

                if (!path || path == one || path[1] != '/')
                        return err_set(err, EINVAL, "runtime handler \"%s\": wants NAME=PATH, the path absolute", one);
                *path++ = '\0';
                if (handler_find(cri, one))
                        return err_set(err, EINVAL, "runtime handler \"%s\": named twice", one);
                if (cri->n_handlers == HANDLERS_MAX)
                        return err_set(err, EINVAL, "more than %d runtime handlers", HANDLERS_MAX);
                handlers[cri->n_handlers++] = (struct cri_handler){ .name = one, .path = path };
        }
        return 0;
}

const struct cri_handler *handler_find(const struct cri *cri, const char *name) {
        for (size_t i = 0; i < cri->n_handlers; i++)
                if (strcmp(cri->handlers[i].name, name) == 0)
                        return &cri->handlers[i];
        return NULL;
}

int handler_check(const struct cri *cri, const char *name, const Cri__PodSandboxConfig *config, struct err **err) {
        const struct cri_handler *handler = handler_find(cri, text_empty(name) ? "" : name);
        const Cri__UserNamespace *users = sandbox_namespaces(config)->userns_options;

        if (!handler)
                return err_set(err, EINVAL, "no runtime for \"%s\" is configured", name);
        if (handler->path && users && users->mode == CRI__NAMESPACE_MODE__POD)
                return err_set(err, EOPNOTSUPP, "runtime handler \"%s\" has no user namespaces", name);
        return 0;
}

int handler_fill(struct cri_container *container, struct arena *arena, const struct cgroup_device *rules, size_t n_rules,
                 struct container_spec *spec, struct err **err) {
        struct cri *cri = container->sandbox->cri;
        const char *name = container->sandbox->record->runtime_handler;
        const struct cri_handler *handler = handler_find(cri, name);
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
        *delegate = (struct delegate_spec){ .path = handler->path, .cgroup = cgroup, .rules = rules, .n_rules = n_rules };
        r = cgroup_full_path(cri->cgroups, container->cgroup, cgroup, err);
        if (r >= 0)
                r = seccomp_choose_oci(container, spec->process.capabilities.bounding, arena, &delegate->seccomp, err);
        spec->delegate = delegate;
        return r;
}

Cri__RuntimeHandler **handlers_status(const struct cri *cri, struct arena *arena) {
        Cri__RuntimeHandler **all = arena_alloc_array(arena, cri->n_handlers, sizeof(Cri__RuntimeHandler *));

        for (size_t i = 0; all && i < cri->n_handlers; i++) {
                Cri__RuntimeHandlerFeatures *features = arena_message(arena, &cri__runtime_handler_features__descriptor);

                all[i] = arena_message(arena, &cri__runtime_handler__descriptor);
                if (!all[i] || !features)
                        return NULL;
                all[i]->name = (char *)(uintptr_t)cri->handlers[i].name;
                all[i]->features = features;
                features->recursive_read_only_mounts = true;
                features->user_namespaces = !cri->handlers[i].path;
        }
        return all;
}
