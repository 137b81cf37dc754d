/* The functions in the table of strategies (api/rest/strategy.c): what Kubernetes' kinds get and lose on their way into
 * the store, as kube-apiserver's strategies (PrepareForCreate, PrepareForUpdate) have it. */
#pragma once

struct api_request;
struct value;
struct value_edit;

int shape_label(struct api_request *r, struct value_edit *edit, const struct value *namespace);
int shape_namespace(struct api_request *r, struct value_edit *edit);
int shape_namespace_update(struct api_request *r, struct value_edit *edit);
int shape_secret(struct api_request *r, struct value_edit *edit, const struct value *secret);
int shape_account(struct api_request *r, struct value_edit *edit, const struct value *account);
int shape_claim(struct api_request *r, struct value_edit *edit);
int shape_claim_update(struct api_request *r, struct value_edit *edit);
int shape_volume(struct api_request *r, struct value_edit *edit);
int shape_volume_update(struct api_request *r, struct value_edit *edit);

int shape_pod(struct api_request *r, struct value_edit *edit);
int shape_pod_update(struct api_request *r, struct value_edit *edit);
int shape_job(struct api_request *r, struct value_edit *edit);
int shape_daemons(struct api_request *r, struct value_edit *edit, const struct value *daemons);

int shape_request(struct api_request *r, struct value_edit *edit);
int shape_request_update(struct api_request *r, struct value_edit *edit);

int shape_pod_features(struct api_request *r, struct value_edit *edit);
int shape_template(struct api_request *r, struct value_edit *edit);
int shape_stateful_set(struct api_request *r, struct value_edit *edit);
int shape_lease(struct api_request *r, struct value_edit *edit);
int shape_csi_driver(struct api_request *r, struct value_edit *edit);
int shape_node(struct api_request *r, struct value_edit *edit);
int shape_endpoint_slice(struct api_request *r, struct value_edit *edit);

int shape_slice(struct api_request *r, struct value_edit *edit);
int shape_device_claim_update(struct api_request *r, struct value_edit *edit);

/* Text or a whole value at a pointer; and what stands there in r->current_tree, or nothing. */
int shape_text(struct value_edit *edit, const char *pointer, const char *text);
int shape_put(struct value_edit *edit, const char *pointer, const struct value *value);
