/* In which form /statusz and /flagz are given: a text for people, or an object of config.k8s.io as JSON or YAML, which
 * has to be asked for by kind, group and version (KEP-4827, KEP-4828).
 */
#pragma once

#include <stdbool.h>

enum zpage_form { ZPAGE_TEXT, ZPAGE_JSON, ZPAGE_YAML };

struct zpage_media {
        enum zpage_form form;
        const char *version; /* of the object: "v1alpha1", "v1beta1"; NULL: a text */
        bool pretty;
};

/* The best of what @accept (NULL and blank: the text) takes of the page whose objects are of @kind. -ENOENT: nothing.
 */
int zpage_negotiate(const char *accept, const char *kind, struct zpage_media *ret_media);
