/* What api/rbac answers, for the comparison with kube-apiserver: `authorize defaults` writes the default roles and
 * bindings, `authorize` reads lines of JSON and answers each that asks something:
 *
 *     {"object": a role or binding, or what a node's pods need}
 *     {"spec": a SubjectAccessReview's}                the status
 *     {"forbidden": a SubjectAccessReview's}           the 403's message
 *     {"write": a role or binding, "user": "jane", "groups": ["a"]}   why it is refused, or ""
 *     {"aggregate": a ClusterRole}                     its rules
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/auth/attributes.h"
#include "api/auth/review.h"
#include "api/auth/user.h"
#include "api/rbac/defaults.h"
#include "api/rbac/escalation.h"
#include "api/rbac/nodes.h"
#include "api/rbac/rbac.h"
#include "kube/codec/codec.h"
#include "kube/problem.h"
#include "lib/arena.h"
#include "lib/json.h"
#include "lib/json_writer.h"
#include "lib/value.h"

static struct rbac *rbac;
static struct rbac_nodes *nodes;
static struct auth_authorizer chain[3];

static void need(bool good, const char *what) {
        if (good)
                return;
        fprintf(stderr, "authorize: %s\n", what);
        exit(1);
}

static void write_text(struct json_writer *w) {
        char *text;

        need(json_writer_finish(w, &text, NULL) == 0, "cannot write");
        puts(text);
        free(text);
}

static void write_objects(struct json_writer *w, const char *key, const struct kube_type *type, const void *items,
                          uint32_t count) {
        json_key(w, key);
        json_begin_list(w);
        for (uint32_t i = 0; i < count; i++)
                kube_json_write(w, type, (const char *)items + i * type->size);
        json_end_list(w);
}

static void write_defaults(void) {
        struct json_writer w = JSON_WRITER_INIT;
        struct arena *arena = arena_new();
        struct rbac_defaults d;

        need(rbac_defaults(arena, &d) == 0, "no defaults");
        json_begin_map(&w);
        write_objects(&w, "clusterroles", &kube_rbac_v1_cluster_role_type, d.cluster_roles.items,
                      d.cluster_roles.count);
        write_objects(&w, "clusterrolebindings", &kube_rbac_v1_cluster_role_binding_type, d.cluster_role_bindings.items,
                      d.cluster_role_bindings.count);
        write_objects(&w, "roles", &kube_rbac_v1_role_type, d.roles.items, d.roles.count);
        write_objects(&w, "rolebindings", &kube_rbac_v1_role_binding_type, d.role_bindings.items,
                      d.role_bindings.count);
        json_end_map(&w);
        write_text(&w);
        arena_free(arena);
}

static void *read_object(struct arena *arena, const struct kube_type *type, const struct value *value) {
        void *object = arena_alloc(arena, type->size);
        struct problems problems;

        problems_init(&problems, arena, "object", value);
        need(kube_value_read(arena, type, value, "", &problems, object) == 0 && problems.errors == 0, "not readable");
        return object;
}

static int set_object(struct arena *arena, const struct value *value) {
        const char *kind = value_string_or(value_get(value, "kind"), "");

        if (strcmp(kind, "Role") == 0)
                return rbac_set_role(rbac, read_object(arena, &kube_rbac_v1_role_type, value));
        if (strcmp(kind, "ClusterRole") == 0)
                return rbac_set_cluster_role(rbac, read_object(arena, &kube_rbac_v1_cluster_role_type, value));
        if (strcmp(kind, "RoleBinding") == 0)
                return rbac_set_role_binding(rbac, read_object(arena, &kube_rbac_v1_role_binding_type, value));
        if (strcmp(kind, "ClusterRoleBinding") == 0)
                return rbac_set_cluster_role_binding(
                        rbac, read_object(arena, &kube_rbac_v1_cluster_role_binding_type, value));
        if (strcmp(kind, "Pod") == 0)
                return rbac_nodes_set_pod(nodes, value);
        if (strcmp(kind, "PersistentVolume") == 0)
                return rbac_nodes_set_volume(nodes, value);
        if (strcmp(kind, "VolumeAttachment") == 0)
                return rbac_nodes_set_attachment(nodes, value);
        return -1;
}

static void answer_spec(struct arena *arena, const struct value *value, struct json_writer *w) {
        struct kube_authorization_v1_subject_access_review_spec *spec =
                read_object(arena, &kube_authorization_v1_subject_access_review_spec_type, value);
        struct kube_authorization_v1_subject_access_review_status status = { 0 };
        struct problems problems;

        problems_init(&problems, arena, NULL, NULL);
        if (auth_review_access(chain, 3, NULL, spec, &status, &problems) == 0)
                kube_json_write(w, &kube_authorization_v1_subject_access_review_status_type, &status);
        else
                json_string(w, problems.items[0].text);
}

static void answer_forbidden(struct arena *arena, const struct value *value, struct json_writer *w) {
        const struct kube_authorization_v1_subject_access_review_spec *spec =
                read_object(arena, &kube_authorization_v1_subject_access_review_spec_type, value);
        const struct kube_authorization_v1_resource_attributes *r = spec->resource_attributes;
        const struct auth_user user = { .name = spec->user, .groups = spec->groups };
        struct auth_attributes a = AUTH_ATTRIBUTES(&user);

        if (r) {
                a.is_resource = true;
                a.verb = r->verb;
                a.namespace = r->namespace ?: "";
                a.group = r->group ?: "";
                a.version = r->version ?: "";
                a.resource = r->resource;
                a.subresource = r->subresource ?: "";
                a.name = r->name ?: "";
        } else {
                a.verb = spec->non_resource_attributes->verb;
                a.path = spec->non_resource_attributes->path;
        }
        json_string(w, auth_forbidden(arena, &a, auth_authorize(chain, 3, &a, arena).reason));
}

/* As the service does before it stores a role or a binding. */
static void answer_write(struct arena *arena, const struct value *line, struct json_writer *w) {
        const struct value *value = value_get(line, "write"), *groups = value_get(line, "groups");
        const char *kind = value_string(value_get(value, "kind")), *message = "",
                   *namespace = value_string_or(value_find(value, "metadata.namespace"), "");
        struct auth_user user = { .name = value_string(value_get(line, "user")) };
        const struct rbac_grant grant = { .rbac = rbac,
                                          .chain = chain,
                                          .n_chain = 3,
                                          .user = &user,
                                          .resource = strcmp(kind, "Role") == 0 ? "roles" : "clusterroles",
                                          .namespace = namespace,
                                          .name = "" };

        for (uint32_t i = 0; i < value_count(groups); i++)
                need(auth_user_add_group(arena, &user, value_string(value_at(groups, i))) == 0, "no memory");
        if (strstr(kind, "Binding")) {
                struct kube_rbac_v1_cluster_role_binding *b =
                        read_object(arena, &kube_rbac_v1_cluster_role_binding_type, value);

                rbac_check_binding(&grant, &b->role_ref, arena, &message);
        } else {
                struct kube_rbac_v1_cluster_role *role = read_object(arena, &kube_rbac_v1_cluster_role_type, value);
                const rbac_rules rules = { role->rules.items, role->rules.count };

                rbac_check_role(&grant, &rules, role->aggregation_rule, arena, &message);
        }
        json_string(w, message);
}

