#include "images/credential_provider.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "images/docker_config.h"
#include "images/provider_config.h"
#include "images/reference.h"
#include "lib/arena.h"
#include "lib/cleanup.h"
#include "lib/clock.h"
#include "lib/duration.h"
#include "lib/err.h"
#include "lib/json.h"
#include "lib/json_writer.h"
#include "lib/log.h"
#include "lib/program.h"
#include "lib/value.h"

#define COMPLAINT_MAX 256

extern char **environ;

/* An answer that is kept, as it came. */
struct kept {
        const struct provider *provider; /* NULL: a free place */
        char key[IMAGE_NAME_MAX + 1];    /* the image, the registry, or "" for all */
        char *text;
        int64_t ends; /* CLOCK_BOOTTIME, ns */
};

struct credential_providers {
        struct arena *arena;
        struct provider_config config;
        pthread_mutex_t lock; /* guards @kept */
        struct kept kept[PROVIDER_CACHE_MAX];
};

/* What is asked about. */
struct question {
        const char *name;
        char host[IMAGE_NAME_MAX + 1];
        const char *path;
        int cancel_fd;
};

/* The best of all answers so far. */
struct choice {
        enum docker_match match;
        char *key, *username, *password;
};

static void free_secret(char *text) {
        if (text)
                explicit_bzero(text, strlen(text));
        free(text);
}

static void kept_drop(struct kept *kept) {
        free_secret(kept->text);
        *kept = (struct kept){ .provider = NULL };
}

/* A copy of the provider's answer for the image, its registry or all images; NULL for none. */
static char *kept_find(struct credential_providers *p, const struct provider *provider, const struct question *q) {
        const char *keys[] = { q->name, q->host, "" };
        int64_t now = clock_ns(CLOCK_BOOTTIME);
        char *text = NULL;

        pthread_mutex_lock(&p->lock);
        for (size_t i = 0; i < PROVIDER_CACHE_MAX; i++)
                if (p->kept[i].provider && p->kept[i].ends <= now)
                        kept_drop(&p->kept[i]);
        for (size_t k = 0; k < ELEMENTS(keys) && !text; k++)
                for (size_t i = 0; i < PROVIDER_CACHE_MAX && !text; i++)
                        if (p->kept[i].provider == provider && strcmp(p->kept[i].key, keys[k]) == 0)
                                text = strdup(p->kept[i].text);
        pthread_mutex_unlock(&p->lock);
        return text;
}

/* In the place of the same one before, a free one, or the one that ends first. Without memory it is not kept. */
static void kept_put(struct credential_providers *p, const struct provider *provider, const char *key, const char *text,
                     int64_t ns) {
        struct kept *place = &p->kept[0];
        int64_t now = clock_ns(CLOCK_BOOTTIME);
        char *copy = strdup(text);

        if (!copy)
                return;
        pthread_mutex_lock(&p->lock);
        for (size_t i = 0; i < PROVIDER_CACHE_MAX; i++) {
                struct kept *kept = &p->kept[i];

                if (kept->provider == provider && strcmp(kept->key, key) == 0) {
                        place = kept;
                        break;
                }
                if (place->provider && (!kept->provider || kept->ends < place->ends))
                        place = kept;
        }
        kept_drop(place);
        place->provider = provider;
        strcpy(place->key, key);
        place->text = copy;
        place->ends = ns > INT64_MAX - now ? INT64_MAX : now + ns;
        pthread_mutex_unlock(&p->lock);
}

/* Ours, but for what the provider's configuration sets. */
static char **make_environment(const struct provider *provider, struct arena *arena) {
        size_t n_ours = 0, n_theirs = 0, n = 0;
        char **environment;

        while (environ && environ[n_ours])
                n_ours++;
        while (provider->environment[n_theirs])
                n_theirs++;
        environment = arena_alloc_array(arena, n_ours + n_theirs + 1, sizeof(*environment));
        for (size_t i = 0; environment && i < n_ours; i++) {
                size_t length = strcspn(environ[i], "=") + 1;
                bool set = false;

                for (size_t j = 0; j < n_theirs; j++)
                        set |= strncmp(environ[i], provider->environment[j], length) == 0;
                if (!set)
                        environment[n++] = environ[i];
        }
        for (size_t j = 0; environment && j < n_theirs; j++)
                environment[n++] = (char *)(uintptr_t)provider->environment[j];
        return environment;
}

