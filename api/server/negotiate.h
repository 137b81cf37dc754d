/* In which form bodies come and go: Content-Type and Accept. */
#pragma once

#include <stdbool.h>

enum api_form {
        API_JSON,
        API_YAML,
        API_PROTOBUF,
        API_PATCH_JSON,
        API_PATCH_MERGE,
        API_PATCH_STRATEGIC,
        API_PATCH_APPLY
};

/* What an object is given as. */
enum api_shape { API_WHOLE, API_TABLE, API_PARTIAL };

struct api_media {
        enum api_form form;
        enum api_shape shape;
        const char *meta_version; /* of meta.k8s.io, that a shape which is not whole has: "v1", "v1beta1" */
        bool pretty;
        bool of_list; /* API_PARTIAL: PartialObjectMetadataList was asked for */
};

/* The form of a body sent with @content_type (NULL or "": JSON), read as Go's mime.ParseMediaType() reads it. -EINVAL:
 * none of ours, or parameters that are none. */
int api_form_of(const char *content_type, enum api_form *ret_form);

/* The same of a patch, whose type stands as it is before the first semicolon. -ENOENT: kube-apiserver's router knows no
 * such type; -EINVAL: it does, in whatever else stands there, and the patch's reader does not. */
int api_patch_form_of(const char *content_type, enum api_form *ret_form);

/* The best of what @accept (NULL: anything) takes that we have. -ENOENT: nothing; -EINVAL: a form of ours, but nothing
 * that can be given in it. */
int api_negotiate(const char *accept, struct api_media *ret_media);

/* Whether JSON is among what @accept takes, for what has no other form. */
bool api_takes_json(const char *accept);

/* "application/json" of a form. */
const char *api_content_type(enum api_form form);
