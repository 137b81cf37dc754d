/* What a list or watch asks of the cache: selectors, revision, place. */
#pragma once

#include "api/cache/collection.h"
#include "api/rest/selector.h"
#include "api/server/pipeline.h"

struct api_request;
struct bytes;

struct api_query {
        struct collection_query query;
        struct api_selector *selector; /* in the request's arena */
};

/* Reads the request's options; what does not fit is refused. */
enum api_step api_query_read(struct api_request *r, struct api_query *ret_query);

/* Whether a GET asks for a revision that there is; else it is refused. */
enum api_step api_query_check_revision(struct api_request *r);

/* A list's metadata as JSON, in the request's arena; @next: the token that goes on, or NULL. NULL without memory. */
const char *api_list_metadata(struct api_request *r, const struct collection_page *page, const char *next);

/* Answers with the page, in the form that was asked for; @metadata NULL: there is no memory. */
enum api_step api_respond_list(struct api_request *r, const struct collection_page *page, const char *metadata);
