#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cli/describe.h"
#include "lib/json_writer.h"

static int64_t number(const struct value *value, const char *key) {
        int64_t n = 0;

        value_integer(value_find(value, key), &n);
        return n;
}

/* A port by number or name. */
static const char *port_text(const struct value *port, char buffer[32]) {
        int64_t n;

        if (!value_integer(port, &n))
                return value_string_or(port, "");
        snprintf(buffer, 32, "%" PRId64, n);
        return buffer;
}

static void describe_ports(const struct value *ports, const char *key, const char *member) {
        char text[512] = "";
        size_t used = 0;

        for (uint32_t i = 0; i < value_count(ports) && used < sizeof(text) - 1; i++) {
                const struct value *port = value_at(ports, i);
                const char *protocol = value_string_or(value_get(port, "protocol"), "TCP");

                used += (size_t)snprintf(text + used, sizeof(text) - used, "%s%" PRId64 "/%s", i ? ", " : "",
                                         number(port, member), protocol);
        }
        describe_field(2, key, "%s", *text ? text : "<none>");
}

static void describe_lines(const char *key, const struct value *list) {
        if (value_count(list) > 0)
                describe_field(2, key, "%s", "");
        for (uint32_t i = 0; i < value_count(list); i++)
                describe_field(3, "", "%s", value_string_or(value_at(list, i), ""));
}

static void describe_terminated(const struct value *terminated) {
        describe_if(3, "Reason", node_view_text(terminated, "reason"));
        describe_if(3, "Message", node_view_text(terminated, "message"));
        describe_field(3, "Exit Code", "%" PRId64, number(terminated, "exitCode"));
        if (number(terminated, "signal") > 0)
                describe_field(3, "Signal", "%" PRId64, number(terminated, "signal"));
        describe_time(3, "Started", node_view_text(terminated, "startedAt"));
        describe_time(3, "Finished", node_view_text(terminated, "finishedAt"));
}

static void describe_state(const char *key, const struct value *state) {
        const struct value *running = value_get(state, "running"), *terminated = value_get(state, "terminated");
        const struct value *waiting = value_get(state, "waiting");

        describe_field(2, key, "%s", running ? "Running" : terminated ? "Terminated" : "Waiting");
        if (running)
                describe_time(3, "Started", node_view_text(running, "startedAt"));
        else if (terminated)
                describe_terminated(terminated);
        else {
                describe_if(3, "Reason", node_view_text(waiting, "reason"));
                describe_if(3, "Message", node_view_text(waiting, "message")); /* kubectl leaves out the best of it */
        }
}

static void describe_status(const struct value *status) {
        describe_state("State", value_get(status, "state"));
        if (value_find(status, "lastState.terminated"))
                describe_state("Last State", value_get(status, "lastState"));
        describe_field(2, "Ready", "%s", value_bool_or(value_get(status, "ready"), false) ? "True" : "False");
        describe_field(2, "Restart Count", "%" PRId64, number(status, "restartCount"));
}

static void probe_target(const struct value *probe, char *ret_text, size_t size) {
        const struct value *http = value_get(probe, "httpGet"), *tcp = value_get(probe, "tcpSocket");
        const struct value *grpc = value_get(probe, "grpc"), *command = value_find(probe, "exec.command");
        char port[32];
        int n = 0;

        if (http)
                snprintf(ret_text, size, "http-get %s://%s:%s%s",
                         strcmp(node_view_text(http, "scheme"), "HTTPS") == 0 ? "https" : "http",
                         node_view_text(http, "host"), port_text(value_get(http, "port"), port),
                         node_view_text(http, "path"));
        else if (tcp)
                snprintf(ret_text, size, "tcp-socket %s:%s", node_view_text(tcp, "host"),
                         port_text(value_get(tcp, "port"), port));
        else if (grpc)
                snprintf(ret_text, size, "grpc <pod>:%" PRId64 " %s", number(grpc, "port"),
                         node_view_text(grpc, "service"));
        else {
                n = snprintf(ret_text, size, "exec [");
                for (uint32_t i = 0; i < value_count(command) && (size_t)n < size; i++)
                        n += snprintf(ret_text + n, size - (size_t)n, "%s%s", i ? " " : "",
                                      value_string_or(value_at(command, i), ""));
                if ((size_t)n < size)
                        snprintf(ret_text + n, size - (size_t)n, "]");
        }
}

