#include "api/rest/query.h"

#include <errno.h>
#include <string.h>

#include "api/rest/page.h"
#include "api/server/request.h"
#include "api/server/server.h"
#include "api/server/status.h"
#include "api/state/resource.h"
#include "api/state/state.h"
#include "kube/kinds.h"
#include "kube/problem.h"
#include "lib/arena.h"
#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/go_number.h"
#include "lib/go_text.h"

static bool matches(const char *text, const char *word) {
        return text && strcmp(text, word) == 0;
}

/* Of a list's resourceVersionMatch. */
static void check_match(const struct api_options *o, bool goes_on, struct problems *problems) {
        if (!o->resource_version || !*o->resource_version)
                problem_error(problems, "resourceVersionMatch",
                              "Forbidden: resourceVersionMatch is forbidden unless resourceVersion is provided");
        if (goes_on)
                problem_error(problems, "resourceVersionMatch",
                              "Forbidden: resourceVersionMatch is forbidden when continue is provided");
        if (!matches(o->resource_version_match, "Exact") && !matches(o->resource_version_match, "NotOlderThan"))
                problem_error(problems, "resourceVersionMatch",
                              "Unsupported value: \"%s\": supported values: \"Exact\", \"NotOlderThan\", \"\"",
                              o->resource_version_match);
        if (matches(o->resource_version_match, "Exact") && matches(o->resource_version, "0"))
                problem_error(problems, "resourceVersionMatch",
                              "Forbidden: resourceVersionMatch \"exact\" is forbidden for resourceVersion \"0\"");
}

/* apimachinery's ValidateListOptions. */
static void check_options(const struct api_options *o, bool watch, struct problems *problems) {
        bool match = o->resource_version_match && *o->resource_version_match, goes_on = o->continue_ && *o->continue_,
             from_now = !o->resource_version || !*o->resource_version || matches(o->resource_version, "0");

        if (watch && o->initial_events_set && !(match && matches(o->resource_version_match, "NotOlderThan")))
                problem_error(problems, "resourceVersionMatch",
                              "Forbidden: sendInitialEvents requires setting resourceVersionMatch to NotOlderThan");
        if (watch && match && !o->initial_events_set)
                problem_error(
                        problems, "resourceVersionMatch",
                        "Forbidden: resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided");
        if (watch && match && !matches(o->resource_version_match, "NotOlderThan"))
                problem_error(problems, "resourceVersionMatch",
                              "Unsupported value: \"%s\": supported values: \"NotOlderThan\"",
                              o->resource_version_match);
        /* Where nobody says what a watch begins with, these are NotOlderThan and the initial events. */
        if (watch && goes_on && (match || (from_now && !o->initial_events_set)))
                problem_error(problems, "resourceVersionMatch",
                              "Forbidden: resourceVersionMatch is forbidden when continue is provided");
        if (!watch && match)
                check_match(o, goes_on, problems);
        if (!watch && o->initial_events_set)
                problem_error(problems, "sendInitialEvents", "Forbidden: sendInitialEvents is forbidden for list");
}

static enum api_step refuse_revision(struct api_request *r, int error) {
        bool lists = r->verb & (KUBE_VERB_LIST | KUBE_VERB_DELETECOLLECTION);
        const char *text = go_text_quote(r->arena, r->options.resource_version) ?: "";

        return api_refuse(r, lists ? API_BAD_REQUEST : API_BROKEN,
                          "%sresourceVersion: Invalid value: %s: strconv.ParseUint: parsing %s: %s",
                          lists ? "invalid resource version: " : "", text, text, go_number_error(error));
}

static enum api_step read_revision(struct api_request *r, bool watch, int64_t *ret_revision) {
        const struct api_options *o = &r->options;
        int64_t now = api_state_revision(r->server->config.state);
        uint64_t asked;
        int error;

        *ret_revision = 0;
        if (!o->resource_version || !*o->resource_version)
                return API_NEXT;
        error = go_number_uint(o->resource_version, &asked);
        if (error < 0)
                return refuse_revision(r, error);
        if (asked > (uint64_t)now && (!watch || o->initial_events))
                return api_too_new(r, asked, now);
        /* A page of what was then, or exactly that; else the present is not older than anything. A deletion goes page
         * by page. What a watch is told may be yet to come, what it is told first may not. */
        if (watch || matches(o->resource_version_match, "Exact") ||
            ((o->limit > 0 || r->verb == KUBE_VERB_DELETECOLLECTION) &&
             !(o->resource_version_match && *o->resource_version_match)))
                *ret_revision = asked < INT64_MAX ? (int64_t)asked : INT64_MAX;
        return API_NEXT;
}

/* Whoever takes any state gets all of it at once, as from kube-apiserver's cache. */
static bool takes_pages(const struct api_options *o) {
        bool any = o->resource_version && matches(o->resource_version, "0") && !(o->continue_ && *o->continue_);

        return o->limit > 0 && !any;
}

/* Where a selector names the one object that there can be, there is no other page. */
static bool is_of_one(const struct api_request *r, const struct collection_filter *filter) {
        return filter->name && (filter->namespace || !r->kind->namespaced);
}

