#include "cli/describe.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "cli/columns.h"
#include "cli/format.h"
#include "cli/list.h"

#define FIELD_MAX 8192

/* How far a level's keys are moved in, and where their texts begin. */
static const struct { int indent, text; } levels[] = { { 0, 18 }, { 2, 18 }, { 4, 21 }, { 6, 21 } };

/* -- fields -------------------------------------------------------------------------------------------------- */

/* What containers and manifests say must not reach the terminal as commands. */
static void print_text(const char *text, int indent) {
        for (unsigned n; *text; text += n ?: 1) {
                n = columns_control(text);
                if (*text == '\n' && text[1])
                        printf("\n%*s", indent, "");
                else if (*text != '\n')
                        putchar(n > 0 ? '?' : *text);
        }
        putchar('\n');
}

void describe_field(unsigned level, const char *key, const char *format, ...) {
        int indent = levels[level].indent, width = levels[level].text - indent;
        char text[FIELD_MAX], head[FIELD_MAX / 8];
        va_list args;

        va_start(args, format);
        vsnprintf(text, sizeof(text), format, args);
        va_end(args);
        snprintf(head, sizeof(head), "%s%s", key, *key ? ":" : "");
        if (!*text)
                printf("%*s%s\n", indent, "", head);
        else if (!*key)
                printf("%*s", indent, "");
        else
                printf("%*s%-*s%s", indent, "", width, head, strlen(head) >= (size_t)width ? " " : "");
        if (*text)
                print_text(text, *key ? levels[level].text : indent);
}

void describe_if(unsigned level, const char *key, const char *text) {
        if (*text)
                describe_field(level, key, "%s", text);
}

void describe_map(unsigned level, const char *key, const struct value *map, const char *between) {
        if (value_count(map) == 0)
                describe_field(level, key, "<none>");
        else if (level > 0)
                describe_field(level, key, "%s", "");
        for (uint32_t i = 0; i < value_count(map); i++) {
                const char *name = map->members[i].key, *text = value_string_or(&map->members[i].value, "");

                if (level > 0)
                        describe_field(level + 1, name, "%s", text);
                else
                        describe_field(level, i == 0 ? key : "", "%*s%s%s%s", i == 0 ? 0 : levels[0].text, "", name,
                                       between, text);
        }
}

void describe_time(unsigned level, const char *key, const char *text) {
        char line[64];
        int64_t ns;
        struct tm tm;
        time_t t;

        if (!*text || format_parse_since(text, 0, &ns) < 0)
                return;
        t = (time_t)(ns / 1000000000);
        gmtime_r(&t, &tm);
        strftime(line, sizeof(line), "%a, %d %b %Y %H:%M:%S +0000", &tm);
        describe_field(level, key, "%s", line);
}

/* -- the pod's parts ----------------------------------------------------------------------------------------- */

/* The file that the pod comes from, and files that would have it, too. */
static void describe_manifests(const struct node_view *view, const struct value *pod) {
        const struct value *files = value_get(view->files, "items");
        const char *directory = node_view_text(view->files, "directory");

        for (uint32_t i = 0; i < value_count(files); i++) {
                const struct value *file = value_at(files, i);

                if (strcmp(node_view_text(file, "uid"), node_view_text(pod, "metadata.uid")) != 0 &&
                    (strcmp(node_view_text(file, "name"), node_view_text(pod, "metadata.name")) != 0 ||
                     strcmp(node_view_text(file, "namespace"), node_view_text(pod, "metadata.namespace")) != 0))
                        continue;
                describe_field(0, "Manifest", "%s/%s", directory, node_view_text(file, "file"));
                describe_if(0, "Refused", node_view_text(file, "message"));
        }
}

static void describe_addresses(const struct value *status) {
        const struct value *ips = value_get(status, "podIPs");

        describe_field(0, "IP", "%s", *node_view_text(status, "podIP") ? node_view_text(status, "podIP") : "<none>");
        for (uint32_t i = 1; i < value_count(ips); i++)
                describe_field(1, "IP", "%s", node_view_text(value_at(ips, i), "ip"));
}

static void describe_conditions(const struct value *conditions) {
        struct columns columns;

        if (value_count(conditions) == 0)
                return;
        describe_field(0, "Conditions", "%s", "");
        columns_begin(&columns, "  Type\tStatus\tReason\tMessage");
        for (uint32_t i = 0; i < value_count(conditions); i++) {
                const struct value *c = value_at(conditions, i);

                columns_row(&columns, "  %s\t%s\t%s\t%s", node_view_text(c, "type"), node_view_text(c, "status"),
                            node_view_text(c, "reason"), node_view_text(c, "message"));
        }
        columns_end(&columns, stdout);
}

