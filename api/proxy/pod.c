/* Pods: their logs, and what is run in them; and what they listen to. */
#include <errno.h>
#include <string.h>

#include "api/proxy/internal.h"
#include "api/server/request.h"
#include "api/server/respond.h"
#include "api/server/status.h"
#include "kube/kinds.h"
#include "kube/problem.h"
#include "kube/scalar.h"
#include "lib/arena.h"
#include "lib/cleanup.h"
#include "lib/go_number.h"
#include "lib/go_text.h"
#include "lib/http/exchange.h"
#include "lib/value.h"

static enum api_step take_pod(struct api_request *r, const char *name, const struct value **ret_pod) {
        int error = proxy_find(r, "pods", r->path.namespace, name, ret_pod);

        if (error < 0)
                return error == -ENOENT ? api_not_found(r, name) : api_fail(r, error, NULL);
        return API_NEXT;
}

/* --- containers --- */

static const char *const lists[] = { "initContainers", "containers", "ephemeralContainers" };

static bool has_container(const struct value *spec, const char *name) {
        for (size_t l = 0; l < ELEMENTS(lists); l++)
                if (value_item(value_get(spec, lists[l]), "name", name))
                        return true;
        return false;
}

static const char *container_names(struct arena *arena, const struct value *spec) {
        struct arena_text text = { .arena = arena };

        for (size_t l = 0; l < ELEMENTS(lists); l++) {
                const struct value *list = value_get(spec, lists[l]);

                for (uint32_t i = 0; i < value_count(list); i++)
                        arena_text_add(&text, "%s%s", text.length > 0 ? " " : "",
                                       value_string_or(value_get(value_at(list, i), "name"), ""));
        }
        return arena_text_of(&text) ?: "";
}

/* The one that is asked for, or the only one. */
static enum api_step choose(struct api_request *r, const struct value *pod, const char **ret_container) {
        const struct value *spec = value_get(pod, "spec"), *list = value_get(spec, "containers");
        const char *name = proxy_ask(r, "container") ?: "";

        if (!*name && value_count(list) != 1)
                return api_refuse(r, API_BAD_REQUEST,
                                  "a container name must be specified for pod %s, choose one of: [%s]", r->path.name,
                                  container_names(r->arena, spec));
        if (*name && !has_container(spec, name))
                return api_refuse(r, API_BAD_REQUEST, "container %s is not valid for pod %s", name, r->path.name);
        *ret_container = *name ? name : value_string_or(value_get(value_at(list, 0), "name"), "");
        return API_NEXT;
}

/* The kubelet of the pod's node; NULL as its host: the pod is on none. */
static enum api_step take_kubelet(struct api_request *r, const struct value *pod, struct proxy_target *ret_target) {
        const char *node = value_string_or(value_find(pod, "spec.nodeName"), "");

        if (*node)
                return proxy_find_kubelet(r, node, ret_target);
        *ret_target = (struct proxy_target){ .host = NULL };
        return API_NEXT;
}

static enum api_step refuse_homeless(struct api_request *r) {
        return api_refuse(r, API_BAD_REQUEST, "pod %s does not have a host assigned", r->path.name);
}

/* --- logs --- */

static enum api_step refuse_log(struct api_request *r, const struct problems *problems) {
        const struct kube_kind as = { .group = "", .kind = "PodLogOptions" };
        enum api_step step;

        r->kind = &as;
        step = api_invalid(r, r->path.name, problems);
        r->kind = NULL;
        return step;
}

/* A number that has to be at least @least. */
static enum api_step check_number(struct api_request *r, const char *name, int64_t least, struct problems *problems) {
        const char *text = proxy_ask(r, name);
        int64_t number;

        if (!text || !*text)
                return API_NEXT;
        if (!proxy_number(text, &number))
                return api_refuse(r, API_BAD_REQUEST, "strconv.ParseInt: parsing \"%s\": invalid syntax", text);
        if (number < least)
                problem_error(problems, name, "Invalid value: %lld: %s", (long long)number,
                              least == 0 ? "must be greater than or equal to 0" : "must be greater than 0");
        return API_NEXT;
}

static enum api_step check_time(struct api_request *r) {
        const char *text = proxy_ask(r, "sinceTime");
        struct kube_time time;

        if (!text || !*text || kube_time_parse(text, strlen(text), false, &time))
                return API_NEXT;
        return api_refuse(r, API_BAD_REQUEST,
                          "parsing time \"%s\" as \"2006-01-02T15:04:05Z07:00\": cannot parse \"%s\" as \"2006\"", text,
                          text);
}

static bool is_given(struct api_request *r, const char *name) {
        const char *text = proxy_ask(r, name);

        return text && *text;
}

static enum api_step check_log(struct api_request *r) {
        struct problems problems;
        enum api_step step;

        problems_init(&problems, r->arena, NULL, NULL);
        step = check_number(r, "tailLines", 0, &problems);
        step = step ?: check_number(r, "limitBytes", 1, &problems);
        step = step ?: check_time(r);
        if (step == API_NEXT && is_given(r, "sinceSeconds") && is_given(r, "sinceTime"))
                problem_error(&problems, "[]",
                              "Forbidden: at most one of `sinceTime` or `sinceSeconds` may be specified");
        else
                step = step ?: check_number(r, "sinceSeconds", 1, &problems);
        if (step == API_NEXT && is_given(r, "stream"))
                problem_error(&problems, "stream", "Forbidden: may not be specified");
        if (step != API_NEXT || problems.errors == 0)
                return step;
        return refuse_log(r, &problems);
}

