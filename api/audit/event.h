/* An event as a line of JSON, with the fields of kube-apiserver in its order. */
#pragma once

#include <stdbool.h>

#include "api/audit/policy.h"
#include "api/auth/attributes.h"

struct api_request;
struct json_writer;
struct value;

#define AUDIT_AGENT_MAX 1024 /* bytes of a User-Agent */
#define AUDIT_SOURCES_MAX 16 /* addresses: those that proxies name, and the peer's */

/* What is known of a request from its beginning; texts are the request's. */
struct audit_entry {
        struct audit_choice choice;
        struct auth_attributes attributes; /* of who was authenticated */
        const char *uri, *agent;           /* NULL: none */
        const char *sources[AUDIT_SOURCES_MAX];
        unsigned n_sources;
        char received[32];        /* the time */
        const struct value *sent; /* NULL: nothing, or not to be told */
        bool unknown;             /* nobody was authenticated */
};

/* @entry from @r, which has its exchange. */
void audit_entry_init(struct audit_entry *entry, struct api_request *r);

void audit_write_event(struct json_writer *w, struct api_request *r, const struct audit_entry *entry,
                       enum audit_stage stage);