/* Each by the member that says what it is: {name, emptyDir: {…}}. */
static void describe_volumes(const struct value *volumes) {
        if (value_count(volumes) == 0)
                return;
        describe_field(0, "Volumes", "%s", "");
        for (uint32_t i = 0; i < value_count(volumes); i++) {
                const struct value *volume = value_at(volumes, i);

                describe_field(1, node_view_text(volume, "name"), "%s", "");
                for (uint32_t k = 0; k < value_count(volume); k++) {
                        const struct value_member *member = &volume->members[k];
                        const char *path = node_view_text(&member->value, "path");

                        if (value_is(&member->value, VALUE_MAP))
                                describe_field(2, "Type", "%s", member->key);
                        describe_if(2, "Path", path);
                }
        }
}

/* -- events -------------------------------------------------------------------------------------------------- */

static const char *since(const char *time, char buffer[FORMAT_MAX]) {
        int64_t now = format_now_ns(), ns;

        return *time && format_parse_since(time, now, &ns) == 0 ? format_duration((now - ns) / 1000000000, buffer) :
                                                                  "<unknown>";
}

static void add_event(struct columns *columns, const struct value *event) {
        const char *field = node_view_text(event, "involvedObject.fieldPath");
        char last[FORMAT_MAX], first[FORMAT_MAX], age[3 * FORMAT_MAX];
        int64_t n = 0;

        value_integer(value_get(event, "count"), &n);
        if (n > 1)
                snprintf(age, sizeof(age), "%s (x%" PRId64 " over %s)",
                         since(node_view_text(event, "lastTimestamp"), last), n,
                         since(node_view_text(event, "firstTimestamp"), first));
        else
                snprintf(age, sizeof(age), "%s", since(node_view_text(event, "firstTimestamp"), first));
        columns_row(columns, "  %s\t%s\t%s\t%s\t%s%s%s", node_view_text(event, "type"), node_view_text(event, "reason"),
                    age, node_view_text(event, "source.component"), field, *field ? ": " : "",
                    node_view_text(event, "message"));
}

static void describe_events(const struct node_view *view, const char *uid) {
        const struct value *items = value_get(view->events, "items");
        struct columns columns;
        bool any = false;

        for (uint32_t i = 0; i < value_count(items); i++) {
                const struct value *event = value_at(items, i);

                if (strcmp(node_view_text(event, "involvedObject.uid"), uid) != 0)
                        continue;
                if (!any) {
                        describe_field(0, "Events", "%s", "");
                        columns_begin(&columns, "  Type\tReason\tAge\tFrom\tMessage");
                        columns_row(&columns, "  ----\t------\t----\t----\t-------");
                }
                add_event(&columns, event);
                any = true;
        }
        if (any)
                columns_end(&columns, stdout);
        else
                describe_field(0, "Events", "<none>");
}

/* -- all of it ----------------------------------------------------------------------------------------------- */

static void describe_pod(const struct node_view *view, const struct value *pod) {
        const struct value *metadata = value_get(pod, "metadata"), *spec = value_get(pod, "spec");
        const struct value *status = value_get(pod, "status");
        const char *directory = node_view_text(view->files, "podLogsDir");
        char logs[1024] = "";

        if (*directory)
                snprintf(logs, sizeof(logs), "%s/%s_%s_%s", directory, node_view_text(metadata, "namespace"),
                         node_view_text(metadata, "name"), node_view_text(metadata, "uid"));
        describe_field(0, "Name", "%s", node_view_text(metadata, "name"));
        describe_field(0, "Namespace", "%s", node_view_text(metadata, "namespace"));
        describe_if(0, "Runtime Class", node_view_text(spec, "runtimeClassName"));
        describe_field(0, "Node", "%s/%s", node_view_text(view->files, "nodeName"), node_view_text(status, "hostIP"));
        describe_time(0, "Start Time", node_view_text(status, "startTime"));
        describe_map(0, "Labels", value_get(metadata, "labels"), "=");
        describe_map(0, "Annotations", value_get(metadata, "annotations"), ": ");
        describe_manifests(view, pod);
        describe_field(0, "Status", "%s", node_view_text(status, "phase"));
        describe_if(0, "Reason", node_view_text(status, "reason"));
        describe_if(0, "Message", node_view_text(status, "message"));
        describe_addresses(status);
        describe_containers("Init Containers", value_get(spec, "initContainers"),
                            value_get(status, "initContainerStatuses"), logs);
        describe_containers("Containers", value_get(spec, "containers"), value_get(status, "containerStatuses"), logs);
        describe_conditions(value_get(status, "conditions"));
        describe_volumes(value_get(spec, "volumes"));
        describe_if(0, "QoS Class", node_view_text(status, "qosClass"));
        describe_map(0, "Node-Selectors", value_get(spec, "nodeSelector"), "=");
        describe_events(view, node_view_text(metadata, "uid"));
}

