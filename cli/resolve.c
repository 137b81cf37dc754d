#include "cli/resolve.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cli/list.h"
#include "cli/node_view.h"

#define PARTS_MAX 3
#define LISTED_MAX 8 /* things that an ambiguous name is said to mean */

/* One thing that the text may mean; a pod has no container. */
struct thing {
        const char *id, *namespace, *pod, *container;
        bool running;
};

struct search {
        const char *text, *parts[PARTS_MAX];
        size_t lengths[PARTS_MAX], n_parts;
        struct node_view view; /* read when no name is met as it is */
        struct grpc_unpacked containers, pods;
        struct thing *named, *of_pods; /* by their own name; the containers of pods by that name */
        size_t n_named, n_of_pods;
};

static void search_done(struct search *s) {
        node_view_done(&s->view);
        grpc_unpacked_free(&s->containers);
        grpc_unpacked_free(&s->pods);
        free(s->named);
        free(s->of_pods);
}
#define _cleanup_search_ __attribute__((cleanup(search_done)))

static const Cri__ListPodSandboxResponse *pods_of(const struct search *s) {
        return (const Cri__ListPodSandboxResponse *)s->pods.message;
}

static const Cri__ListContainersResponse *containers_of(const struct search *s) {
        return (const Cri__ListContainersResponse *)s->containers.message;
}

/* "a/b/c" in its parts; a text with more of them names nothing. */
static void split(struct search *s, const char *text) {
        s->text = text;
        for (const char *p = text; p; p = strchr(p, '/') ? strchr(p, '/') + 1 : NULL) {
                if (s->n_parts == PARTS_MAX) {
                        s->n_parts = 0;
                        return;
                }
                s->parts[s->n_parts] = p;
                s->lengths[s->n_parts++] = strcspn(p, "/");
        }
}

static bool part_is(const struct search *s, size_t i, const char *text) {
        return strlen(text) == s->lengths[i] && memcmp(s->parts[i], text, s->lengths[i]) == 0;
}

/* Whether the first @n parts name the pod: NAME or NAMESPACE/NAME. */
static bool names_pod(const struct search *s, size_t n, const struct thing *t) {
        return n >= 1 && n <= 2 && node_view_names(&s->view, s->parts[n - 1], s->lengths[n - 1], t->pod) &&
               (n == 1 || part_is(s, 0, t->namespace));
}

static bool same_pod(const struct thing *a, const struct thing *b) {
        return strcmp(a->pod, b->pod) == 0 && strcmp(a->namespace, b->namespace) == 0;
}

/* Adds @t unless a newer attempt of it is there. */
static void add(struct thing *things, size_t *n, const struct thing *t) {
        for (size_t i = 0; i < *n; i++)
                if (same_pod(&things[i], t) && (!t->container || strcmp(things[i].container, t->container) == 0))
                        return;
        things[(*n)++] = *t;
}

static struct thing thing_of_pod(const Cri__PodSandbox *pod) {
        return (struct thing){ .id = pod->id,
                               .namespace = pod->metadata ? pod->metadata->namespace_ : "",
                               .pod = pod->metadata ? pod->metadata->name : "",
                               .running = pod->state == CRI__POD_SANDBOX_STATE__SANDBOX_READY };
}

static struct thing thing_of_container(const struct search *s, const Cri__Container *c) {
        const Cri__ListPodSandboxResponse *pods = pods_of(s);
        struct thing t = { .namespace = "", .pod = "" };

        for (size_t i = 0; i < pods->n_items; i++)
                if (strcmp(pods->items[i]->id, c->pod_sandbox_id) == 0)
                        t = thing_of_pod(pods->items[i]);
        t.id = c->id;
        t.container = c->metadata ? c->metadata->name : "";
        t.running = c->state == CRI__CONTAINER_STATE__CONTAINER_RUNNING;
        return t;
}

