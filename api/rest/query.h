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

/* Lists what @query asks for; a past that is gone is refused, with a token where a page asks for it. The caller clears
 * the page. */
enum api_step api_query_list(struct api_request *r, const struct collection_query *query,
                             struct collection_page *ret_page);

/* The token that goes on behind @page, in the request's arena; *ret_next NULL: it is the last one. 0 or -ENOMEM. */
int api_query_next(struct api_request *r, const struct collection_page *page, const char **ret_next);

/* Whether a GET asks for a revision that there is; else it is refused. */
enum api_step api_query_check_revision(struct api_request *r);

/* A list's metadata as JSON, in the request's arena; @next: the token that goes on, or NULL. NULL without memory. */
const char *api_list_metadata(struct api_request *r, const struct collection_page *page, const char *next);

/* Answers with the page, in the form that was asked for; @metadata NULL: there is no memory. */
enum api_step api_respond_list(struct api_request *r, const struct collection_page *page, const char *metadata);