enum api_step api_query_check_revision(struct api_request *r) {
        int64_t revision;

        return read_revision(r, false, &revision);
}

/* As api_place_token() has it. */
static const char *scope_of(const struct api_request *r) {
        return r->kind->namespaced ? r->path.namespace : "";
}

static enum api_step read_place(struct api_request *r, struct collection_query *q) {
        _cleanup_err_ struct err *err = NULL;
        struct api_place place;
        int error = api_place_parse(r->arena, r->options.continue_, scope_of(r), &place, &err);
        int64_t now = api_state_revision(r->server->config.state);

        if (error == -EINVAL)
                return api_refuse(r, API_BAD_REQUEST, "%s", err_text(err));
        if (error < 0)
                return api_fail(r, error, NULL);
        if (r->options.resource_version && *r->options.resource_version &&
            strcmp(r->options.resource_version, "0") != 0)
                return api_refuse(r, API_BAD_REQUEST, "specifying resource version is not allowed when using continue");
        if (place.revision > now)
                return api_too_new(r, (uint64_t)place.revision, now);
        q->revision = place.revision == API_PLACE_NOW ? 0 : place.revision;
        q->after_namespace = place.namespace;
        q->after_name = place.name;
        return API_NEXT;
}

/* /api/v1/watch/.../NAME has a name, and a selector of fields beside it that one again. */
static bool names_the_same(const struct api_request *r, const struct api_selector *selector) {
        const char *name = selector_field_exact(&selector->fields, "metadata.name");

        return !r->name || selector->fields.n == 0 || (name && strcmp(name, r->name) == 0);
}

enum api_step api_query_read(struct api_request *r, struct api_query *ret_query) {
        _cleanup_err_ struct err *err = NULL;
        bool watch = r->verb == KUBE_VERB_WATCH;
        struct api_query q = { .selector = arena_new_of(r->arena, struct api_selector) };
        struct problems problems;
        enum api_step step;
        int error;

        problems_init(&problems, r->arena, NULL, NULL);
        check_options(&r->options, watch, &problems);
        if (problems.errors > 0)
                return api_invalid_options(r, "ListOptions", &problems);
        error = q.selector ? api_selector_read(r, q.selector, &err) : -ENOMEM;
        if (error == -EINVAL || error == -E2BIG)
                return api_refuse(r, API_BAD_REQUEST, "%s", err_text(err));
        if (error < 0)
                return api_fail(r, error, NULL);
        if (watch && !names_the_same(r, q.selector))
                return api_refuse(r, API_BAD_REQUEST, "fieldSelector metadata.name doesn't match requested name");
        api_selector_filter(r, q.selector, &q.query.filter);
        q.query.limit = takes_pages(&r->options) && !is_of_one(r, &q.query.filter) ? (size_t)r->options.limit : 0;
        q.query.uncounted = !api_selector_is_empty(q.selector);
        step = read_revision(r, watch, &q.query.revision);
        if (step == API_NEXT && !watch && r->options.continue_ && *r->options.continue_)
                step = read_place(r, &q.query);
        if (!q.query.revision && !q.query.after_name && api_selector_finds_node(r, q.selector))
                q.query.filter.among = api_selector_shares_node;
        *ret_query = q;
        return step;
}

/* kube-apiserver's words. */
static enum api_step expire(struct api_request *r, const struct collection_query *q) {
        const struct api_place place = { API_PLACE_NOW, q->after_namespace, q->after_name };
        const char *next;

        if (!q->after_name)
                return api_refuse(r, API_EXPIRED, "The resourceVersion for the provided list is too old.");
        next = api_place_token(r->arena, scope_of(r), &place);
        if (!next)
                return api_fail(r, -ENOMEM, NULL);
        return api_refuse_page(
                r,
                "The provided continue parameter is too old to display a consistent list result. You can start a new "
                "list without the continue parameter, or use the continue token in this response to retrieve the "
                "remainder of the results. Continuing with the provided token results in an inconsistent list - "
                "objects that were created, modified, or deleted between the time the first chunk was returned and "
                "now may show up in the list.",
                next);
}

enum api_step api_query_list(struct api_request *r, const struct collection_query *query,
                             struct collection_page *ret_page) {
        bool gone = query->revision && query->revision < api_state_compacted(r->server->config.state);
        int error = gone ? -ESTALE : collection_list(r->resource->collection, query, ret_page);

        if (error == -ESTALE)
                return expire(r, query);
        return error < 0 ? api_fail(r, error, NULL) : API_NEXT;
}

int api_query_next(struct api_request *r, const struct collection_page *page, const char **ret_next) {
        const struct object *last = page->more ? page->objects[page->n - 1] : NULL;
        struct api_place place = { .revision = page->revision };
        const char *next = NULL;

        if (last) {
                place.namespace = last->namespace;
                place.name = last->name;
                next = api_place_token(r->arena, scope_of(r), &place);
                if (!next)
                        return -ENOMEM;
        }
        *ret_next = next;
        return 0;
}