static void look_at_container(struct search *s, const Cri__Container *c) {
        struct thing t = thing_of_container(s, c);
        size_t n = s->n_parts;

        if (n > 0 && part_is(s, n - 1, t.container) && (n == 1 || names_pod(s, n - 1, &t)))
                add(s->named, &s->n_named, &t);
        if (names_pod(s, n, &t))
                add(s->of_pods, &s->n_of_pods, &t);
}

static void look_at_containers(struct search *s) {
        const Cri__ListContainersResponse *all = containers_of(s);

        for (size_t i = 0; i < all->n_containers; i++)
                look_at_container(s, all->containers[i]);
}

static void look_at_pods(struct search *s) {
        const Cri__ListPodSandboxResponse *all = pods_of(s);

        for (size_t i = 0; i < all->n_items; i++) {
                struct thing t = thing_of_pod(all->items[i]);

                if (names_pod(s, s->n_parts, &t))
                        add(s->named, &s->n_named, &t);
        }
}

/* As the names are, else with the node's name left out. */
static int look(struct cli *cli, struct search *s, void (*look_at)(struct search *s), struct err **err) {
        int r;

        look_at(s);
        if (s->n_named + s->n_of_pods > 0 || s->n_parts == 0)
                return 0;
        r = node_view_read(cli, &s->view, err);
        if (r == 0 && s->view.known)
                look_at(s);
        return r;
}

static int take(const struct thing *t, char ret_id[RESOLVE_ID_MAX + 1]) {
        snprintf(ret_id, RESOLVE_ID_MAX + 1, "%s", t->id);
        return 0;
}

static int ambiguous(const struct search *s, const struct thing *things, size_t n, struct err **err) {
        char text[1024] = "";
        size_t used = 0;

        for (size_t i = 0; i < n && i < LISTED_MAX && used < sizeof(text) - 1; i++)
                used += (size_t)snprintf(text + used, sizeof(text) - used, "%s%s/%s%s%s", i ? ", " : "",
                                         things[i].namespace, things[i].pod, things[i].container ? "/" : "",
                                         things[i].container ? things[i].container : "");
        if (n > LISTED_MAX)
                return err_set(err, EINVAL, "\"%s\" is ambiguous: it may be %s, and %zu more; name one of them",
                               s->text, text, n - LISTED_MAX);
        return err_set(err, EINVAL, "\"%s\" is ambiguous: it may be %s; name one of them", s->text, text);
}

static bool all_in_pod(const struct thing *things, size_t n, const struct thing *pod) {
        for (size_t i = 0; i < n; i++)
                if (!same_pod(&things[i], pod))
                        return false;
        return true;
}

/* A pod stands for its only container, or for the only one that runs. */
static const struct thing *only_one(const struct search *s) {
        const struct thing *found = NULL;

        if (s->n_of_pods == 1)
                return s->of_pods;
        if (!all_in_pod(s->of_pods, s->n_of_pods, s->of_pods))
                return NULL;
        for (size_t i = 0; i < s->n_of_pods; i++) {
                if (found && s->of_pods[i].running)
                        return NULL;
                if (s->of_pods[i].running)
                        found = &s->of_pods[i];
        }
        return found;
}

/* What the names mean: 1 when they mean one thing, 0 for nothing, or -EINVAL. */
static int choose(struct search *s, const struct thing **ret_thing, struct err **err) {
        if (s->n_named == 1 && all_in_pod(s->of_pods, s->n_of_pods, s->named)) {
                *ret_thing = s->named;
                return 1;
        }
        if (s->n_named == 0 && s->n_of_pods > 0 && (*ret_thing = only_one(s)))
                return 1;
        if (s->n_named == 0)
                return s->n_of_pods > 0 ? ambiguous(s, s->of_pods, s->n_of_pods, err) : 0;
        for (size_t i = 0; i < s->n_of_pods; i++) /* named has room for all there are */
                add(s->named, &s->n_named, &s->of_pods[i]);
        return ambiguous(s, s->named, s->n_named, err);
}

