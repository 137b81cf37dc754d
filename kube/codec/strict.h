/* Strict field validation of JSON, in kube-apiserver's words: fields that have no row in their type, and such as stand
 * twice.
 *
 * What a decoder passes over in silence a client may want to hear of (fieldValidation=Warn) or have refused (Strict).
 * Rules, order and words: sigs.k8s.io/json with disallowed unknown and duplicate fields. As there, what is within raw
 * JSON and schemas' unions is not looked at.
 */
#pragma once

#include <stddef.h>

struct kube_type;

#define KUBE_STRICT_MAX 100       /* more are not reported */
#define KUBE_STRICT_PATH_MAX 4096 /* longer paths are cut */

/* Told of each: `unknown field "spec.foo"`, `duplicate field "metadata.labels.a"`. @text is valid during the call. */
typedef void (*kube_strict_report)(void *data, const char *text);

/* @text is JSON that kube_json_read() took for @type. Returns 0, -EINVAL (it is none) or -ENOMEM. */
int kube_json_strict(const struct kube_type *type, const char *text, size_t length, kube_strict_report report,
                     void *data);

/* What JSON of no type says twice: `duplicate field "data.a"`; of a JSON Patch, also what is no member of an operation:
 * `unknown field "[0].extra"`. As kube_json_strict(). */
int kube_json_twice(const char *text, size_t length, kube_strict_report report, void *data);
int kube_patch_strict(const char *text, size_t length, kube_strict_report report, void *data);

/* What YAML says twice, as one report: that of the next. */
int kube_yaml_twice(const char *text, size_t length, kube_strict_report report, void *data);

/* The same of YAML: what it says twice is one report, before all else, as sigs.k8s.io/yaml has it: `yaml: unmarshal
 * errors:\n  line 3: key "a" already set in map\n  line 7: ...`. It is what yaml_parse() takes while warnings are
 * heard. */
int kube_yaml_strict(const struct kube_type *type, const char *text, size_t length, kube_strict_report report,
                     void *data);