static int run(const struct provider *provider, const struct question *q, struct program_result *result,
               struct err **err) {
        _cleanup_json_writer_ struct json_writer w = JSON_WRITER_INIT;
        _cleanup_arena_ struct arena *arena = arena_new();
        char **environment = arena ? make_environment(provider, arena) : NULL;
        _cleanup_free_ char *input = NULL;
        size_t n;
        int r;

        json_begin_map(&w);
        json_add_string(&w, "kind", "CredentialProviderRequest");
        json_add_string(&w, "apiVersion", provider->api_version);
        json_add_string(&w, "image", q->name);
        json_end_map(&w);
        if (!environment || json_writer_finish(&w, &input, &n) < 0)
                return err_set(err, ENOMEM, "out of memory");
        struct program_call call = { .path = provider->path,
                                     .arguments = provider->arguments,
                                     .environment = environment,
                                     .input = input,
                                     .n_input = n,
                                     .output_max = PROVIDER_OUTPUT_MAX,
                                     .timeout_ms = PROVIDER_TIMEOUT_MS,
                                     .cancel_fd = q->cancel_fd };

        r = program_run(&call, result, err);
        if (r < 0)
                return r;
        if (result->out.cut)
                return err_set(err, E2BIG, "answered more than %d bytes", PROVIDER_OUTPUT_MAX);
        if (result->status != 0)
                return program_failed(result, program_complaint(&result->error, COMPLAINT_MAX), EIO, err);
        return 0;
}

/* How long, and under which key, an answer is kept. */
static int read_terms(const struct provider *provider, const struct question *q, const struct value *root,
                      const char **ret_key, int64_t *ret_ns, struct err **err) {
        const char *type = value_string_or(value_get(root, "cacheKeyType"), "");
        const struct value *duration = value_get(root, "cacheDuration");

        if (strcmp(value_string_or(value_get(root, "kind"), ""), "CredentialProviderResponse") != 0 ||
            strcmp(value_string_or(value_get(root, "apiVersion"), ""), provider->api_version) != 0)
                return err_set(err, EINVAL, "the answer is no CredentialProviderResponse of %s", provider->api_version);
        if (strcmp(type, "Image") == 0)
                *ret_key = q->name;
        else if (strcmp(type, "Registry") == 0)
                *ret_key = q->host;
        else if (strcmp(type, "Global") == 0)
                *ret_key = "";
        else
                return err_set(err, EINVAL, "the answer's cacheKeyType is none of Image, Registry and Global");
        *ret_ns = provider->default_cache_ns;
        if (!value_is_null(duration) && duration_parse(value_string_or(duration, ""), ret_ns) < 0)
                return err_set(err, EINVAL, "the answer's cacheDuration is no duration");
        return 0;
}

static void wipe(const struct value *root) {
        const struct value *auth = value_get(root, "auth");

        for (uint32_t i = 0; i < value_count(auth) && value_is(auth, VALUE_MAP); i++) {
                const char *password = value_string(value_get(&auth->members[i].value, "password"));

                if (password)
                        explicit_bzero((char *)(uintptr_t)password, strlen(password));
        }
}

static void choice_clear(struct choice *c) {
        free(c->key);
        free(c->username);
        free_secret(c->password);
        *c = (struct choice){ .match = DOCKER_MATCH_NONE };
}

static int choose(const struct value *root, const struct question *q, struct choice *best, struct err **err) {
        const struct value *auth = value_get(root, "auth");

        for (uint32_t i = 0; i < value_count(auth) && value_is(auth, VALUE_MAP); i++) {
                const struct value_member *m = &auth->members[i];
                struct choice c = { .match = image_docker_config_match(m->key, q->host, q->path) };

                if (!image_docker_config_precedes(c.match, m->key, best->match, best->key ?: ""))
                        continue;
                c.key = strdup(m->key);
                c.username = strdup(value_string_or(value_get(&m->value, "username"), ""));
                c.password = strdup(value_string_or(value_get(&m->value, "password"), ""));
                if (!c.key || !c.username || !c.password) {
                        choice_clear(&c);
                        return err_set(err, ENOMEM, "out of memory");
                }
                choice_clear(best);
                *best = c;
        }
        return 0;
}

