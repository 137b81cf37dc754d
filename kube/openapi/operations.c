#include "kube/openapi/operations.h"

#include "kube/kinds.h"
#include "lib/cleanup.h"

const struct openapi_parameter openapi_parameters[] = {
        [OPENAPI_ALLOW_BOOKMARKS] = { "allowWatchBookmarks", "boolean", false },
        [OPENAPI_CONTINUE] = { "continue", "string", false },
        [OPENAPI_DRY_RUN] = { "dryRun", "string", false },
        [OPENAPI_FIELD_MANAGER] = { "fieldManager", "string", false },
        [OPENAPI_FIELD_SELECTOR] = { "fieldSelector", "string", false },
        [OPENAPI_FIELD_VALIDATION] = { "fieldValidation", "string", false },
        [OPENAPI_FORCE] = { "force", "boolean", false },
        [OPENAPI_GRACE] = { "gracePeriodSeconds", "integer", false },
        [OPENAPI_IGNORE_STORE_ERROR] = { "ignoreStoreReadErrorWithClusterBreakingPotential", "boolean", false },
        [OPENAPI_LABEL_SELECTOR] = { "labelSelector", "string", false },
        [OPENAPI_LIMIT] = { "limit", "integer", false },
        [OPENAPI_NAME] = { "name", "string", true },
        [OPENAPI_NAMESPACE] = { "namespace", "string", true },
        [OPENAPI_ORPHAN] = { "orphanDependents", "boolean", false },
        [OPENAPI_PRETTY] = { "pretty", "string", false },
        [OPENAPI_PROPAGATION] = { "propagationPolicy", "string", false },
        [OPENAPI_VERSION] = { "resourceVersion", "string", false },
        [OPENAPI_VERSION_MATCH] = { "resourceVersionMatch", "string", false },
        [OPENAPI_INITIAL_EVENTS] = { "sendInitialEvents", "boolean", false },
        [OPENAPI_TIMEOUT] = { "timeoutSeconds", "integer", false },
        [OPENAPI_WATCH] = { "watch", "boolean", false },
};

const size_t openapi_parameters_count = ELEMENTS(openapi_parameters);

#define BIT(parameter) (1u << (parameter))
#define WRITE_PARAMETERS (BIT(OPENAPI_DRY_RUN) | BIT(OPENAPI_FIELD_MANAGER) | BIT(OPENAPI_FIELD_VALIDATION))
#define SELECT_PARAMETERS                                                                                              \
        (BIT(OPENAPI_CONTINUE) | BIT(OPENAPI_FIELD_SELECTOR) | BIT(OPENAPI_LABEL_SELECTOR) | BIT(OPENAPI_LIMIT) |      \
         BIT(OPENAPI_VERSION) | BIT(OPENAPI_VERSION_MATCH) | BIT(OPENAPI_INITIAL_EVENTS) | BIT(OPENAPI_TIMEOUT))
#define LIST_PARAMETERS (SELECT_PARAMETERS | BIT(OPENAPI_ALLOW_BOOKMARKS) | BIT(OPENAPI_WATCH))
#define DELETE_PARAMETERS                                                                                              \
        (BIT(OPENAPI_DRY_RUN) | BIT(OPENAPI_GRACE) | BIT(OPENAPI_IGNORE_STORE_ERROR) | BIT(OPENAPI_ORPHAN) |           \
         BIT(OPENAPI_PROPAGATION))

const struct openapi_operation openapi_operations[] = {
        { OPENAPI_PLACE_ITEM, KUBE_VERB_DELETE, "delete", "delete", "delete", DELETE_PARAMETERS, OPENAPI_BODY_OPTIONS,
          OPENAPI_ANSWER_STATUS, false, true },
        { OPENAPI_PLACE_ITEM, KUBE_VERB_GET, "get", "read", "get", 0, OPENAPI_BODY_NONE, OPENAPI_ANSWER_OBJECT, false,
          false },
        { OPENAPI_PLACE_ITEM, KUBE_VERB_PATCH, "patch", "patch", "patch", WRITE_PARAMETERS | BIT(OPENAPI_FORCE),
          OPENAPI_BODY_PATCH, OPENAPI_ANSWER_OBJECT, true, false },
        { OPENAPI_PLACE_ITEM, KUBE_VERB_CREATE, "post", "create", "post", WRITE_PARAMETERS, OPENAPI_BODY_OBJECT,
          OPENAPI_ANSWER_OBJECT, true, true }, /* of a subresource */
        { OPENAPI_PLACE_ITEM, KUBE_VERB_UPDATE, "put", "replace", "put", WRITE_PARAMETERS, OPENAPI_BODY_OBJECT,
          OPENAPI_ANSWER_OBJECT, true, false },
        { OPENAPI_PLACE_COLLECTION, KUBE_VERB_DELETECOLLECTION, "delete", "delete", "deletecollection",
          DELETE_PARAMETERS | SELECT_PARAMETERS, OPENAPI_BODY_OPTIONS, OPENAPI_ANSWER_STATUS, false, false },
        { OPENAPI_PLACE_COLLECTION, KUBE_VERB_LIST, "get", "list", "list", LIST_PARAMETERS, OPENAPI_BODY_NONE,
          OPENAPI_ANSWER_LIST, false, false },
        { OPENAPI_PLACE_COLLECTION, KUBE_VERB_CREATE, "post", "create", "post", WRITE_PARAMETERS, OPENAPI_BODY_OBJECT,
          OPENAPI_ANSWER_OBJECT, true, true },
        { OPENAPI_PLACE_ALL, KUBE_VERB_LIST, "get", "list", "list", LIST_PARAMETERS, OPENAPI_BODY_NONE,
          OPENAPI_ANSWER_LIST, false, false },
        { OPENAPI_PLACE_WATCH_ITEM, KUBE_VERB_WATCH, "get", "watch", "watch", LIST_PARAMETERS, OPENAPI_BODY_NONE,
          OPENAPI_ANSWER_EVENT, false, false },
        { OPENAPI_PLACE_WATCH_COLLECTION, KUBE_VERB_WATCH, "get", "watch", "watchlist", LIST_PARAMETERS,
          OPENAPI_BODY_NONE, OPENAPI_ANSWER_EVENT, false, false },
        { OPENAPI_PLACE_WATCH_ALL, KUBE_VERB_WATCH, "get", "watch", "watchlist", LIST_PARAMETERS, OPENAPI_BODY_NONE,
          OPENAPI_ANSWER_EVENT, false, false },
};

const size_t openapi_operations_count = ELEMENTS(openapi_operations);
