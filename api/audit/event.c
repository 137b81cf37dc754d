#include "api/audit/event.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "api/auth/user.h"
#include "api/server/request.h"
#include "kube/kinds.h"
#include "kube/scalar.h"
#include "lib/arena.h"
#include "lib/bytes.h"
#include "lib/cleanup.h"
#include "lib/http/exchange.h"
#include "lib/json.h"
#include "lib/json_writer.h"
#include "lib/transport/transport.h"
#include "lib/value.h"
#include "lib/value_edit.h"

/* --- where it comes from: what proxies say, then the peer --- */

static void add_source(struct audit_entry *entry, const char *address) {
        uint8_t bytes[16];

        if (entry->n_sources == AUDIT_SOURCES_MAX || !address)
                return;
        if (inet_pton(AF_INET, address, bytes) != 1 && inet_pton(AF_INET6, address, bytes) != 1)
                return;
        for (unsigned i = 0; i < entry->n_sources; i++)
                if (strcmp(entry->sources[i], address) == 0)
                        return;
        entry->sources[entry->n_sources++] = address;
}

static void add_forwarded(struct audit_entry *entry, struct arena *arena, const char *list) {
        while (list && *list) {
                const char *at = list + strspn(list, " \t"), *end = at + strcspn(at, ", \t");

                add_source(entry, arena_strndup(arena, at, (size_t)(end - at)));
                end += strcspn(end, ",");
                list = *end ? end + 1 : end;
        }
}

static const char *peer_of(struct api_request *r) {
        struct transport *stream = http_transport(r->x);
        struct sockaddr_storage address;
        socklen_t size = sizeof(address);
        char *text = arena_alloc(r->arena, INET6_ADDRSTRLEN);

        if (!stream || !text || getpeername(transport_fd(stream), (struct sockaddr *)&address, &size) < 0)
                return NULL;
        if (address.ss_family == AF_INET)
                return inet_ntop(AF_INET, &((struct sockaddr_in *)&address)->sin_addr, text, INET6_ADDRSTRLEN);
        return inet_ntop(AF_INET6, &((struct sockaddr_in6 *)&address)->sin6_addr, text, INET6_ADDRSTRLEN);
}

static void write_time(char text[32]) {
        struct timespec now;
        struct kube_time time;

        clock_gettime(CLOCK_REALTIME, &now);
        time = (struct kube_time){ .seconds = now.tv_sec,
                                   .nanoseconds = (uint32_t)(now.tv_nsec / 1000 * 1000),
                                   .set = true };
        text[kube_time_format(&time, true, text)] = '\0';
}

void audit_entry_init(struct audit_entry *entry, struct api_request *r) {
        const struct http_request *q = http_request_of(r->x);
        const char *agent = http_fields_get(&q->fields, "user-agent");

        entry->uri = arena_strdup(r->arena, q->target);
        entry->agent = agent ? arena_strndup(r->arena, agent, strnlen(agent, AUDIT_AGENT_MAX)) : NULL;
        if (agent && strlen(agent) > AUDIT_AGENT_MAX)
                entry->agent = arena_printf(r->arena, "%s...TRUNCATED", entry->agent);
        add_forwarded(entry, r->arena, http_fields_get(&q->fields, "x-forwarded-for"));
        add_source(entry, http_fields_get(&q->fields, "x-real-ip"));
        add_source(entry, peer_of(r));
        write_time(entry->received);
}

/* --- parts --- */

static void write_texts(struct json_writer *w, const char *key, const string_list *texts) {
        if (texts->count > 0)
                json_add_n_texts(w, key, texts->items, texts->count);
}

static void write_user(struct json_writer *w, const char *key, const struct auth_user *user) {
        json_key(w, key);
        json_begin_map(w);
        if (user) {
                json_add_string_if(w, "username", user->name);
                json_add_string_if(w, "uid", user->uid);
                write_texts(w, "groups", &user->groups);
                if (user->extra.count > 0) {
                        json_key(w, "extra");
                        json_begin_map(w);
                        for (uint32_t i = 0; i < user->extra.count; i++)
                                write_texts(w, user->extra.items[i].key, &user->extra.items[i].value);
                        json_end_map(w);
                }
        }
        json_end_map(w);
}

