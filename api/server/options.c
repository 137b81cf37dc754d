#include "api/server/options.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <strings.h>

#include "api/server/negotiate.h"
#include "api/server/request.h"
#include "api/server/status.h"
#include "kube/kinds.h"
#include "kube/print/table.h"
#include "kube/problem.h"
#include "lib/arena.h"
#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/go_number.h"
#include "lib/go_text.h"
#include "lib/http/exchange.h"
#include "lib/http/message.h"
#include "lib/value.h"

enum option_kind { OPTION_TEXT, OPTION_NUMBER, OPTION_BOOL };

#define AT(member) offsetof(struct api_options, member)
#define NO_FLAG 0

#define LISTS (KUBE_VERB_LIST | KUBE_VERB_WATCH | KUBE_VERB_DELETECOLLECTION)
#define ANY UINT16_MAX
#define DELETES (KUBE_VERB_DELETE | KUBE_VERB_DELETECOLLECTION)

static const struct option {
        const char *name;
        enum option_kind kind;
        size_t at;
        size_t given;   /* where a bool says that it was given */
        uint16_t verbs; /* that know it: with others it is not even read */
} table[] = {
        { "labelSelector", OPTION_TEXT, AT(label_selector), NO_FLAG, ANY },
        { "fieldSelector", OPTION_TEXT, AT(field_selector), NO_FLAG, ANY },
        { "resourceVersion", OPTION_TEXT, AT(resource_version), NO_FLAG, ANY },
        { "resourceVersionMatch", OPTION_TEXT, AT(resource_version_match), NO_FLAG, ANY },
        { "continue", OPTION_TEXT, AT(continue_), NO_FLAG, ANY },
        { "fieldManager", OPTION_TEXT, AT(field_manager), NO_FLAG, ANY },
        { "fieldValidation", OPTION_TEXT, AT(field_validation), NO_FLAG, ANY },
        { "includeObject", OPTION_TEXT, AT(include_object), NO_FLAG, ANY },
        { "dryRun", OPTION_TEXT, AT(dry_run), NO_FLAG, ANY },
        { "propagationPolicy", OPTION_TEXT, AT(propagation), NO_FLAG, ANY },
        { "uid", OPTION_TEXT, AT(uid), NO_FLAG, DELETES },
        { "resourceVersion", OPTION_TEXT, AT(version), NO_FLAG, DELETES },
        { "limit", OPTION_NUMBER, AT(limit), NO_FLAG, LISTS },
        { "timeoutSeconds", OPTION_NUMBER, AT(timeout_s), NO_FLAG, LISTS },
        { "gracePeriodSeconds", OPTION_NUMBER, AT(grace_s), AT(grace_set), DELETES },
        { "watch", OPTION_BOOL, AT(watch), NO_FLAG, ANY },
        { "allowWatchBookmarks", OPTION_BOOL, AT(bookmarks), NO_FLAG, ANY },
        { "sendInitialEvents", OPTION_BOOL, AT(initial_events), AT(initial_events_set), ANY },
        { "orphanDependents", OPTION_BOOL, AT(orphan), AT(orphan_set), ANY },
        { "force", OPTION_BOOL, AT(force), AT(force_set), ANY },
};

bool api_option_bool(const char *text) {
        return strcmp(text, "0") != 0 && strcasecmp(text, "false") != 0;
}

static int read_option(struct api_options *options, const struct option *o, const char *text) {
        void *at = (char *)options + o->at;

        if (o->given)
                *((bool *)((char *)options + o->given)) = true;
        switch (o->kind) {
        case OPTION_TEXT:
                *(const char **)at = text;
                return 0;
        case OPTION_NUMBER:
                return go_number_int(text, at);
        default:
                *(bool *)at = api_option_bool(text);
                return 0;
        }
}

/* As Go's strconv.ParseBool has it. */
static bool says_true(const char *text) {
        static const char *const words[] = { "1", "t", "T", "true", "TRUE", "True" };

        for (size_t i = 0; i < ELEMENTS(words); i++)
                if (strcmp(text, words[i]) == 0)
                        return true;
        return false;
}

static bool is_pretty(const struct http_request *q, const char *option) {
        static const char *const people[] = { "curl", "Wget", "Mozilla/5.0" };
        const char *agent = http_fields_get(&q->fields, "user-agent");

        if (option && *option)
                return says_true(option);
        for (size_t i = 0; agent && i < ELEMENTS(people); i++)
                if (strncmp(agent, people[i], strlen(people[i])) == 0)
                        return true;
        return false;
}

