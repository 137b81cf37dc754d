#include "cri/state/state.h"

#include <string.h>
#include <sys/random.h>

#include "cri/state/exits.h"
#include "lib/clock.h"
#include "lib/handle.h"

/* For what is added to a sandbox or container once it is there. */
#define SPARE_BYTES 192

int64_t cri_now(void) {
        return clock_ns(CLOCK_REALTIME);
}

int64_t cri_creation_time(struct cri *cri) {
        int64_t now = cri_now();

        if (now <= cri->last_created)
                now = cri->last_created + 1;
        cri->last_created = now;
        return now;
}

void cri_random_id(char ret_id[CRI_ID_LENGTH + 1]) {
        static const char digits[] = "0123456789abcdef";
        unsigned char bytes[CRI_ID_LENGTH / 2];

        while (getrandom(bytes, sizeof(bytes), 0) != (ssize_t)sizeof(bytes))
                ;
        for (size_t i = 0; i < sizeof(bytes); i++) {
                ret_id[2 * i] = digits[bytes[i] >> 4];
                ret_id[2 * i + 1] = digits[bytes[i] & 15];
        }
        ret_id[CRI_ID_LENGTH] = '\0';
}

static char *sandbox_name(struct arena *arena, const Cri__PodSandboxMetadata *metadata) {
        return arena_printf(arena, "%s_%s_%s_%u", metadata->name, metadata->namespace_, metadata->uid,
                            metadata->attempt);
}

char *cri_container_name(struct arena *arena, const Cri__ContainerMetadata *metadata,
                         const Cri__PodSandboxMetadata *pod) {
        return arena_printf(arena, "%s_%s_%s_%s_%u", metadata->name, pod->name, pod->namespace_, pod->uid,
                            metadata->attempt);
}

static int name_taken(struct err **err, const char *what, const char *name, const char *holder) {
        return err_set(err, EEXIST, "failed to reserve %s name \"%s\": name \"%s\" is reserved for \"%s\"", what, name,
                       name, holder);
}

static void sandbox_link(struct cri *cri, struct cri_sandbox *sandbox) {
        struct cri_sandbox *before = cri->last_sandbox;

        /* Records come back in the directory's order, so the place by age is looked for from the end. */
        while (before && before->record->created_at > sandbox->record->created_at)
                before = before->older;
        sandbox->older = before;
        sandbox->newer = before ? before->newer : cri->first_sandbox;
        *(sandbox->newer ? &sandbox->newer->older : &cri->last_sandbox) = sandbox;
        *(before ? &before->newer : &cri->first_sandbox) = sandbox;
}

/* What the record is made of, in the sandbox's own arena. */
static int sandbox_read(struct cri_sandbox *sandbox, const Record__Sandbox *record, struct err **err) {
        Record__Sandbox shallow = *record;

        if (text_empty(record->id))
                return err_set(err, EBADMSG, "the record is no sandbox");
        shallow.config = (ProtobufCBinaryData){ 0 };
        sandbox->record = sandbox->arena ? message_copy(sandbox->arena, &shallow.base) : NULL;
        if (!sandbox->record)
                return err_set(err, ENOMEM, "out of memory");
        sandbox->config = message_unpack(sandbox->arena, &cri__pod_sandbox_config__descriptor, record->config.data,
                                         record->config.len);
        if (!sandbox->config && errno == ENOMEM)
                return err_set(err, ENOMEM, "out of memory");
        if (!sandbox->config || !sandbox->config->metadata)
                return err_set(err, EBADMSG, "the record is no sandbox");
        sandbox->id = sandbox->record->id;
        sandbox->ips = (const char *const *)sandbox->record->ips;
        sandbox->n_ips = sandbox->record->n_ips;
        sandbox->cgroup = sandbox->record->cgroup;
        sandbox->by_name.key = sandbox_name(sandbox->arena, sandbox->config->metadata);
        return sandbox->by_name.key ? 0 : err_set(err, ENOMEM, "out of memory");
}

/* In memory of just its size, and some for the addresses that it is still to get. */
static int sandbox_keep(struct cri_sandbox *sandbox, const Record__Sandbox *record, struct err **err) {
        _cleanup_arena_ struct arena *large = NULL;
        int r = sandbox_read(sandbox, record, err);

        if (r < 0)
                return r;
        large = sandbox->arena;
        sandbox->arena = arena_new_like(large, SPARE_BYTES);
        return sandbox_read(sandbox, record, err);
}