static void write_sources(struct json_writer *w, const struct audit_entry *entry) {
        if (entry->n_sources > 0)
                json_add_n_texts(w, "sourceIPs", entry->sources, entry->n_sources);
}

/* What the path does not say, the object does once it is there. */
static const char *either(const char *said, const struct value *metadata, const char *key) {
        return *said ? said : value_string_or(value_get(metadata, key), "");
}

static void write_reference(struct json_writer *w, const struct api_request *r, const struct audit_entry *entry,
                            enum audit_stage stage) {
        const struct auth_attributes *a = &entry->attributes;
        const struct value *metadata =
                stage == AUDIT_RECEIVED || r->verb == KUBE_VERB_PATCH ? NULL : value_get(r->sent, "metadata");

        if (!a->is_resource)
                return;
        json_key(w, "objectRef");
        json_begin_map(w);
        json_add_string_if(w, "resource", a->resource);
        json_add_string_if(w, "namespace", either(a->namespace, metadata, "namespace"));
        json_add_string_if(w, "name", either(a->name, metadata, "name"));
        json_add_string_if(w, "uid", either("", metadata, "uid"));
        json_add_string_if(w, "apiGroup", a->group);
        json_add_string_if(w, "apiVersion", a->version);
        json_add_string_if(w, "resourceVersion", either("", metadata, "resourceVersion"));
        json_add_string_if(w, "subresource", a->subresource);
        json_end_map(w);
}

static void write_outcome(struct json_writer *w, const struct api_request *r) {
        static const char kind[] = "{\"kind\":\"Status\",\"apiVersion\":\"v1\",";
        size_t n = sizeof(kind) - 1, length = r->status_text ? strlen(r->status_text) : 0;

        json_key(w, "responseStatus");
        if (length > n && strncmp(r->status_text, kind, n) == 0) {
                char *text = arena_printf(r->arena, "{%.*s", (int)(length - n), r->status_text + n), *end;

                end = text ? text + strlen(text) : NULL;
                if (end && end[-1] == '}' && !strstr(text, "\"code\":"))
                        text = arena_printf(r->arena, "%.*s,\"code\":%d}", (int)(end - 1 - text), text, r->code);
                json_document(w, text ?: "{}", text ? strlen(text) : 2);
                return;
        }
        json_begin_map(w);
        json_key(w, "metadata");
        json_begin_map(w);
        json_end_map(w);
        if (r->code == 0) {
                json_add_string(w, "status", "Success");
                json_add_string(w, "message", "Connection closed early");
        }
        json_add_int(w, "code", r->code ?: 200);
        json_end_map(w);
}

/* --- objects --- */

#define MANAGED "/metadata/managedFields"

/* Without managedFields, of an object or of a list's items. */
static const struct value *without_managed(struct arena *arena, const struct value *tree) {
        const struct value *items = value_get(tree, "items");
        struct value_edit edit;
        char pointer[64];

        value_edit_begin(&edit, arena, tree);
        value_edit_remove(&edit, MANAGED, NULL);
        for (uint32_t i = 0; i < value_count(items); i++) {
                snprintf(pointer, sizeof(pointer), "/items/%u" MANAGED, i);
                value_edit_remove(&edit, pointer, NULL);
        }
        return value_edit_end(&edit) ?: tree;
}

/* What was sent without its kind has that of its place. */
static void write_named(struct json_writer *w, const struct api_request *r, const struct value *tree) {
        json_begin_map(w);
        json_add_string(w, "kind", r->kind->kind);
        json_add_string(w, "apiVersion", kube_api_version(r->arena, r->kind));
        for (uint32_t i = 0; i < tree->count; i++) {
                if (strcmp(tree->members[i].key, "apiVersion") == 0)
                        continue;
                json_key(w, tree->members[i].key);
                json_value(w, &tree->members[i].value);
        }
        json_end_map(w);
}

