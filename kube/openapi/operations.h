/* What can be done with a resource, as tables: operations, and the parameters they take. For kube/openapi alone. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Parameters in the order of their names, which is that of a document. */
enum {
        OPENAPI_ALLOW_BOOKMARKS,
        OPENAPI_CONTINUE,
        OPENAPI_DRY_RUN,
        OPENAPI_FIELD_MANAGER,
        OPENAPI_FIELD_SELECTOR,
        OPENAPI_FIELD_VALIDATION,
        OPENAPI_FORCE,
        OPENAPI_GRACE,
        OPENAPI_IGNORE_STORE_ERROR,
        OPENAPI_LABEL_SELECTOR,
        OPENAPI_LIMIT,
        OPENAPI_NAME,
        OPENAPI_NAMESPACE,
        OPENAPI_ORPHAN,
        OPENAPI_PRETTY,
        OPENAPI_PROPAGATION,
        OPENAPI_VERSION,
        OPENAPI_VERSION_MATCH,
        OPENAPI_INITIAL_EVENTS,
        OPENAPI_TIMEOUT,
        OPENAPI_WATCH,
};

struct openapi_parameter {
        const char *name, *type;
        bool in_path;
};

/* By the numbers above. */
extern const struct openapi_parameter openapi_parameters[];
extern const size_t openapi_parameters_count;

enum openapi_body { OPENAPI_BODY_NONE, OPENAPI_BODY_OBJECT, OPENAPI_BODY_PATCH, OPENAPI_BODY_OPTIONS };
enum openapi_answer { OPENAPI_ANSWER_OBJECT, OPENAPI_ANSWER_LIST, OPENAPI_ANSWER_STATUS, OPENAPI_ANSWER_EVENT };
enum openapi_place {
        OPENAPI_PLACE_ITEM,
        OPENAPI_PLACE_COLLECTION,
        OPENAPI_PLACE_ALL,
        OPENAPI_PLACE_WATCH_ITEM,
        OPENAPI_PLACE_WATCH_COLLECTION,
        OPENAPI_PLACE_WATCH_ALL
};

struct openapi_operation {
        enum openapi_place place;
        uint16_t verb;
        const char *method, *id, *action;
        uint32_t parameters; /* 1 << its number, each */
        enum openapi_body body;
        enum openapi_answer answer;
        bool created, accepted; /* beside 200: 201, 202 */
};

/* In the order of the methods' names at each place. */
extern const struct openapi_operation openapi_operations[];
extern const size_t openapi_operations_count;
