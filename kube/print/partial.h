/* An object without all but its metadata: meta.k8s.io PartialObjectMetadata, as metadata-only clients ask for it, and
 * as it stands in the rows of a Table. The metadata's bytes are those of the object.
 *
 * A list of them is written by kube/stream/list_writer.h, with KIND PartialObjectMetadataList. */
#pragma once

#include <stddef.h>

struct err;
struct json_writer;
struct print_columns;

/* Writes the object of the JSON object @text. @columns are its kind's (kube/print/table.h): with them goes which
 * annotations only stand for fields of another version, and are left out as kube-apiserver does; NULL: none. @version
 * is that of meta.k8s.io. 0, or -EINVAL when @text is no JSON object or is nested too deep. */
int print_partial(struct json_writer *out, const struct print_columns *columns, const char *version, const char *text,
                  size_t length, struct err **err);