static int sandbox_enter(struct cri *cri, struct cri_sandbox *sandbox, struct err **err) {
        struct cri_sandbox *holder;

        if (table_add(&cri->sandbox_names, &sandbox->by_name, sandbox->by_name.key) < 0) {
                holder = table_object(table_find(&cri->sandbox_names, sandbox->by_name.key), struct cri_sandbox,
                                      by_name);
                return holder ? name_taken(err, "sandbox", holder->by_name.key, holder->id) :
                                err_set(err, ENOMEM, "out of memory");
        }
        if (table_add(&cri->sandboxes, &sandbox->by_id, sandbox->id) < 0) {
                table_remove(&cri->sandbox_names, &sandbox->by_name);
                return err_set(err, EEXIST, "there are two sandboxes of this id");
        }
        return 0;
}

int cri_sandbox_new(struct cri *cri, const Record__Sandbox *record, struct cri_sandbox **ret_sandbox,
                    struct err **err) {
        struct cri_sandbox *sandbox = calloc(1, sizeof(*sandbox));
        int r;

        if (!sandbox)
                return err_set(err, ENOMEM, "out of memory");
        *sandbox = (struct cri_sandbox){ .cri = cri, .refs = 1, .arena = arena_new() };
        if ((r = sandbox_keep(sandbox, record, err)) < 0 || (r = sandbox_enter(cri, sandbox, err)) < 0) {
                cri_sandbox_unref(sandbox);
                return r;
        }
        sandbox_link(cri, sandbox);
        *ret_sandbox = sandbox;
        return 0;
}

void cri_sandbox_remove(struct cri_sandbox *sandbox) {
        struct cri *cri = sandbox->cri;

        if (sandbox->removed)
                return;
        sandbox->removed = true;
        table_remove(&cri->sandboxes, &sandbox->by_id);
        table_remove(&cri->sandbox_names, &sandbox->by_name);
        *(sandbox->older ? &sandbox->older->newer : &cri->first_sandbox) = sandbox->newer;
        *(sandbox->newer ? &sandbox->newer->older : &cri->last_sandbox) = sandbox->older;
        cri_sandbox_unref(sandbox);
}

struct cri_sandbox *cri_sandbox_ref(struct cri_sandbox *sandbox) {
        if (sandbox)
                sandbox->refs++;
        return sandbox;
}

struct cri_sandbox *cri_sandbox_unref(struct cri_sandbox *sandbox) {
        if (sandbox && --sandbox->refs == 0) {
                handle_free(sandbox->await_timer);
                arena_free(sandbox->arena);
                free(sandbox);
        }
        return NULL;
}

static void container_link(struct cri *cri, struct cri_container *container) {
        struct cri_container *before = cri->last_container, **at = &container->sandbox->containers;

        while (before && before->record->created_at > container->record->created_at)
                before = before->older;
        container->older = before;
        container->newer = before ? before->newer : cri->first_container;
        *(container->newer ? &container->newer->older : &cri->last_container) = container;
        *(before ? &before->newer : &cri->first_container) = container;

        while (*at && (*at)->record->created_at <= container->record->created_at)
                at = &(*at)->next_in_sandbox;
        container->next_in_sandbox = *at;
        *at = container;
}

/* What the record is made of, in the container's own arena. */
static int container_read(struct cri_container *container, const Record__Container *record, struct err **err) {
        struct arena *arena = container->arena;
        Record__Container shallow = *record;

        if (text_empty(record->id))
                return err_set(err, EBADMSG, "the record is no container");
        shallow.config = shallow.resources = (ProtobufCBinaryData){ 0 };
        container->record = arena ? message_copy(arena, &shallow.base) : NULL;
        if (!container->record)
                return err_set(err, ENOMEM, "out of memory");
        container->config =
                message_unpack(arena, &cri__container_config__descriptor, record->config.data, record->config.len);
        if (!container->config && errno == ENOMEM)
                return err_set(err, ENOMEM, "out of memory");
        if (!container->config || !container->config->metadata)
                return err_set(err, EBADMSG, "the record is no container");
        if (container->config->linux)
                container->resources = container->config->linux->resources;
        if (record->resources.len > 0)
                container->resources = message_unpack(arena, &cri__linux_container_resources__descriptor,
                                                      record->resources.data, record->resources.len);
        if (!container->resources && record->resources.len > 0)
                return err_set(err, errno, "container %s: its limits", record->id);
        container->id = container->record->id;
        container->cgroup = arena_printf(arena, "%s/%s", container->sandbox->cgroup, container->id);
        container->by_name.key =
                cri_container_name(arena, container->config->metadata, container->sandbox->config->metadata);
        container->end_job = exits_end_job(arena);
        return container->cgroup && container->by_name.key && container->end_job ?
                       0 :
                       err_set(err, ENOMEM, "out of memory");
}

