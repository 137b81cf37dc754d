/* The two stages: plugins asked in their order, each until one answers. */
#include "api/admission/admission.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "api/admission/account_wait.h"
#include "api/admission/internal.h"
#include "api/admission/plugin.h"
#include "api/admission/quota.h"
#include "api/rest/rest.h"
#include "api/rest/typed.h"
#include "api/server/request.h"
#include "api/server/server.h"
#include "api/server/status.h"
#include "api/state/resource.h"
#include "kube/codec/codec.h"
#include "kube/kinds.h"
#include "kube/problem.h"
#include "kube/type.h"
#include "lib/arena.h"
#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/json.h"
#include "lib/json_writer.h"
#include "lib/value.h"

static int make_parts(struct api_admission *admission, struct err **err) {
        admission->counts = admission_counts_new();
        admission->quota = admission->counts ? admission_quota_new() : NULL;
        admission->waits = admission->quota ? account_waits_new() : NULL;
        return admission->waits ? 0 : err_set(err, ENOMEM, "no memory for admission");
}

int api_admission_new(const struct api_admission_config *config, struct api_admission **ret_admission,
                      struct err **err) {
        struct api_admission *admission = calloc(1, sizeof(*admission));
        int r;

        if (!admission)
                return err_set(err, ENOMEM, "no memory for admission");
        admission->not_ready_s = config->not_ready_s;
        admission->unreachable_s = config->unreachable_s;
        if ((r = admission_choose(config, &admission->on, err)) < 0 || (r = make_parts(admission, err)) < 0) {
                api_admission_free(admission);
                return r;
        }
        *ret_admission = admission;
        return 0;
}

void api_admission_free(struct api_admission *admission) {
        if (!admission)
                return;
        account_waits_free(admission->waits);
        admission_quota_free(admission->quota);
        admission_counts_free(admission->counts);
        free(admission);
}

void api_admission_stop(const struct api_admission *admission, struct api_loop *loop) {
        account_waits_stop(admission->waits, loop);
}

bool api_admission_is_charged(const struct api_admission *admission, const char *namespace) {
        return admission_quota_is_charged(admission->quota, namespace);
}

void api_admission_ended(struct api_request *r) {
        admission_quota_forget(r);
}

/* --- what is asked about --- */

/* A name is generated behind the plugins that change objects. */
static const char *name_of(const struct api_request *r, bool mutates) {
        const struct value *meta = value_get(r->sent, "metadata");

        if (!mutates || !r->creates || r->path.name)
                return r->name ?: "";
        return value_string_or(value_get(meta, "name"), "");
}

static struct admission begin(struct api_request *r, unsigned operation, bool mutates) {
        bool is_namespace = r->kind && !*r->kind->group && strcmp(r->kind->resource, "namespaces") == 0;
        struct admission a = { .r = r,
                               .config = r->server->config.admission,
                               .arena = r->arena,
                               .operation = operation,
                               .name = name_of(r, mutates),
                               .namespace = "" };

        if (is_namespace)
                a.namespace = r->name ?: "";
        else if (r->kind->namespaced)
                a.namespace = r->path.namespace ?: "";
        return a;
}

static void *read_object(struct admission *a, const struct value *tree) {
        struct problems problems;
        void *object;

        problems_init(&problems, a->arena, NULL, NULL);
        if (a->r->resource->kind->type->size == 0 || api_typed(a->r, tree, &problems, &object) < 0 ||
            problems.errors > 0) {
                api_fail(a->r, problems.errors > 0 ? -EINVAL : -ENOMEM, NULL);
                return NULL;
        }
        return object;
}

void *admission_object(struct admission *a) {
        if (!a->object)
                a->object = read_object(a, a->r->next);
        return a->object;
}

const void *admission_old(struct admission *a) {
        if (!a->old)
                a->old = read_object(a, a->r->current_tree);
        return a->old;
}

/* The tree that the changed object is. */
static int write_back(struct admission *a) {
        _cleanup_json_writer_ struct json_writer w = { .go_escapes = true };
        _cleanup_free_ char *text = NULL;
        size_t length;
        int error;

        kube_json_write(&w, a->r->resource->kind->type, a->object);
        error = json_writer_finish(&w, &text, &length);
        if (error < 0)
                return error;
        error = json_parse(a->arena, text, length, NULL, &a->r->next, NULL);
        return error < 0 || a->r->creates ? error : api_count_generation(a->r);
}

/* --- the stages --- */

static bool applies(const struct admission *a, size_t i) {
        const struct admission_plugin *plugin = &admission_plugins[i];
        const struct api_request *r = a->r;

        return a->config->on >> i & 1 && plugin->operations & a->operation &&
               admission_covers(plugin->resources, r->kind->group, r->kind->resource, r->sub ? r->sub->name : NULL);
}

/* All that look at it, until one answers. */
static enum api_step ask_all(struct admission *a, bool mutates) {
        uint64_t begun = admission_clock(), since;
        enum api_step step = API_NEXT;

        for (size_t i = 0; step == API_NEXT && i < admission_plugins_count; i++) {
                enum api_step (*ask)(struct admission * a) =
                        mutates ? admission_plugins[i].mutate : admission_plugins[i].validate;

                if (!ask || !applies(a, i))
                        continue;
                since = admission_clock();
                step = ask(a);
                admission_count(a, &i, mutates, step, since);
        }
        admission_count(a, NULL, mutates, step, begun);
        return step;
}

enum api_step api_mutate(struct api_request *r) {
        struct admission a = begin(r, r->creates ? ADMISSION_CREATE : ADMISSION_UPDATE, true);
        enum api_step step;
        int error;

        account_wait_end(r);
        step = ask_all(&a, true);
        if (a.changed || step != API_NEXT)
                api_typed_forget(r);
        if (step != API_NEXT || !a.changed)
                return step;
        error = write_back(&a);
        return error < 0 ? api_fail(r, error, NULL) : API_NEXT;
}

enum api_step api_admit(struct api_request *r) {
        struct admission a = begin(r, r->creates ? ADMISSION_CREATE : ADMISSION_UPDATE, false);

        if (admission_quota_waits(r)) /* of the last plugin */
                return admission_quota_resume(&a);
        return ask_all(&a, false);
}

enum api_step api_admit_removal(struct api_request *r) {
        struct admission a = begin(r, ADMISSION_DELETE, false);

        return ask_all(&a, true);
}
