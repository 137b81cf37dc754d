#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "cli/columns.h"
#include "cli/filter.h"
#include "cli/format.h"
#include "cli/list.h"
#include "cli/node_view.h"
#include "cli/output.h"
#include "cli/pod_state.h"
#include "cli/resolve.h"

static struct {
        bool latest, no_trunc, quiet;
        int64_t last;
        const char *id, *name, *namespace, *output, *state;
        struct cli_values labels;
} options;

const struct cli_option cli_pods_options[] = {
        { "id", 0, CLI_TEXT, &options.id, "ID", "only the pod with this id" },
        { "label", 0, CLI_LIST, &options.labels, "KEY=VALUE", "only pods with this label" },
        { "last", 'n', CLI_NUMBER, &options.last, "N", "only the last N made" },
        { "latest", 'l', CLI_FLAG, &options.latest, NULL, "only the last one made" },
        { "name", 0, CLI_TEXT, &options.name, "REGEX", "only pods whose name matches" },
        { "namespace", 0, CLI_TEXT, &options.namespace, "REGEX", "only pods whose namespace matches" },
        { "no-trunc", 0, CLI_FLAG, &options.no_trunc, NULL, "show whole ids" },
        { "output", 'o', CLI_TEXT, &options.output, "FORM", "json, yaml or table [table]" },
        { "quiet", 'q', CLI_FLAG, &options.quiet, NULL, "show only ids" },
        { "state", 's', CLI_TEXT, &options.state, "STATE", "ready or notready" },
        {},
};

/* A line of the table: a sandbox, a pod of the directory, both, or a file without a pod. */
struct row {
        const Cri__PodSandbox *sandbox;
        const struct value *pod, *file;
        const char *name, *namespace;
};

struct table {
        struct row *rows;
        size_t n;
};

static int ask(struct cli *cli, struct grpc_unpacked *ret_answer, struct err **err) {
        Cri__PodSandboxFilter filter = CRI__POD_SANDBOX_FILTER__INIT;
        Cri__PodSandboxStateValue state = CRI__POD_SANDBOX_STATE_VALUE__INIT;
        _cleanup_free_ struct label *labels = NULL;
        _cleanup_free_ void *entries = NULL;
        char id[RESOLVE_ID_MAX + 1];
        const char *wanted;
        int r;

        if ((r = filter_labels_read(&options.labels, &cri__pod_sandbox_filter__label_selector_entry__descriptor,
                                    &labels, &entries, err)) < 0 ||
            (r = resolve_filter(cli, options.id, resolve_pod, id, &wanted, err)) < 0)
                return r;
        filter.n_label_selector = options.labels.n;
        filter.label_selector = entries;
        filter.id = (char *)(uintptr_t)(wanted ? wanted : "");
        if (options.state) {
                if (strcasecmp(options.state, "ready") != 0 && strcasecmp(options.state, "notready") != 0)
                        return err_set(err, EINVAL, "--state: \"%s\" is neither ready nor notready", options.state);
                state.state = strcasecmp(options.state, "ready") == 0 ? CRI__POD_SANDBOX_STATE__SANDBOX_READY :
                                                                        CRI__POD_SANDBOX_STATE__SANDBOX_NOTREADY;
                filter.state = &state;
        }
        return list_pods(cli, &filter, ret_answer, err);
}

/* -- which --------------------------------------------------------------------------------------------------- */

static size_t limit(void) {
        return options.latest ? 1 : options.last > 0 ? (size_t)options.last : SIZE_MAX;
}

/* "NAME", "NAMESPACE/NAME", the beginning of an id, or a file's name. */
static bool is_called(const struct node_view *view, const struct row *row, const char *text) {
        return node_view_is_pod(view, text, row->namespace, row->name, false) ||
               (row->file && node_view_is_file(row->file, text)) ||
               (*text && row->sandbox && strncmp(row->sandbox->id, text, strlen(text)) == 0);
}