/* In memory of just its size, and some for how it is to end. */
static int container_keep(struct cri_container *container, const Record__Container *record, struct err **err) {
        _cleanup_arena_ struct arena *large = NULL;
        int r = container_read(container, record, err);

        if (r < 0)
                return r;
        large = container->arena;
        container->arena = arena_new_like(large, SPARE_BYTES);
        return container_read(container, record, err);
}

static int container_enter(struct cri *cri, struct cri_container *container, struct err **err) {
        struct cri_container *holder;

        if (table_add(&cri->container_names, &container->by_name, container->by_name.key) < 0) {
                holder = table_object(table_find(&cri->container_names, container->by_name.key), struct cri_container,
                                      by_name);
                return holder ? name_taken(err, "container", holder->by_name.key, holder->id) :
                                err_set(err, ENOMEM, "out of memory");
        }
        if (table_add(&cri->containers, &container->by_id, container->id) < 0) {
                table_remove(&cri->container_names, &container->by_name);
                return err_set(err, EEXIST, "there are two containers of this id");
        }
        return 0;
}

int cri_container_new(struct cri_sandbox *sandbox, const Record__Container *record,
                      struct cri_container **ret_container, struct err **err) {
        struct cri_container *container = calloc(1, sizeof(*container));
        int r;

        if (!container)
                return err_set(err, ENOMEM, "out of memory");
        *container = (struct cri_container){ .refs = 1, .arena = arena_new(), .reason = "" };
        container->sandbox = cri_sandbox_ref(sandbox);
        if ((r = container_keep(container, record, err)) < 0 ||
            (r = container_enter(sandbox->cri, container, err)) < 0) {
                cri_container_unref(container);
                return r;
        }
        container_link(sandbox->cri, container);
        *ret_container = container;
        return 0;
}

void cri_container_remove(struct cri_container *container) {
        struct cri_container **at = &container->sandbox->containers;
        struct cri *cri = container->sandbox->cri;

        if (container->removed)
                return;
        container->removed = true;
        table_remove(&cri->containers, &container->by_id);
        table_remove(&cri->container_names, &container->by_name);
        *(container->older ? &container->older->newer : &cri->first_container) = container->newer;
        *(container->newer ? &container->newer->older : &cri->last_container) = container->older;
        while (*at && *at != container)
                at = &(*at)->next_in_sandbox;
        if (*at)
                *at = container->next_in_sandbox;
        cri_container_unref(container);
}

struct cri_container *cri_container_ref(struct cri_container *container) {
        if (container)
                container->refs++;
        return container;
}

struct cri_container *cri_container_unref(struct cri_container *container) {
        if (container && --container->refs == 0) {
                cri_sandbox_unref(container->sandbox);
                arena_free(container->resources_arena);
                arena_free(container->arena);
                free(container->message);
                free(container);
        }
        return NULL;
}

/* The one object whose id begins with @prefix. */
#define FIND_BY_PREFIX(first, prefix, ret_n)                                                                           \
        ({                                                                                                             \
                size_t _length = strlen(prefix);                                                                       \
                __typeof__(first) _found = NULL;                                                                       \
                *(ret_n) = 0;                                                                                          \
                for (__typeof__(first) _o = (first); _o && _length > 0; _o = _o->newer)                                \
                        if (!_o->hidden && strncmp(_o->id, (prefix), _length) == 0) {                                  \
                                _found = _o;                                                                           \
                                ++*(ret_n);                                                                            \
                        }                                                                                              \
                _found;                                                                                                \
        })

