/* What kube-apiserver refuses in objects of Kubernetes' kinds, in its words and its order: registry strategies'
 * Validate and ValidateUpdate with all that rest.BeforeCreate and rest.BeforeUpdate add
 * (k8s.io/apiserver/pkg/registry/rest).
 *
 * A pure function of the kind, the object and what it was. Rules are functions of the kind's struct (kube/type.h), a
 * row for each kind (rules.h). Any number of threads.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct arena;
struct kube_kind;
struct problems;
struct value;

/* What is told of an object that is taken, in kube-apiserver's words and order (WarningsOnCreate, WarningsOnUpdate). */
#define VALIDATE_WARNINGS_MAX 100

struct validate_warnings {
        const char *texts[VALIDATE_WARNINGS_MAX]; /* in the arena */
        uint32_t count;
};

/* A right that a change needs beside that to make it: to @verb the @sub of the object's kind. */
struct validate_right {
        const char *verb, *sub;
        const char *namespace, *name; /* "": of all */
};

/* What rules ask of the cluster. @asker is the case's. */
struct validate_asks {
        /* The value of a namespace's label; NULL: it has none, or is not there. */
        const char *(*label)(void *asker, const char *namespace, const char *label);

        /* The request's verb, "update"; and the node that the token of the service account that asks is bound to, NULL:
         * none. */
        const char *(*verb)(void *asker);
        const char *(*account_node)(void *asker);

        /* NULL: who asks has it; else the message of a 403. */
        const char *(*refuses)(void *asker, const struct validate_right *right);
};

struct validate_case {
        const struct kube_kind *kind;
        const char *sub;                    /* "status"; NULL: the object itself */
        const struct value *object;         /* what it is to be, defaults filled in */
        const struct value *old;            /* what it was; NULL: it is made */
        const void *typed, *old_typed;      /* both as their type's structs; NULL: not read yet */
        struct validate_warnings *warnings; /* gets them where nothing is wrong; NULL: none are wanted */
        const struct validate_asks *asks;   /* NULL: everybody may all that this would be asked for */
        void *asker;
};

/* Adds each error to @problems; texts are in @arena. A kind without a row, as one that joined at run time, has its
 * metadata looked at. -ENOMEM or 0. */
int validate_value(struct arena *arena, const struct validate_case *c, struct problems *problems);

/* Whether @name is that of an extended resource: one of somebody's domain, as device plugins and administrators give to
 * nodes (component-helpers/resource, IsExtendedResourceName()). */
bool validate_is_extended(const char *name);