static bool is_wanted(const struct node_view *view, const struct row *row, char **names, int n) {
        for (int i = 0; i < n; i++)
                if (is_called(view, row, names[i]))
                        return true;
        return n == 0;
}

static void narrow(ProtobufCMessage *message, const struct node_view *view, const struct names *names, char **arguments,
                   int n_arguments) {
        Cri__ListPodSandboxResponse *answer = (Cri__ListPodSandboxResponse *)message;
        size_t n = 0;

        for (size_t i = 0; i < answer->n_items && n < limit(); i++) {
                Cri__PodSandbox *pod = answer->items[i];
                const struct row row = { .sandbox = pod,
                                         .name = pod->metadata ? pod->metadata->name : "",
                                         .namespace = pod->metadata ? pod->metadata->namespace_ : "" };

                if (filter_names_match(names, row.name, row.namespace) && is_wanted(view, &row, arguments, n_arguments))
                        answer->items[n++] = pod;
        }
        answer->n_items = n;
}

static bool has_pod(const struct table *table, const struct value *pod) {
        for (size_t i = 0; i < table->n; i++)
                if (table->rows[i].pod == pod)
                        return true;
        return false;
}

/* Of a pod's sandboxes the newest shows its state. */
static void add_sandboxes(struct table *table, const struct node_view *view,
                          const Cri__ListPodSandboxResponse *answer) {
        for (size_t i = 0; i < answer->n_items; i++) {
                const Cri__PodSandbox *sandbox = answer->items[i];
                const Cri__PodSandboxMetadata *metadata = sandbox->metadata;
                const struct value *pod = metadata ? node_view_pod(view, metadata->uid) : NULL;

                table->rows[table->n] = (struct row){ .sandbox = sandbox,
                                                      .pod = pod && !has_pod(table, pod) ? pod : NULL,
                                                      .name = metadata ? metadata->name : "",
                                                      .namespace = metadata ? metadata->namespace_ : "" };
                table->n++;
        }
}

/* Pods of the directory without a sandbox, and files that are refused: where nothing was asked for that they lack. */
static void add_others(struct table *table, const struct node_view *view, const struct names *names, char **arguments,
                       int n_arguments) {
        const struct value *files = value_get(view->files, "items");

        if (options.id || options.state || options.labels.n > 0 || limit() != SIZE_MAX)
                return;
        for (size_t i = 0; i < view->n_pods; i++) {
                struct row row = { .pod = view->pods[i],
                                   .name = node_view_text(view->pods[i], "metadata.name"),
                                   .namespace = node_view_text(view->pods[i], "metadata.namespace") };

                if (!has_pod(table, row.pod) && filter_names_match(names, row.name, row.namespace) &&
                    is_wanted(view, &row, arguments, n_arguments))
                        table->rows[table->n++] = row;
        }
        for (uint32_t i = 0; i < value_count(files); i++) {
                const struct value *file = value_at(files, i);
                const char *name = node_view_text(file, "name");
                struct row row = { .file = file,
                                   .name = *name ? name : node_view_text(file, "file"),
                                   .namespace = node_view_text(file, "namespace") };

                if (*node_view_text(file, "reason") && filter_names_match(names, row.name, row.namespace) &&
                    is_wanted(view, &row, arguments, n_arguments))
                        table->rows[table->n++] = row;
        }
}

/* Everything that was named has to be there. */
static int check_arguments(const struct table *table, const struct node_view *view, char **arguments, int n,
                           struct err **err) {
        for (int i = 0; i < n; i++) {
                bool found = false;

                for (size_t k = 0; k < table->n && !found; k++)
                        found = is_called(view, &table->rows[k], arguments[i]);
                if (!found)
                        return err_set(err, ENOENT, "pod \"%s\" not found, nor a file of this name", arguments[i]);
        }
        return 0;
}

/* -- printing ------------------------------------------------------------------------------------------------ */

static const char *id_text(const struct row *row, char buffer[FORMAT_MAX]) {
        if (!row->sandbox)
                return "-";
        return options.no_trunc ? row->sandbox->id : format_id(row->sandbox->id, buffer);
}

