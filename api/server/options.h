/* The query of a request, as meta/v1's options: ListOptions, CreateOptions and their siblings. */
#pragma once

#include <stdbool.h>

#include "api/server/pipeline.h"

struct api_request;
struct value;

/* Reads them into the request. A number or boolean that is none is refused, as kube-apiserver does. */
enum api_step api_options_read(struct api_request *r);

/* A stage: in which form answers go, those too that say no before anything else is known. What cannot be negotiated is
 * JSON, and refused later. */
enum api_step api_read_form(struct api_request *r);

/* Whether the query or the client's name asks for an answer that is laid out. */
bool api_asks_pretty(const struct api_request *r);

/* A boolean as Kubernetes reads it in a query: what does not say no says yes. */
bool api_option_bool(const char *text);

/* A deletion's body has its options alone: what the query said of them is as if it had not been said. */
void api_options_forget_deletion(struct api_request *r);

/* Takes DeleteOptions from the body of a deletion, or of an eviction, whose members are of their types. */
enum api_step api_options_of_deletion(struct api_request *r, const struct value *options);
