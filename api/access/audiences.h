/* For whom nodes may have tokens of their pods' accounts: for whom a volume of the pod's wants one, and whom the node
 * may ask for by RBAC's verb request-serviceaccounts-token-audience (NodeRestriction, KEP-4412). */
#pragma once

struct api_request;
struct kube_authentication_v1_token_request;
struct object;

/* Of a node that asks for a token bound to @pod. 0; -EACCES with *@ret_text, what stands behind `serviceaccounts "NAME"
 * is forbidden: `; -ENOMEM. */
int api_audience_check(struct api_request *r, const struct object *pod,
                       const struct kube_authentication_v1_token_request *request, const char **ret_text);
