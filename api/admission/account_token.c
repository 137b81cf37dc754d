#include "api/admission/account_token.h"

#include <errno.h>
#include <string.h>

#include "api/admission/plugin.h"
#include "kube/pod/pod.h"
#include "lib/arena.h"

static bool has_mount(const struct kube_container *container) {
        list_for_each (mount, &container->volume_mounts)
                if (kube_is(mount->mount_path, ACCOUNT_TOKEN_PATH))
                        return true;
        return false;
}

/* 1: it was mounted; 0: something is there already. */
static int mount_in(struct arena *arena, const kube_container_items *containers, const char *volume) {
        int mounted = 0;

        list_for_each (container, containers) {
                struct kube_volume_mount *mount;

                if (has_mount(container))
                        continue;
                mount = admission_grow(arena, &container->volume_mounts, sizeof(*mount));
                if (!mount)
                        return -ENOMEM;
                *mount = (struct kube_volume_mount){ .name = volume,
                                                     .read_only = true,
                                                     .mount_path = ACCOUNT_TOKEN_PATH };
                mounted = 1;
        }
        return mounted;
}

/* The three sources: all that a client in the pod needs. */
struct sources {
        struct kube_projected_volume_source volume;
        struct kube_volume_projection all[3];
        struct kube_service_account_token_projection token;
        struct kube_config_map_projection authority;
        struct kube_key_to_path certificate;
        struct kube_downward_api_projection downward;
        struct kube_downward_api_volume_file namespace;
        struct kube_object_field_selector field;
};

static struct kube_projected_volume_source *make_sources(struct arena *arena) {
        struct sources *s = arena_new_of(arena, struct sources);

        if (!s)
                return NULL;
        s->token =
                (struct kube_service_account_token_projection){ .expiration_seconds = { ACCOUNT_TOKEN_SECONDS, true },
                                                                .path = "token" };
        s->certificate = (struct kube_key_to_path){ .key = "ca.crt", .path = "ca.crt" };
        s->authority.name = "kube-root-ca.crt";
        s->authority.items.items = &s->certificate;
        s->authority.items.count = 1;
        s->field = (struct kube_object_field_selector){ .api_version = "v1", .field_path = "metadata.namespace" };
        s->namespace = (struct kube_downward_api_volume_file){ .path = "namespace", .field_ref = &s->field };
        s->downward.items.items = &s->namespace;
        s->downward.items.count = 1;
        s->all[0].service_account_token = &s->token;
        s->all[1].config_map = &s->authority;
        s->all[2].downward_api = &s->downward;
        s->volume.sources.items = s->all;
        s->volume.sources.count = 3;
        s->volume.default_mode = (struct opt_int){ POD_VOLUME_MODE_DEFAULT, true };
        return &s->volume;
}

static const char *find_volume(const struct kube_pod *pod) {
        list_for_each (volume, &pod->spec.volumes)
                if (volume->name && strncmp(volume->name, ACCOUNT_TOKEN_VOLUME, strlen(ACCOUNT_TOKEN_VOLUME)) == 0)
                        return volume->name;
        return NULL;
}

int account_token_mount(struct arena *arena, struct kube_pod *pod, const char *volume) {
        const char *there = find_volume(pod), *name = there ?: volume;
        int init = mount_in(arena, &pod->spec.init_containers, name),
            usual = mount_in(arena, &pod->spec.containers, name);
        struct kube_volume *last;

        if (init < 0 || usual < 0)
                return -ENOMEM;
        if (there || (init == 0 && usual == 0))
                return 0;
        last = admission_grow(arena, &pod->spec.volumes, sizeof(*last));
        if (!last || !(last->projected = make_sources(arena)))
                return -ENOMEM;
        last->name = name;
        return 0;
}