int cri_sandbox_find(struct cri *cri, const char *id, struct cri_sandbox **ret_sandbox, struct err **err) {
        struct cri_sandbox *sandbox = table_object(table_find(&cri->sandboxes, id), struct cri_sandbox, by_id);
        unsigned n = 1;

        if (!sandbox || sandbox->hidden)
                sandbox = FIND_BY_PREFIX(cri->first_sandbox, id, &n);
        if (!*id)
                return err_set(err, EINVAL, "the sandbox id is empty");
        if (n > 1)
                return err_set(err, EINVAL, "sandbox id \"%.128s\" is the beginning of several", id);
        if (!sandbox)
                return err_set(err, ENOENT, "an error occurred when try to find sandbox \"%.128s\": not found", id);
        *ret_sandbox = sandbox;
        return 0;
}

int cri_container_find(struct cri *cri, const char *id, struct cri_container **ret_container, struct err **err) {
        struct cri_container *container = table_object(table_find(&cri->containers, id), struct cri_container, by_id);
        unsigned n = 1;

        if (!container || container->hidden)
                container = FIND_BY_PREFIX(cri->first_container, id, &n);
        if (!*id)
                return err_set(err, EINVAL, "the container id is empty");
        if (n > 1)
                return err_set(err, EINVAL, "container id \"%.128s\" is the beginning of several", id);
        if (!container)
                return err_set(err, ENOENT, "an error occurred when try to find container \"%.128s\": not found", id);
        *ret_container = container;
        return 0;
}

const char *cri_sandbox_filter_id(struct cri *cri, const char *id) {
        struct cri_sandbox *sandbox;

        return cri_sandbox_find(cri, id, &sandbox, NULL) < 0 ? NULL : sandbox->id;
}

const char *cri_container_filter_id(struct cri *cri, const char *id) {
        struct cri_container *container;

        return cri_container_find(cri, id, &container, NULL) < 0 ? NULL : container->id;
}

Cri__ContainerState cri_container_state(const struct cri_container *container) {
        switch (container->phase) {
        case CRI_PHASE_CREATED:
        case CRI_PHASE_STARTING:
                return CRI__CONTAINER_STATE__CONTAINER_CREATED;
        case CRI_PHASE_RUNNING:
                return CRI__CONTAINER_STATE__CONTAINER_RUNNING;
        case CRI_PHASE_EXITED:
                return CRI__CONTAINER_STATE__CONTAINER_EXITED;
        }
        return CRI__CONTAINER_STATE__CONTAINER_UNKNOWN;
}

const char *cri_container_reason(const struct cri_container *container) {
        if (container->phase != CRI_PHASE_EXITED)
                return "";
        if (*container->reason)
                return container->reason;
        return container->exit_code == 0 ? "Completed" : "Error";
}

const Cri__LinuxSandboxSecurityContext *cri_sandbox_security(const Cri__PodSandboxConfig *config) {
        static const Cri__LinuxSandboxSecurityContext none = CRI__LINUX_SANDBOX_SECURITY_CONTEXT__INIT;

        return config->linux && config->linux->security_context ? config->linux->security_context : &none;
}

const Cri__NamespaceOption *cri_sandbox_namespaces(const Cri__PodSandboxConfig *config) {
        static const Cri__NamespaceOption none = CRI__NAMESPACE_OPTION__INIT;
        const Cri__NamespaceOption *options = cri_sandbox_security(config)->namespace_options;

        return options ? options : &none;
}

const Cri__LinuxContainerSecurityContext *cri_container_security(const Cri__ContainerConfig *config) {
        static const Cri__LinuxContainerSecurityContext none = CRI__LINUX_CONTAINER_SECURITY_CONTEXT__INIT;

        return config->linux && config->linux->security_context ? config->linux->security_context : &none;
}

const Cri__NamespaceOption *cri_container_namespaces(const Cri__ContainerConfig *config) {
        static const Cri__NamespaceOption none = CRI__NAMESPACE_OPTION__INIT;
        const Cri__NamespaceOption *options = cri_container_security(config)->namespace_options;

        return options ? options : &none;
}

bool cri_sandbox_host_network(const struct cri_sandbox *sandbox) {
        return cri_sandbox_namespaces(sandbox->config)->network == CRI__NAMESPACE_MODE__NODE;
}