/* By the beginning of the id, or the whole of it. */
struct by_id {
        struct search *search;
        struct thing first;
        size_t n;
        bool whole;
};

static void look_at_id(struct by_id *found, const struct thing *t) {
        const char *text = found->search->text;

        if (found->whole || !*text || strncmp(t->id, text, strlen(text)) != 0)
                return;
        found->whole = strcmp(t->id, text) == 0;
        if (found->n == 0 || found->whole)
                found->first = *t;
        found->n++;
}

static int finish(struct search *s, const struct by_id *ids, const char *what, const char *verb,
                  char ret_id[RESOLVE_ID_MAX + 1], struct err **err) {
        const struct thing *named = NULL;
        int r = choose(s, &named, err);

        if (r < 0)
                return r;
        if (r > 0)
                return take(named, ret_id);
        if (ids->n > 1)
                return err_set(err, EINVAL, "\"%s\" is ambiguous: the ids of %zu %ss begin so", s->text, ids->n, what);
        if (ids->n == 0)
                return err_set(err, ENOENT, "%s \"%s\" not found; `nacelle %s` lists them", what, s->text, verb);
        return take(&ids->first, ret_id);
}

int resolve_container(struct cli *cli, const char *text, char ret_id[RESOLVE_ID_MAX + 1], struct err **err) {
        _cleanup_search_ struct search s = {};
        struct by_id ids = { .search = &s };
        const Cri__ListContainersResponse *all;
        int r;

        split(&s, text);
        if ((r = list_containers(cli, NULL, &s.containers, err)) < 0 || (r = list_pods(cli, NULL, &s.pods, err)) < 0)
                return r;
        all = containers_of(&s);
        for (size_t i = 0; i < all->n_containers; i++)
                look_at_id(&ids, &(struct thing){ .id = all->containers[i]->id });
        if (ids.whole)
                return take(&ids.first, ret_id);
        s.named = calloc(all->n_containers + 1, sizeof(*s.named));
        s.of_pods = calloc(all->n_containers + 1, sizeof(*s.of_pods));
        if (!s.named || !s.of_pods)
                return err_set(err, ENOMEM, "out of memory");
        r = look(cli, &s, look_at_containers, err);
        return r < 0 ? r : finish(&s, &ids, "container", "ps -a", ret_id, err);
}

int resolve_pod(struct cli *cli, const char *text, char ret_id[RESOLVE_ID_MAX + 1], struct err **err) {
        _cleanup_search_ struct search s = {};
        struct by_id ids = { .search = &s };
        const Cri__ListPodSandboxResponse *all;
        int r;

        split(&s, text);
        r = list_pods(cli, NULL, &s.pods, err);
        if (r < 0)
                return r;
        all = pods_of(&s);
        for (size_t i = 0; i < all->n_items; i++)
                look_at_id(&ids, &(struct thing){ .id = all->items[i]->id });
        if (ids.whole)
                return take(&ids.first, ret_id);
        s.named = calloc(all->n_items + 1, sizeof(*s.named));
        if (!s.named)
                return err_set(err, ENOMEM, "out of memory");
        r = look(cli, &s, look_at_pods, err);
        return r < 0 ? r : finish(&s, &ids, "pod", "pods", ret_id, err);
}

int resolve_filter(struct cli *cli, const char *text, resolve_fn *resolve, char buffer[RESOLVE_ID_MAX + 1],
                   const char **ret_text, struct err **err) {
        _cleanup_err_ struct err *failure = NULL;
        int r;

        *ret_text = text;
        if (!text || !*text)
                return 0;
        r = resolve(cli, text, buffer, &failure);
        if (r < 0 && r != -ENOENT)
                return err_move(err, TAKE_PTR(failure));
        if (r == 0)
                *ret_text = buffer;
        return 0;
}
