#include "agent/kubelet/log_query.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "agent/kubelet/host_file.h"
#include "kube/problem.h"
#include "kube/scalar.h"
#include "kube/validate/field.h"
#include "lib/arena.h"
#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/http/message.h"
#include "lib/pattern.h"

/* All that is asked, before it is known whether it goes together. */
struct reading {
        struct arena *arena;
        const char *query;
        struct validation v;
        struct problems problems;
        const char *files[LOG_QUERY_ASKED_MAX], *services[LOG_QUERY_ASKED_MAX], *all[LOG_QUERY_ASKED_MAX];
        uint32_t n_files, n_services, n_all;
        const char *until_text;
        struct kubelet_log_query_options options;
        bool any_option;
};

#define QUERY FIELD(NULL, "query")

static const char *json_list(struct reading *r, const char **texts, uint32_t n) {
        string_list list = { .items = texts, .count = n };

        return validate_json_strings(&r->v, &list);
}

/* -- one after the other ----------------------------------------------------------------------------------- */

static bool is_blank(const char *text) {
        return text[strspn(text, " \t\n\v\f\r")] == '\0';
}

/* What has a slash is a file. */
static void read_names(struct reading *r) {
        const char *rest = r->query, *text;

        while (r->n_all < LOG_QUERY_ASKED_MAX && (text = http_query_next(r->arena, &rest, "query"))) {
                r->all[r->n_all++] = text;
                if (strpbrk(text, "/\\"))
                        r->files[r->n_files++] = text;
                else if (!is_blank(text))
                        r->services[r->n_services++] = text;
        }
        if (r->n_all > 0 && r->n_files == 0 && r->n_services == 0)
                validate_invalid_json(&r->v, QUERY, json_list(r, r->all, r->n_all), "may not be empty");
}

static const char *get(struct reading *r, const char *name) {
        const char *text = http_query(r->arena, r->query, name);

        return text && *text ? text : NULL;
}

/* What stands behind the seconds of @text, a time. */
static int64_t microseconds_of(const char *text) {
        const char *at = strchr(text, '.');
        int64_t us = 0;

        for (int i = 0; at && i < 6; i++)
                us = us * 10 + (at[1] >= '0' && at[1] <= '9' ? *++at - '0' : 0);
        return us;
}

static const char *read_time(struct reading *r, const char *name, int64_t *ret_usec, bool *ret_has) {
        const char *text = get(r, name);
        struct kube_time time = { 0 };

        if (!text)
                return NULL;
        if (!kube_time_parse(text, strlen(text), false, &time)) {
                validate_invalid(&r->v, FIELD(NULL, name), text, "invalid time format");
                return NULL;
        }
        *ret_usec = time.seconds < 0 ? 0 : time.seconds * 1000000 + microseconds_of(text); /* journals begin in 1970 */
        *ret_has = true;
        return text;
}

/* strconv.Atoi(). */
static bool read_number(struct reading *r, const char *name, int64_t *ret_number) {
        const char *text = get(r, name), *digits, *what = NULL;
        char *end;
        int64_t number;

        if (!text)
                return false;
        digits = text + (*text == '-' || *text == '+');
        errno = 0;
        number = strtoll(text, &end, 10);
        if (*digits < '0' || *digits > '9' || *end)
                what = "invalid syntax";
        else if (errno)
                what = "value out of range";
        if (what)
                validate_invalid(
                        &r->v, FIELD(NULL, name), text,
                        validate_text(&r->v, "strconv.Atoi: parsing %s: %s", validate_quoted(&r->v, text), what));
        else
                *ret_number = number;
        return !what;
}

static void read_options(struct reading *r) {
        struct kubelet_log_query_options *o = &r->options;
        bool tail;

        read_time(r, "sinceTime", &o->since_usec, &o->has_since);
        r->until_text = read_time(r, "untilTime", &o->until_usec, &o->has_until);
        o->has_boot = read_number(r, "boot", &o->boot);
        tail = read_number(r, "tailLines", &o->tail_lines);
        o->pattern = get(r, "pattern");
        r->any_option = o->has_since || o->has_until || o->has_boot || tail || o->pattern;
}

/* -- together ---------------------------------------------------------------------------------------------- */