struct answer {
        const struct provider *provider;
        const char *text;
        bool fresh; /* not one that was kept */
};

static int take_answer(struct credential_providers *p, const struct answer *answer, const struct question *q,
                       struct choice *best, struct err **err) {
        _cleanup_arena_ struct arena *arena = arena_new();
        const struct value *root;
        const char *key = NULL;
        int64_t ns = 0;
        int r;

        if (!arena)
                return err_set(err, ENOMEM, "out of memory");
        /* the parser's error may quote what it stumbles over */
        if (json_parse(arena, answer->text, strlen(answer->text), NULL, &root, NULL) < 0)
                return err_set(err, EINVAL, "the answer is no JSON object");
        if ((r = read_terms(answer->provider, q, root, &key, &ns, err)) >= 0)
                r = choose(root, q, best, err);
        wipe(root);
        if (r < 0)
                return r;
        if (answer->fresh && ns > 0)
                kept_put(p, answer->provider, key, answer->text, ns);
        return 0;
}

static int ask_one(struct credential_providers *p, const struct provider *provider, const struct question *q,
                   struct choice *best, struct err **err) {
        _cleanup_program_ struct program_result result = { .status = 0 };
        char *kept = kept_find(p, provider, q);
        int r = kept ? 0 : run(provider, q, &result, err);

        if (r == 0)
                r = take_answer(p, &(struct answer){ provider, kept ?: result.out.text ?: "", !kept }, q, best, err);
        free_secret(kept);
        return r < 0 ? err_wrap(err, r, "image credential provider %.80s", provider->name) : 0;
}

static bool is_for(const struct provider *provider, const struct question *q) {
        for (size_t i = 0; provider->match_images[i] && !provider->never; i++)
                if (image_docker_config_match(provider->match_images[i], q->host, q->path) != DOCKER_MATCH_NONE)
                        return true;
        return false;
}

int image_credential_providers_ask(struct credential_providers *p, const char *name, size_t host_length, int cancel_fd,
                                   struct credentials *ret, struct err **err) {
        struct question q = { .name = name, .path = name + host_length + 1, .cancel_fd = cancel_fd };
        struct choice best = { .match = DOCKER_MATCH_NONE };
        _cleanup_err_ struct err *first = NULL;
        int r = 0;

        memcpy(q.host, name, host_length);
        for (size_t i = 0; i < p->config.count && r != -ECANCELED; i++) {
                struct err *why = NULL;

                if (!is_for(&p->config.items[i], &q))
                        continue;
                r = ask_one(p, &p->config.items[i], &q, &best, &why);
                if (r < 0 && first)
                        log_warning("%s", err_text(why));
                err_move(&first, why);
        }
        if (best.match == DOCKER_MATCH_NONE)
                return first ? err_move(err, TAKE_PTR(first)) : 0;
        if (first)
                log_warning("%s", err_text(first));
        *ret = (struct credentials){ .username = TAKE_PTR(best.username), .password = TAKE_PTR(best.password) };
        choice_clear(&best);
        return 1;
}

int image_credential_providers_new(const char *config, const char *bin_dir, struct credential_providers **ret,
                                   struct err **err) {
        struct credential_providers *p = calloc(1, sizeof(*p));
        int r;

        if (!p)
                return err_set(err, ENOMEM, "out of memory");
        pthread_mutex_init(&p->lock, NULL);
        p->arena = arena_new();
        r = p->arena ? image_provider_config_read(config, bin_dir, p->arena, &p->config, err) :
                       err_set(err, ENOMEM, "out of memory");
        if (r < 0) {
                image_credential_providers_free(p);
                return r;
        }
        *ret = p;
        return 0;
}

void image_credential_providers_free(struct credential_providers *p) {
        if (!p)
                return;
        for (size_t i = 0; i < PROVIDER_CACHE_MAX; i++)
                kept_drop(&p->kept[i]);
        pthread_mutex_destroy(&p->lock);
        arena_free(p->arena);
        free(p);
}