enum api_step proxy_log(struct api_request *r) {
        const struct value *pod;
        struct proxy_target target;
        const char *container;
        enum api_step step = check_log(r);

        step = step ?: take_pod(r, r->path.name, &pod);
        step = step ?: choose(r, pod, &container);
        step = step ?: take_kubelet(r, pod, &target);
        if (step != API_NEXT)
                return step;
        if (!target.host) {
                api_respond_nothing(r);
                return API_END;
        }
        target.form = PROXY_LOG;
        target.any_server = proxy_ask_bool(r, "insecureSkipTLSVerifyBackend");
        target.path = arena_printf(r->arena, "/containerLogs/%s/%s/%s", r->path.namespace, r->path.name, container);
        target.query = proxy_log_query(r);
        return target.path && target.query ? proxy_send(r, &target) : api_fail(r, -ENOMEM, NULL);
}

/* --- exec, attach, port forwarding --- */

enum api_step proxy_stream(struct api_request *r) {
        const struct value *pod;
        struct proxy_target target;
        const char *container;
        enum api_step step = take_pod(r, r->path.name, &pod);

        step = step ?: choose(r, pod, &container);
        step = step ?: take_kubelet(r, pod, &target);
        if (step != API_NEXT)
                return step;
        if (!target.host)
                return refuse_homeless(r);
        target.form = PROXY_EXEC;
        target.path = arena_printf(r->arena, "/%s/%s/%s/%s", r->sub->name, r->path.namespace, r->path.name, container);
        target.query = proxy_stream_query(r);
        return target.path && target.query ? proxy_send(r, &target) : api_fail(r, -ENOMEM, NULL);
}

/* Go's strconv.ParseUint() of 16 bits. */
static enum api_step check_port(struct api_request *r, const char *text) {
        uint64_t port;
        int error = text ? go_number_uint(text, &port) : -ENOMEM;

        if (error == -ENOMEM)
                return api_fail(r, error, NULL);
        if (error == 0 && port > UINT16_MAX)
                error = -ERANGE;
        if (error == 0)
                return API_NEXT;
        return api_refuse(r, API_BAD_REQUEST, "cannot convert to []int32: strconv.ParseUint: parsing %s: %s",
                          go_text_quote(r->arena, text) ?: "", go_number_error(error));
}

/* Each parameter is a number, or several with commas between them. */
static enum api_step check_ports(struct api_request *r) {
        const char *rest = http_request_of(r->x)->query, *text;
        enum api_step step = API_NEXT;

        while (step == API_NEXT && rest && *rest && (text = http_query_next(r->arena, &rest, "ports")))
                for (bool more = true; step == API_NEXT && more; text += more) {
                        size_t n = strcspn(text, ",");

                        step = check_port(r, arena_strndup(r->arena, text, n));
                        more = text[n];
                        text += n;
                }
        return step;
}

enum api_step proxy_forward(struct api_request *r) {
        const struct value *pod;
        struct proxy_target target;
        enum api_step step = check_ports(r) ?: take_pod(r, r->path.name, &pod);

        step = step ?: take_kubelet(r, pod, &target);
        if (step != API_NEXT)
                return step;
        if (!target.host)
                return refuse_homeless(r);
        target.form = PROXY_FORWARD;
        target.path = arena_printf(r->arena, "/portForward/%s/%s", r->path.namespace, r->path.name);
        target.query = proxy_stream_query(r);
        return target.path && target.query ? proxy_send(r, &target) : api_fail(r, -ENOMEM, NULL);
}

/* --- what it listens to --- */

static const char *first_port(struct arena *arena, const struct value *pod) {
        const struct value *list = value_find(pod, "spec.containers");
        int64_t port;

        for (uint32_t i = 0; i < value_count(list); i++)
                if (value_integer(value_find(value_at(list, i), "ports[0].containerPort"), &port))
                        return arena_printf(arena, "%lld", (long long)port) ?: "";
        return "";
}

enum api_step proxy_pod(struct api_request *r) {
        const struct value *pod;
        struct proxy_target target = { 0 };
        struct proxy_id id;
        enum api_step step;

        if (!proxy_id_parse(r, r->path.name, &id))
                return api_refuse(r, API_BAD_REQUEST, "invalid pod request \"%s\"", r->path.name);
        step = take_pod(r, id.name, &pod);
        if (step != API_NEXT)
                return step;
        target.host = value_string_or(value_find(pod, "status.podIPs[0].ip"), "");
        if (!*target.host)
                target.host = value_string_or(value_find(pod, "status.podIP"), "");
        if (!proxy_is_unicast(target.host))
                return api_refuse(r, API_BAD_REQUEST, "address not allowed");
        target.scheme = id.scheme;
        target.port = *id.port ? id.port : first_port(r->arena, pod);
        target.path = proxy_rest(r);
        target.query = http_request_of(r->x)->query;
        return proxy_send(r, &target);
}