static void check_services(struct reading *r) {
        for (uint32_t i = 0; i < r->n_services; i++) {
                static const char safe[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.:@";
                const char *name = r->services[i];

                if (strlen(name) > LOG_QUERY_SERVICE_MAX)
                        validate_invalid(&r->v, QUERY, name, "length must be less than 256");
                else if (name[strspn(name, safe)])
                        validate_invalid(&r->v, QUERY, name, "input contains unsupported characters");
        }
        if (r->n_services > LOG_QUERY_SERVICES_MAX)
                validate_too_many(&r->v, QUERY, (int)r->n_services, LOG_QUERY_SERVICES_MAX);
}

/* As Go prints a []string. */
static const char *in_brackets(struct reading *r, const char **texts, uint32_t n) {
        const char *all = "";

        for (uint32_t i = 0; i < n; i++)
                all = validate_text(&r->v, "%s%s%s", all, i ? " " : "", texts[i]);
        return validate_text(&r->v, "[%s]", all);
}

static void check_file(struct reading *r) {
        _cleanup_close_ int fd = kubelet_open_host_file(r->files[0], true);
        char why[HOST_FILE_TEXT_MAX];

        if (fd < 0)
                validate_invalid_json(
                        &r->v, QUERY, json_list(r, r->files, 1),
                        validate_text(&r->v, "statat %s: %s", r->files[0], kubelet_host_file_error(fd, why)));
}

static void check_names(struct reading *r) {
        check_services(r);
        if (r->n_files == 0 && r->n_services == 0)
                validate_required(&r->v, QUERY, "cannot be empty with options");
        else if (r->n_files > 0 && r->n_services > 0)
                validate_invalid(&r->v, QUERY,
                                 validate_text(&r->v, "%s, %s", in_brackets(r, r->files, r->n_files),
                                               in_brackets(r, r->services, r->n_services)),
                                 "cannot specify a file and service");
        else if (r->n_files > 1)
                validate_invalid_json(&r->v, QUERY, json_list(r, r->files, r->n_files),
                                      "cannot specify more than one file");
        else if (r->n_files == 1 && r->any_option)
                validate_invalid_json(&r->v, QUERY, json_list(r, r->files, 1), "cannot specify file with options");
        else if (r->n_files == 1)
                check_file(r);
}

static void check_pattern(struct reading *r) {
        _cleanup_err_ struct err *err = NULL;
        struct pattern *pattern = NULL;

        if (r->options.pattern && pattern_new(r->options.pattern, false, &pattern, &err) < 0)
                validate_invalid(&r->v, FIELD(NULL, "pattern"), r->options.pattern,
                                 validate_text(&r->v, "%s", err_text(err)));
        pattern_free(pattern);
}

static void check(struct reading *r) {
        const struct kubelet_log_query_options *o = &r->options;

        check_names(r);
        if (o->has_since && o->has_until && o->since_usec > o->until_usec)
                validate_invalid_word(&r->v, FIELD(NULL, "untilTime"), r->until_text, "must be after `sinceTime`");
        if (o->has_boot && o->boot > 0)
                validate_invalid_int(&r->v, FIELD(NULL, "boot"), o->boot, "must be less than 1");
        if (o->tail_lines < -1 || o->tail_lines > LOG_QUERY_TAIL_MAX || (o->tail_lines == -1 && get(r, "tailLines")))
                validate_invalid_int(&r->v, FIELD(NULL, "tailLines"), o->tail_lines,
                                     "must be between 0 and 100000, inclusive");
        check_pattern(r);
}

/* -- what comes of it -------------------------------------------------------------------------------------- */

/* Several stand in brackets, as apimachinery joins them; with the line end of Go's http.Error(). */
static const char *join(struct reading *r) {
        const char *all = "";

        for (uint32_t i = 0; i < r->problems.count; i++)
                all = validate_text(&r->v, "%s%s%s", all, i ? ", " : "", r->problems.items[i].text);
        return validate_text(&r->v, r->problems.count > 1 ? "[%s]\n" : "%s\n", all);
}

static void refuse(struct reading *r, int status, struct kubelet_log_refusal *ret_refusal) {
        *ret_refusal = (struct kubelet_log_refusal){ status, join(r) };
}

static void take(const struct reading *r, struct kubelet_log_query *ret_query) {
        *ret_query = (struct kubelet_log_query){ .n_services = r->n_services,
                                                 .file = r->n_files > 0 ? r->files[0] : NULL,
                                                 .options = r->options,
                                                 .any_option = r->any_option };
        memcpy(ret_query->services, r->services, sizeof(ret_query->services));
}

int kubelet_log_query_read(struct arena *arena, const char *query, const char *path,
                           struct kubelet_log_query *ret_query, struct kubelet_log_refusal *ret_refusal) {
        struct reading r = { .arena = arena, .query = query, .options.tail_lines = -1 };

        *ret_refusal = (struct kubelet_log_refusal){ 0 };
        r.v = (struct validation){ .problems = &r.problems, .arena = arena };
        problems_init(&r.problems, arena, NULL, NULL);
        read_names(&r);
        read_options(&r);
        if (validate_errors(&r.v) > 0)
                refuse(&r, 400, ret_refusal);
        else if (r.n_all == 0 && !r.any_option)
                return 1;
        else if (*path)
                *ret_refusal = (struct kubelet_log_refusal){ 406, "path not allowed in query mode\n" };
        else {
                check(&r);
                if (validate_errors(&r.v) > 0)
                        refuse(&r, 406, ret_refusal);
        }
        take(&r, ret_query);
        return r.v.error;
}