static void answer_aggregate(struct arena *arena, const struct value *value, struct json_writer *w) {
        struct kube_rbac_v1_cluster_role *role = read_object(arena, &kube_rbac_v1_cluster_role_type, value);
        rbac_rules rules;

        need(rbac_aggregate(rbac, role, arena, &rules) == 0, "no aggregation");
        role->rules.items = rules.items;
        role->rules.count = rules.count;
        need(rbac_set_cluster_role(rbac, role) == 0, "not set");
        kube_json_write(w, &kube_rbac_v1_cluster_role_type, role);
}

static const struct {
        const char *member;
        void (*answer)(struct arena *arena, const struct value *value, struct json_writer *w);
        bool whole;
} questions[] = {
        { "spec", answer_spec, false },
        { "forbidden", answer_forbidden, false },
        { "write", answer_write, true },
        { "aggregate", answer_aggregate, false },
};

static void answer_line(struct arena *arena, const char *text, size_t size) {
        struct json_writer w = JSON_WRITER_INIT;
        const struct value *line;

        need(json_parse(arena, text, size, NULL, &line, NULL) == 0, "no JSON");
        if (value_get(line, "object")) {
                need(set_object(arena, value_get(line, "object")) == 0, "an object is not taken");
                return;
        }
        for (unsigned i = 0; i < sizeof(questions) / sizeof(questions[0]); i++) {
                const struct value *value = value_get(line, questions[i].member);

                if (!value)
                        continue;
                questions[i].answer(arena, questions[i].whole ? line : value, &w);
                write_text(&w);
                return;
        }
        need(false, "a line asks nothing");
}

int main(int argc, char **argv) {
        char *line = NULL;
        size_t size = 0;
        ssize_t n;

        if (argc > 1) {
                write_defaults();
                return 0;
        }
        rbac = rbac_new();
        nodes = rbac_nodes_new();
        need(rbac && nodes, "no memory");
        chain[0] = auth_masters;
        chain[1] = rbac_nodes_authorizer(nodes);
        chain[2] = rbac_authorizer(rbac);
        while ((n = getline(&line, &size, stdin)) > 0) {
                struct arena *arena = arena_new();

                answer_line(arena, line, (size_t)n);
                arena_free(arena);
        }
        free(line);
        rbac_nodes_free(nodes);
        rbac_free(rbac);
        return 0;
}