static const char *options_kind(uint16_t verb) {
        return verb == KUBE_VERB_CREATE ? "CreateOptions" :
               verb == KUBE_VERB_UPDATE ? "UpdateOptions" :
               verb == KUBE_VERB_PATCH  ? "PatchOptions" :
                                          "DeleteOptions";
}

static bool is_one_of(const char *text, const char *const *words) {
        for (; *words; words++)
                if (strcmp(*words, text) == 0)
                        return true;
        return false;
}

/* How often it was said, and with what, as the error has it. */
struct dry_runs {
        struct arena_text shown;
        unsigned n;
        bool wrong;
};

static void add_dry_run(struct api_request *r, struct dry_runs *d, const char *text) {
        const char *quoted = go_text_quote(r->arena, text);

        if (quoted)
                arena_text_add(&d->shown, "%s%s", d->n ? "," : "", quoted);
        d->wrong |= strcmp(text, "All") != 0 || !quoted || d->shown.failed;
        d->n++;
}

static struct dry_runs dry_runs_of_query(struct api_request *r, const char *query) {
        struct dry_runs d = { .shown = { .arena = r->arena } };
        const char *text;

        while (*query && (text = http_query_next(r->arena, &query, "dryRun")))
                add_dry_run(r, &d, text);
        return d;
}

static struct dry_runs dry_runs_of_list(struct api_request *r, const struct value *list) {
        struct dry_runs d = { .shown = { .arena = r->arena } };

        for (uint32_t i = 0; i < value_count(list); i++)
                add_dry_run(r, &d, value_string_or(value_at(list, i), ""));
        return d;
}

static void check_dry_runs(struct api_request *r, const struct dry_runs *d, struct problems *problems) {
        if (d->wrong)
                problem_error(problems, "dryRun", "Unsupported value: [%s]: supported values: \"All\"",
                              arena_text_of(&d->shown) ?: "");
        r->options.dry = d->n > 0;
}

#define MANAGER_BYTES_MAX 128 /* apimachinery's FieldManagerMaxLength */

/* apimachinery's ValidateFieldManager. */
static void check_manager(const char *manager, struct arena *arena, struct problems *problems) {
        size_t length = strlen(manager), took;

        if (length > MANAGER_BYTES_MAX)
                problem_error(problems, "fieldManager", "Too long: may not be more than %d bytes", MANAGER_BYTES_MAX);
        for (size_t i = 0; i < length; i += took) {
                int32_t rune;

                took = go_text_rune(manager + i, length - i, &rune);
                /* What is no character is U+FFFD to Go, which can be printed. */
                if (rune < 0 || go_text_printable(rune))
                        continue;
                problem_error(problems, "fieldManager", "Invalid value: %s: invalid character U+%04X (at position %zu)",
                              go_text_quote(arena, manager) ?: "", (unsigned)rune, i);
                return;
        }
}

/* Asked before the body is there. */
static bool is_plain_patch(const struct api_request *r) {
        const char *type = r->x ? http_fields_get(&http_request_of(r->x)->fields, "content-type") : NULL;
        enum api_form form;

        return r->verb == KUBE_VERB_PATCH && (api_patch_form_of(type, &form) < 0 || form != API_PATCH_APPLY);
}

static enum api_step check(struct api_request *r, const char *kind, const struct dry_runs *d) {
        static const char *const validations[] = { "", "Ignore", "Strict", "Warn", NULL };
        const struct api_options *o = &r->options;
        struct problems problems;

        problems_init(&problems, r->arena, NULL, NULL);
        if (o->force_set && is_plain_patch(r))
                problem_error(&problems, "force", "Forbidden: may not be specified for non-apply patch");
        if (o->field_manager && r->verb & (KUBE_VERB_CREATE | KUBE_VERB_UPDATE | KUBE_VERB_PATCH))
                check_manager(o->field_manager, r->arena, &problems);
        if (o->field_validation && !is_one_of(o->field_validation, validations))
                problem_error(&problems, "fieldValidation",
                              "Unsupported value: \"%s\": supported values: \"\", \"Ignore\", \"Strict\", \"Warn\"",
                              o->field_validation);
        check_dry_runs(r, d, &problems);
        return problems.errors > 0 ? api_invalid_options(r, kind, &problems) : API_NEXT;
}

