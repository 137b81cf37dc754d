/* Annotations that are fields in disguise: apps/v1 carries in them what older versions had rows for, so that their text
 * is read with the object (Kubernetes' conversions of apps/v1).
 */
#pragma once

struct api_request;
struct value;

#define ANNOTATED_TEMPLATE "deprecated.daemonset.template.generation"
#define ANNOTATED_ROLLBACK "deprecated.deployment.rollback.to"

/* What is wrong with such an annotation of @object, in the request's arena: kube-apiserver's words; NULL: nothing. */
const char *api_annotated_problem(struct api_request *r, const struct value *object);