static void describe_file(const struct node_view *view, const struct value *file) {
        describe_field(0, "Manifest", "%s/%s", node_view_text(view->files, "directory"), node_view_text(file, "file"));
        describe_if(0, "Name", node_view_text(file, "name"));
        describe_if(0, "Namespace", node_view_text(file, "namespace"));
        describe_field(0, "Status", "Refused");
        describe_field(0, "Reason", "%s", node_view_text(file, "reason"));
        describe_field(0, "Message", "%s", node_view_text(file, "message"));
}

/* -- what is meant ------------------------------------------------------------------------------------------- */

/* The pod of a sandbox's id, or of the beginning of it. */
static const struct value *find_by_id(struct cli *cli, const struct node_view *view, const char *text) {
        _cleanup_unpacked_ struct grpc_unpacked unpacked = {};
        const Cri__ListPodSandboxResponse *answer;

        if (!*text || list_pods(cli, NULL, &unpacked, NULL) < 0)
                return NULL;
        answer = (const Cri__ListPodSandboxResponse *)unpacked.message;
        for (size_t i = 0; i < answer->n_items; i++)
                if (strncmp(answer->items[i]->id, text, strlen(text)) == 0 && answer->items[i]->metadata)
                        return node_view_pod(view, answer->items[i]->metadata->uid);
        return NULL;
}

static const struct value *find_file(const struct node_view *view, const char *text) {
        const struct value *files = value_get(view->files, "items");

        for (uint32_t i = 0; i < value_count(files); i++)
                if (*node_view_text(value_at(files, i), "reason") && node_view_is_file(value_at(files, i), text))
                        return value_at(files, i);
        return NULL;
}

static int find_by_name(const struct node_view *view, const char *text, const struct value **ret_pod,
                        struct err **err) {
        const struct value *found = NULL;

        for (int whole = 1; whole >= 0 && !found; whole--)
                for (size_t i = 0; i < view->n_pods; i++) {
                        const struct value *pod = view->pods[i];

                        if (!node_view_is_pod(view, text, node_view_text(pod, "metadata.namespace"),
                                              node_view_text(pod, "metadata.name"), whole))
                                continue;
                        if (found)
                                return err_set(err, EINVAL, "it is ambiguous: it may be %s/%s or %s/%s",
                                               node_view_text(found, "metadata.namespace"),
                                               node_view_text(found, "metadata.name"),
                                               node_view_text(pod, "metadata.namespace"),
                                               node_view_text(pod, "metadata.name"));
                        found = pod;
                }
        *ret_pod = found;
        return 0;
}

static int describe(struct cli *cli, const struct node_view *view, const char *text, struct err **err) {
        const struct value *pod = NULL, *file = NULL;
        int r = find_by_name(view, text, &pod, err);

        if (r < 0)
                return r;
        if (!pod)
                pod = find_by_id(cli, view, text);
        if (!pod)
                file = find_file(view, text);
        if (pod)
                describe_pod(view, pod);
        else if (file)
                describe_file(view, file);
        else
                return err_set(
                        err, ENOENT,
                        "not found among the pods and files of %s; `nacelle inspectp` shows pods that others made",
                        node_view_text(view->files, "directory"));
        return 0;
}

int cli_describe(struct cli *cli, char **arguments, int n, struct err **err) {
        _cleanup_node_view_ struct node_view view = {};
        int shown = 0, r;

        r = node_view_read(cli, &view, err);
        if (r < 0)
                return r;
        if (!view.known)
                return err_set(err, EOPNOTSUPP,
                               "%s runs no pods of a directory; `nacelle inspectp POD` shows a pod's status",
                               cli->endpoint);
        for (int i = 0; i < n; i++) {
                _cleanup_err_ struct err *one = NULL;

                if (shown > 0)
                        putchar('\n');
                if (describe(cli, &view, arguments[i], &one) == 0)
                        shown++;
                else
                        fprintf(stderr, "nacelle: %s: %s\n", arguments[i], err_text(one));
        }
        return shown < n;
}
