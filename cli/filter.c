#include "cli/filter.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int filter_pattern_init(struct pattern *pattern, const char *option, const char *text, struct err **err) {
        char reason[128];
        int r;

        *pattern = (struct pattern){};
        if (!text)
                return 0;
        r = regcomp(&pattern->regex, text, REG_EXTENDED | REG_NOSUB);
        if (r != 0) {
                regerror(r, &pattern->regex, reason, sizeof(reason));
                return err_set(err, EINVAL, "--%s: \"%s\": %s", option, text, reason);
        }
        pattern->set = true;
        return 0;
}

bool filter_pattern_matches(const struct pattern *pattern, const char *text) {
        return !pattern->set || regexec(&pattern->regex, text, 0, NULL, 0) == 0;
}

void filter_pattern_done(struct pattern *pattern) {
        if (pattern->set)
                regfree(&pattern->regex);
        pattern->set = false;
}

int filter_names_init(struct names *names, const char *name, const char *namespace, struct err **err) {
        int r = filter_pattern_init(&names->name, "name", name, err);

        return r < 0 ? r : filter_pattern_init(&names->namespace, "namespace", namespace, err);
}

bool filter_names_match(const struct names *names, const char *name, const char *namespace) {
        return filter_pattern_matches(&names->name, name) && filter_pattern_matches(&names->namespace, namespace);
}

void filter_names_done(struct names *names) {
        filter_pattern_done(&names->name);
        filter_pattern_done(&names->namespace);
}

int filter_labels_read(const struct cli_values *values, const ProtobufCMessageDescriptor *type,
                       struct label **ret_labels, void **ret_entries, struct err **err) {
        _cleanup_free_ struct label *labels = calloc(values->n + 1, sizeof(*labels));
        void **entries = calloc(values->n + 1, sizeof(*entries));

        if (!labels || !entries) {
                free(entries);
                return err_set(err, ENOMEM, "out of memory");
        }
        for (size_t i = 0; i < values->n; i++) {
                char *text = (char *)(uintptr_t)values->values[i], *equals = strchr(text, '=');

                if (!equals) {
                        free(entries);
                        return err_set(err, EINVAL, "--label: \"%s\" is not of the form key=value", text);
                }
                *equals = '\0';
                protobuf_c_message_init(type, &labels[i]);
                labels[i].key = text;
                labels[i].value = equals + 1;
                entries[i] = &labels[i];
        }
        *ret_labels = TAKE_PTR(labels);
        *ret_entries = entries;
        return 0;
}

const char *filter_label_get(void *const *entries, size_t n, const char *key, const char *fallback) {
        for (size_t i = 0; i < n; i++) {
                const struct label *label = entries[i];

                if (label->key && strcmp(label->key, key) == 0)
                        return label->value ? label->value : "";
        }
        return fallback;
}
