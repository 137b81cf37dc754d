#include "api/audit/audit.h"

#include <stdlib.h>

#include "api/server/attributes.h"
#include "api/audit/event.h"
#include "api/server/request.h"
#include "api/server/server.h"
#include "api/server/status.h"
#include "lib/arena.h"
#include "lib/cleanup.h"
#include "lib/json.h"
#include "lib/json_writer.h"
#include "lib/value.h"
#include "lib/yaml.h"

struct audit {
        struct audit_log *log;
        struct audit_policy *policy;
};

struct audit *audit_new(struct audit_log *log, struct audit_policy *policy) {
        struct audit *audit = calloc(1, sizeof(*audit));

        if (!audit) {
                audit_log_close(log);
                audit_policy_free(policy);
                return NULL;
        }
        *audit = (struct audit){ log, policy };
        return audit;
}

struct audit *audit_free(struct audit *audit) {
        if (!audit)
                return NULL;
        audit_log_close(audit->log);
        audit_policy_free(audit->policy);
        free(audit);
        return NULL;
}

static void tell(struct api_request *r, const struct audit_entry *entry, enum audit_stage stage) {
        _cleanup_json_writer_ struct json_writer w = { .go_escapes = true };
        _cleanup_free_ char *line = NULL;
        struct api_counts *counts = &r->loop->counts;
        size_t length;
        int error;

        if (entry->choice.omitted >> stage & 1)
                return;
        audit_write_event(&w, r, entry, stage);
        error = json_writer_finish(&w, &line, &length);
        if (error == 0)
                error = audit_log_write(r->server->config.audit->log, line, length);
        metrics_count(error == 0 ? &counts->audit_events : &counts->audit_lost, 1);
}

/* NULL: nothing of it is written. */
static struct audit_entry *new_entry(struct api_request *r, bool known) {
        struct audit_entry *entry = arena_new_of(r->arena, struct audit_entry);

        if (!entry)
                return NULL;
        entry->attributes = api_attributes(r);
        entry->unknown = !known;
        if (!known)
                entry->attributes.user = NULL;
        entry->choice = audit_policy_choose(r->server->config.audit->policy, &entry->attributes);
        if (entry->choice.level == AUDIT_NONE)
                return NULL;
        audit_entry_init(entry, r);
        r->keeps_answer = entry->choice.level == AUDIT_REQUEST_RESPONSE;
        return entry;
}

enum api_step audit_begin(struct api_request *r) {
        if (!r->server->config.audit)
                return API_NEXT;
        r->audit = new_entry(r, true);
        if (r->audit)
                tell(r, r->audit, AUDIT_RECEIVED);
        return API_NEXT;
}

/* Of a patch as well, which nobody has read yet. */
static const struct value *read_patch(struct api_request *r) {
        const struct value *tree = NULL;
        int error = r->body_form == API_PATCH_APPLY ? yaml_parse(r->arena, r->body, r->body_size, NULL, &tree, NULL) :
                                                      json_parse(r->arena, r->body, r->body_size, NULL, &tree, NULL);

        return error == 0 ? tree : NULL;
}

enum api_step audit_note(struct api_request *r) {
        if (r->audit && r->audit->choice.level >= AUDIT_REQUEST && r->body)
                r->audit->sent = r->sent ?: read_patch(r);
        return API_NEXT;
}

void audit_answered(struct api_request *r) {
        struct audit_entry *entry = r->audit;

        if (!r->server->config.audit)
                return;
        if (!entry && !r->user.name) /* refused before anybody was known */
                entry = new_entry(r, false);
        if (entry && (entry->unknown || r->load == API_LOAD_LONG))
                tell(r, entry, AUDIT_STARTED);
}

void audit_ended(struct api_request *r) {
        if (r->audit)
                tell(r, r->audit, AUDIT_COMPLETE);
}