static void write_sent(struct json_writer *w, const struct api_request *r, const struct audit_entry *entry,
                       struct arena *arena) {
        const struct value *tree = entry->sent;

        if (!tree)
                return;
        json_key(w, "requestObject");
        if (entry->choice.omit_managed_fields)
                tree = without_managed(arena, tree);
        if (r->verb & (KUBE_VERB_CREATE | KUBE_VERB_UPDATE) && value_is(tree, VALUE_MAP) && !r->sub &&
            !value_get(tree, "kind"))
                write_named(w, r, tree);
        else
                json_value(w, tree);
}

static void write_answer(struct json_writer *w, const struct api_request *r, const struct audit_entry *entry,
                         struct arena *arena) {
        const struct value_options options = { .nodes_max = UINT32_MAX, .bytes_max = SIZE_MAX };
        const struct bytes *answer = r->answer;
        const struct value *tree;

        if (entry->unknown && r->status_text && entry->choice.level == AUDIT_REQUEST_RESPONSE) {
                json_key(w, "responseObject");
                json_document(w, r->status_text, strlen(r->status_text));
        }
        if (!answer || answer->size < 2)
                return;
        json_key(w, "responseObject");
        if (!entry->choice.omit_managed_fields)
                json_document(w, (const char *)answer->data,
                              answer->size - (answer->data[answer->size - 1] == '\n' ? 1 : 0));
        else if (json_parse(arena, (const char *)answer->data, answer->size, &options, &tree, NULL) == 0)
                json_value(w, without_managed(arena, tree));
        else
                json_null(w);
}

/* --- the whole --- */

static void write_annotations(struct json_writer *w, const struct api_request *r) {
        if (r->notes.count == 0)
                return;
        json_key(w, "annotations");
        json_begin_map(w);
        list_for_each (note, &r->notes)
                json_add_string(w, note->key, note->value);
        json_end_map(w);
}

static void write_head(struct json_writer *w, struct api_request *r, const struct audit_entry *entry,
                       enum audit_stage stage) {
        json_add_string(w, "kind", "Event");
        json_add_string(w, "apiVersion", "audit.k8s.io/v1");
        json_add_string(w, "level", audit_level_name(entry->choice.level));
        json_add_string(w, "auditID", api_audit_id(r));
        json_add_string(w, "stage", audit_stage_name(stage));
        json_add_string(w, "requestURI", entry->uri ?: "");
        json_add_string(w, "verb", entry->attributes.verb);
        write_user(w, "user", entry->unknown ? NULL : r->impersonator ?: &r->user);
        if (r->impersonator)
                write_user(w, "impersonatedUser", &r->user);
        write_sources(w, entry);
        json_add_string_if(w, "userAgent", entry->agent);
        write_reference(w, r, entry, stage);
}

void audit_write_event(struct json_writer *w, struct api_request *r, const struct audit_entry *entry,
                       enum audit_stage stage) {
        _cleanup_arena_ struct arena *arena = arena_new();
        char now[32];

        if (!arena)
                return json_writer_fail(w, -ENOMEM);
        if (stage == AUDIT_RECEIVED)
                memcpy(now, entry->received, sizeof(now));
        else
                write_time(now);
        json_begin_map(w);
        write_head(w, r, entry, stage);
        if (stage != AUDIT_RECEIVED)
                write_outcome(w, r);
        if (stage == AUDIT_COMPLETE)
                write_sent(w, r, entry, arena);
        if (stage == AUDIT_COMPLETE || entry->unknown)
                write_answer(w, r, entry, arena);
        json_add_string(w, "requestReceivedTimestamp", entry->received);
        json_add_string(w, "stageTimestamp", now);
        if (stage != AUDIT_RECEIVED)
                write_annotations(w, r);
        json_end_map(w);
}
