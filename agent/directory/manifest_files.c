#include "agent/directory/manifest_files.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/config/options.h"
#include "kube/pod/pod.h"
#include "lib/cleanup.h"
#include "lib/json_writer.h"

static struct broken_file *find(const struct broken_files *files, const char *file) {
        for (size_t i = 0; i < files->n; i++)
                if (strcmp(files->items[i].file, file) == 0)
                        return &files->items[i];
        return NULL;
}

void manifest_broken_set(struct broken_files *files, const char *file, const char *text) {
        struct broken_file *broken, *more;
        struct broken_file added;

        manifest_broken_drop(files, file);
        more = reallocarray(files->items, files->n + 1, sizeof(*more));
        if (!more)
                return;
        files->items = more;
        broken = &files->items[files->n];
        added = (struct broken_file){ .file = strdup(file), .text = strdup(text) };
        if (!added.file || !added.text) {
                free(added.file);
                free(added.text);
                return;
        }
        *broken = added;
        files->n++;
}

void manifest_broken_drop(struct broken_files *files, const char *file) {
        struct broken_file *broken = find(files, file);

        if (!broken)
                return;
        free(broken->file);
        free(broken->text);
        *broken = files->items[--files->n];
}

void manifest_broken_clear(struct broken_files *files) {
        for (size_t i = 0; i < files->n; i++) {
                free(files->items[i].file);
                free(files->items[i].text);
        }
        free(files->items);
        *files = (struct broken_files){ 0 };
}

static void write_file(struct json_writer *w, const char *file, const struct pod *pod, const char *reason,
                       const char *message) {
        json_begin_map(w);
        json_add_string(w, "file", file);
        if (pod) {
                json_add_string(w, "namespace", pod->metadata.namespace);
                json_add_string(w, "name", pod->metadata.name);
                json_add_string(w, "uid", pod->metadata.uid);
        }
        json_add_string_if(w, "reason", reason);
        json_add_string_if(w, "message", message);
        json_end_map(w);
}

/* The file that has the pod which @duplicate wants, too. */
static const char *holder(const struct desired_pods *desired, const struct desired *duplicate) {
        for (size_t i = 0; i < desired->n; i++) {
                const struct desired *d = &desired->items[i];

                if (!d->duplicate && (desired_same_name(d->pod, duplicate->pod) ||
                                      strcmp(d->pod->metadata.uid, duplicate->pod->metadata.uid) == 0))
                        return d->file;
        }
        return "another file";
}

static void write_desired(const struct options *options, const struct desired_pods *desired, const struct desired *d,
                          const struct broken_file *broken, struct json_writer *w) {
        _cleanup_free_ char *message = NULL;
        const char *reason = NULL;
        int r = 0;

        if (broken) {
                reason = "Invalid";
                r = asprintf(&message, "%s; going on with the pod that it held before", broken->text);
        } else if (d->duplicate && d->duplicate_said) {
                reason = "Duplicate";
                r = asprintf(&message, "pod %s/%s is wanted by %s already; this file has no effect",
                             d->pod->metadata.namespace, d->pod->metadata.name, holder(desired, d));
        } else if (d->refused_said) {
                reason = "OutOfpods";
                r = asprintf(&message, "the node runs %d pods, its maximum", options->max_pods);
        }
        if (r < 0)
                message = NULL;
        write_file(w, d->file, d->pod, reason, message);
}

void manifest_files_write(const struct options *options, const struct desired_pods *desired,
                          const struct broken_files *broken, struct json_writer *w) {
        json_begin_map(w);
        json_add_string(w, "directory", options->manifest_dir);
        json_add_string(w, "nodeName", options->node_name);
        json_add_string(w, "podLogsDir", options->pod_logs_dir);
        json_key(w, "items");
        json_begin_list(w);
        for (size_t i = 0; i < desired->n; i++)
                if (!desired->items[i].remote)
                        write_desired(options, desired, &desired->items[i], find(broken, desired->items[i].file), w);
        for (size_t i = 0; i < broken->n; i++) {
                bool known = false;

                for (size_t k = 0; k < desired->n && !known; k++)
                        known = strcmp(desired->items[k].file, broken->items[i].file) == 0;
                if (!known)
                        write_file(w, broken->items[i].file, NULL, "Invalid", broken->items[i].text);
        }
        json_end_list(w);
        json_end_map(w);
}
