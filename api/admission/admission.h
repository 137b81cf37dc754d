/* Admission: what a change must get past beside its validation, and what it is given on the way.
 *
 * Two stages of the pipeline, with kube-apiserver's plugins in kube-apiserver's order (api/admission/plugins.c):
 * plugins that change objects before validation, plugins that only refuse behind it. What is to go is asked about once.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "api/server/pipeline.h"

struct api_admission;
struct api_loop;
struct api_request;
struct err;
struct metrics_writer;
struct value;

struct api_admission_config {
        const char *enable, *disable; /* --enable-admission-plugins, --disable-admission-plugins; NULL: not given */
        unsigned not_ready_s, unreachable_s; /* --default-not-ready-toleration-seconds and its sibling */
};

#define ADMISSION_TOLERATION_S 300

/* -EINVAL with the plugin that there is none of; -ENOMEM. */
int api_admission_new(const struct api_admission_config *config, struct api_admission **ret_admission,
                      struct err **err);

/* Once no request is under way, before the state is closed. NULL is fine. */
void api_admission_free(struct api_admission *admission);

/* On a loop's thread, as it ends: who waits there hears nothing any more. */
void api_admission_stop(const struct api_admission *admission, struct api_loop *loop);

/* Whether something in @namespace that quotas were charged for is still on its way: who counts its objects now misses
 * it. From any thread. */
bool api_admission_is_charged(const struct api_admission *admission, const char *namespace);

/* Its families of metrics: how long plugins and steps take. From any thread. */
void api_admission_write(const struct api_admission *admission, struct metrics_writer *w);

/* A request goes, whatever it waited for. */
void api_admission_ended(struct api_request *r);

/* Creations below an object, or for one, of what is not kept: r->sent. */
enum api_step api_admit_below(struct api_request *r);

/* Creations and updates: r->next, before it is validated and behind that. */
enum api_step api_mutate(struct api_request *r);
enum api_step api_admit(struct api_request *r);

/* What is to go, or to be marked: r->current_tree. */
enum api_step api_admit_removal(struct api_request *r);

/* NodeRestriction: a node writes what is its own. @object as it is to be, @old as it is; NULL where there is none. */
enum api_step api_admit_node(struct api_request *r, const struct value *object, const struct value *old);

/* Nobody gives what they do not have: roles and bindings (api/rbac/escalation.h). */
enum api_step api_admit_grant(struct api_request *r);
