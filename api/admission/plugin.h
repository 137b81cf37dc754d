/* What a plugin is, what it is asked about, and what it asks.
 *
 * A plugin is a row: which operations on which resources it looks at, and its functions. Rows that come at run time
 * (webhooks, policies) have the same form. A function gives API_NEXT, or answers the request, or has its stage wait and
 * come again, from the first plugin on (api_wait_again()). Objects are C structs, whose texts live in the request's
 * arena.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "api/server/pipeline.h"
#include "kube/types.h"

struct api_admission;
struct api_request;
struct arena;
struct kube_object_meta;

enum { ADMISSION_CREATE = 1 << 0, ADMISSION_UPDATE = 1 << 1, ADMISSION_DELETE = 1 << 2 };

/* What is asked about. */
struct admission {
        struct api_request *r;
        const struct api_admission *config;
        struct arena *arena;
        unsigned operation;
        const char *namespace; /* "": of the cluster; of a namespace its own name, as in kube-apiserver */
        const char *name;      /* of the object; "": it is still to be generated */
        bool changed;          /* a mutating plugin has changed the object */
        void *object;          /* admission_object()'s */
        const void *old;
};

struct admission_plugin {
        const char *name; /* kube-apiserver's */
        bool off;         /* unless it is asked for */
        uint8_t operations;
        const char *resources; /* "pods pods/resize ingresses.networking.k8s.io", divided by blanks; NULL: all */
        enum api_step (*mutate)(struct admission *a);
        enum api_step (*validate)(struct admission *a);
};

#define ADMISSION_PLUGINS_MAX 64

/* In kube-apiserver's order. */
extern const struct admission_plugin admission_plugins[];
extern const size_t admission_plugins_count;

/* Whether the plugins that look at @resources look at this one. @sub NULL: the object itself. */
bool admission_covers(const char *resources, const char *group, const char *resource, const char *sub);

/* The plugins that are on: one bit for each, in their order. -EINVAL names what is none. */
struct api_admission_config;
struct err;
int admission_choose(const struct api_admission_config *config, uint64_t *ret_on, struct err **err);

/* Whether the plugin of that name is one of them. */
bool admission_is_on(uint64_t on, const char *name);

/* The object as it is to be, of the type in which its resource is kept; whoever changes it says so in @changed.
 * NULL: the request was answered, which the plugin then says with API_END. */
void *admission_object(struct admission *a);

/* As it is; for updates alone. */
const void *admission_old(struct admission *a);

/* Its metadata, of an object of its type. */
struct kube_object_meta *admission_meta(const struct admission *a, const void *object);

/* --- answers --- */

/* 403 of the object: `pods "web" is forbidden: ` and the text. */
enum api_step admission_forbid(struct admission *a, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The name that the client asks for, or the beginning of one that is generated. */
const char *admission_named(const struct admission *a);

/* --- what is there --- */

/* The object of that name, read: 0, -ENOENT, or another negative errno. */
int admission_get(const struct admission *a, const char *group, const char *resource, const char *namespace,
                  const char *name, const void **ret_object);

struct admission_list {
        const void *const *items;
        size_t n;
};

/* All of a namespace, or of the cluster (""), by name. */
int admission_list(const struct admission *a, const char *group, const char *resource, const char *namespace,
                   struct admission_list *ret_list);

/* A question to the authorizers; texts are "" where they say nothing. */
struct admission_question {
        const char *verb, *group, *version, *resource, *sub, *namespace, *name;
};

/* Whether who asks for the change may do that as well. *@ret_reason, which may be NULL: why not. */
bool admission_may(const struct admission *a, const struct admission_question *question, const char **ret_reason);

/* --- changes --- */

/* One item more at the end of a list (struct list's layout) of @size bytes each, zeroed; NULL without memory. */
void *admission_grow(struct arena *arena, void *list, size_t size);

/* Puts @value at @key. -ENOMEM or 0. */
int admission_put(struct arena *arena, string_map *map, const char *key, const char *value);