/* Returns whether the row is of something that is as it should be. */
static bool print_row(struct columns *columns, const struct node_view *view, const struct row *row) {
        char id[FORMAT_MAX], age[FORMAT_MAX] = "-", ready[32] = "-";
        const Cri__PodSandbox *sandbox = row->sandbox;
        struct pod_state state = { .well = true };
        const char *phase = "Refused";

        if (sandbox) {
                format_age(sandbox->created_at, format_now_ns(), age);
                phase = sandbox->state == CRI__POD_SANDBOX_STATE__SANDBOX_READY ? "Ready" : "NotReady";
        }
        if (row->pod) {
                pod_state_read(view, row->pod, &state);
                phase = state.phase;
                snprintf(ready, sizeof(ready), "%u/%u", state.ready, state.containers);
        } else if (row->file) {
                state.well = false;
                snprintf(state.reason, sizeof(state.reason), "%s", node_view_text(row->file, "reason"));
                snprintf(state.message, sizeof(state.message), "%s", node_view_text(row->file, "message"));
        }
        columns_row(columns, "%s\t%s\t%s\t%s\t%s\t%u\t%s\t%s\t%s\t%s", id_text(row, id), age, phase, row->name,
                    *row->namespace ? row->namespace : "-",
                    sandbox && sandbox->metadata ? sandbox->metadata->attempt : 0,
                    sandbox && *sandbox->runtime_handler ? sandbox->runtime_handler : "(default)", ready, state.reason,
                    state.message);
        return state.well;
}

static int print_table(const struct node_view *view, const struct table *table) {
        struct columns columns;
        bool well = true;

        columns_begin(&columns, "POD ID\tCREATED\tSTATE\tNAME\tNAMESPACE\tATTEMPT\tRUNTIME\tREADY\tREASON\tMESSAGE");
        for (size_t i = 0; i < table->n; i++)
                well &= print_row(&columns, view, &table->rows[i]);
        columns_end(&columns, stdout);
        if (table->n == 0 && view->known)
                fprintf(stderr, "nacelle: no pods; they come from manifests in %s\n",
                        node_view_text(view->files, "directory"));
        return well ? 0 : CLI_UNWELL_EXIT;
}

static int show(const struct node_view *view, const Cri__ListPodSandboxResponse *answer, const struct names *names,
                char **arguments, int n, struct err **err) {
        _cleanup_free_ struct row *rows = calloc(
                answer->n_items + view->n_pods + value_count(value_get(view->files, "items")) + 1, sizeof(*rows));
        struct table table = { .rows = rows };
        int r;

        if (!rows)
                return err_set(err, ENOMEM, "out of memory");
        add_sandboxes(&table, view, answer);
        if (!options.quiet)
                add_others(&table, view, names, arguments, n);
        r = check_arguments(&table, view, arguments, n, err);
        if (r < 0 || !options.quiet)
                return r < 0 ? r : print_table(view, &table);
        for (size_t i = 0; i < table.n; i++)
                printf("%s\n", rows[i].sandbox->id);
        return 0;
}

int cli_pods(struct cli *cli, char **arguments, int n, struct err **err) {
        _cleanup_unpacked_ struct grpc_unpacked unpacked = {};
        _cleanup_(filter_names_done) struct names names = {};
        _cleanup_node_view_ struct node_view view = {};
        enum output output;
        int r;

        if ((r = output_parse(options.output, OUTPUT_TABLE, &output, err)) < 0 ||
            (r = filter_names_init(&names, options.name, options.namespace, err)) < 0 ||
            (r = ask(cli, &unpacked, err)) < 0 ||
            ((n > 0 || (output == OUTPUT_TABLE && !options.quiet)) && (r = node_view_read(cli, &view, err)) < 0))
                return r;
        narrow(unpacked.message, &view, &names, arguments, n);
        if (output != OUTPUT_TABLE)
                return output_whole(unpacked.message, output, false, err);
        return show(&view, (const Cri__ListPodSandboxResponse *)unpacked.message, &names, arguments, n, err);
}