static void describe_probe(const char *key, const struct value *probe) {
        char target[512];

        if (!probe)
                return;
        probe_target(probe, target, sizeof(target));
        describe_field(
                2, key,
                "%s delay=%" PRId64 "s timeout=%" PRId64 "s period=%" PRId64 "s #success=%" PRId64 " #failure=%" PRId64,
                target, number(probe, "initialDelaySeconds"), number(probe, "timeoutSeconds"),
                number(probe, "periodSeconds"), number(probe, "successThreshold"), number(probe, "failureThreshold"));
}

static void describe_environment(const struct value *env) {
        describe_field(2, "Environment", "%s", value_count(env) > 0 ? "" : "<none>");
        for (uint32_t i = 0; i < value_count(env); i++) {
                const struct value *variable = value_at(env, i);
                const char *field = node_view_text(variable, "valueFrom.fieldRef.fieldPath");
                const char *resource = node_view_text(variable, "valueFrom.resourceFieldRef.resource");

                if (*field || *resource)
                        describe_field(3, node_view_text(variable, "name"), "(%s)", *field ? field : resource);
                else if (value_get(variable, "valueFrom"))
                        describe_field(3, node_view_text(variable, "name"), "<set from elsewhere>");
                else
                        describe_field(3, node_view_text(variable, "name"), "%s", node_view_text(variable, "value"));
        }
}

static void describe_mounts(const struct value *mounts) {
        describe_field(2, "Mounts", "%s", value_count(mounts) > 0 ? "" : "<none>");
        for (uint32_t i = 0; i < value_count(mounts); i++) {
                const struct value *mount = value_at(mounts, i);
                const char *path = node_view_text(mount, "subPath");

                describe_field(3, "", "%s from %s (%s%s%s%s)", node_view_text(mount, "mountPath"),
                               node_view_text(mount, "name"),
                               value_bool_or(value_get(mount, "readOnly"), false) ? "ro" : "rw",
                               *path ? ",path=\"" : "", path, *path ? "\"" : "");
        }
}

static const struct value *status_of(const struct value *statuses, const char *name) {
        for (uint32_t i = 0; i < value_count(statuses); i++)
                if (strcmp(node_view_text(value_at(statuses, i), "name"), name) == 0)
                        return value_at(statuses, i);
        return NULL;
}

static void describe_container(const struct value *container, const struct value *status, const char *logs) {
        const char *name = node_view_text(container, "name");

        describe_field(1, name, "%s", "");
        if (status)
                describe_field(2, "Container ID", "%s", node_view_text(status, "containerID"));
        describe_field(2, "Image", "%s", node_view_text(container, "image"));
        if (status)
                describe_field(2, "Image ID", "%s", node_view_text(status, "imageID"));
        describe_ports(value_get(container, "ports"), "Ports", "containerPort");
        describe_lines("Command", value_get(container, "command"));
        describe_lines("Args", value_get(container, "args"));
        if (status)
                describe_status(status);
        if (value_count(value_find(container, "resources.limits")) > 0)
                describe_map(2, "Limits", value_find(container, "resources.limits"), ": ");
        if (value_count(value_find(container, "resources.requests")) > 0)
                describe_map(2, "Requests", value_find(container, "resources.requests"), ": ");
        describe_probe("Liveness", value_get(container, "livenessProbe"));
        describe_probe("Readiness", value_get(container, "readinessProbe"));
        describe_probe("Startup", value_get(container, "startupProbe"));
        describe_environment(value_get(container, "env"));
        describe_mounts(value_get(container, "volumeMounts"));
        if (*logs)
                describe_field(2, "Logs", "%s/%s/", logs, name);
}

void describe_containers(const char *title, const struct value *containers, const struct value *statuses,
                         const char *logs) {
        if (value_count(containers) == 0)
                return;
        describe_field(0, title, "%s", "");
        for (uint32_t i = 0; i < value_count(containers); i++)
                describe_container(value_at(containers, i),
                                   status_of(statuses, node_view_text(value_at(containers, i), "name")), logs);
}