static enum api_step check_include(struct api_request *r) {
        const char *text = r->options.include_object ?: "";
        _cleanup_err_ struct err *err = NULL;

        if (r->media.shape != API_TABLE || print_include_parse(text, &r->options.include))
                return API_NEXT;
        print_include_error(text, &err);
        return api_refuse(r, API_BAD_REQUEST, "%s", err_text(err));
}

bool api_asks_pretty(const struct api_request *r) {
        const struct http_request *q = http_request_of(r->x);

        return is_pretty(q, *q->query ? http_query(r->arena, q->query, "pretty") : NULL);
}

enum api_step api_read_form(struct api_request *r) {
        const struct http_request *q = http_request_of(r->x);

        int error = api_negotiate(http_fields_get(&q->fields, "accept"), &r->media);

        r->no_media = error < 0;
        r->no_shape = error == -EINVAL;
        if (r->no_media)
                r->media = (struct api_media){ .meta_version = "v1", .pretty = true };
        r->media.pretty |= api_asks_pretty(r);
        return API_NEXT;
}

enum api_step api_options_read(struct api_request *r) {
        const struct http_request *q = http_request_of(r->x);
        struct dry_runs d;
        enum api_step step;

        for (size_t i = 0; *q->query && i < ELEMENTS(table); i++) {
                bool known = table[i].verbs & (r->path.watch ? LISTS : r->verb);
                const char *text = known ? http_query(r->arena, q->query, table[i].name) : NULL;
                int error = text ? read_option(&r->options, &table[i], text) : 0;

                if (error < 0)
                        return api_refuse(r, API_BAD_REQUEST, "strconv.ParseInt: parsing %s: %s",
                                          go_text_quote(r->arena, text) ?: "", go_number_error(error));
        }
        step = check_include(r);
        if (step != API_NEXT)
                return step;
        if (r->verb & (KUBE_VERB_GET | KUBE_VERB_LIST))
                return API_NEXT;
        d = dry_runs_of_query(r, q->query);
        return check(r, options_kind(r->verb), &d);
}

/* What becomes of dependents is said in one way, the new one or the old. */
static enum api_step check_dependents(struct api_request *r) {
        static const char *const policies[] = { "Foreground", "Background", "Orphan", NULL };
        const struct api_options *o = &r->options;
        struct problems problems;

        if (!o->propagation)
                return API_NEXT;
        problems_init(&problems, r->arena, NULL, NULL);
        if (o->orphan_set)
                problem_error(&problems, "propagationPolicy",
                              "Invalid value: \"%s\": orphanDependents and deletionPropagation cannot be both set",
                              o->propagation);
        if (!is_one_of(o->propagation, policies))
                problem_error(&problems, "propagationPolicy",
                              "Unsupported value: \"%s\": supported values: \"Foreground\", \"Background\", "
                              "\"Orphan\", \"nil\"",
                              o->propagation);
        return problems.errors > 0 ? api_invalid_options(r, "DeleteOptions", &problems) : API_NEXT;
}

void api_options_forget_deletion(struct api_request *r) {
        struct api_options *o = &r->options;

        o->grace_set = o->orphan_set = o->orphan = o->dry = false;
        o->grace_s = 0;
        o->propagation = o->dry_run = o->uid = o->version = NULL;
}

enum api_step api_options_of_deletion(struct api_request *r, const struct value *options) {
        struct api_options *o = &r->options;
        const struct value *grace = value_get(options, "gracePeriodSeconds"),
                           *orphan = value_get(options, "orphanDependents"),
                           *conditions = value_get(options, "preconditions"), *dry = value_get(options, "dryRun");
        struct dry_runs d = dry_runs_of_list(r, dry);

        if (!value_is_null(grace))
                o->grace_set = value_integer(grace, &o->grace_s);
        if (!value_is_null(orphan)) {
                o->orphan = value_bool_or(orphan, false);
                o->orphan_set = true;
        }
        o->propagation = value_string_or(value_get(options, "propagationPolicy"), o->propagation);
        o->dry_run = value_string_or(value_at(dry, 0), o->dry_run);
        o->uid = value_string_or(value_get(conditions, "uid"), o->uid);
        o->version = value_string_or(value_get(conditions, "resourceVersion"), o->version);
        if (d.n == 0 && r->options.dry)
                d = (struct dry_runs){ .n = 1 };
        return check_dependents(r) ?: check(r, "DeleteOptions", &d);
}
