#include "cli/list.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "cli/columns.h"
#include "cli/filter.h"
#include "cli/format.h"
#include "cli/output.h"

static struct {
        bool all, latest, no_trunc, quiet;
        int64_t last;
        const char *id, *image, *name, *namespace, *output, *pod, *state;
        bool resolve;
        struct cli_values labels;
} options = { .last = 0 };

const struct cli_option cli_ps_options[] = {
        { "all", 'a', CLI_FLAG, &options.all, NULL, "show containers that do not run, too" },
        { "id", 0, CLI_TEXT, &options.id, "ID", "only the container with this id" },
        { "image", 0, CLI_TEXT, &options.image, "IMAGE", "only containers of this image" },
        { "label", 0, CLI_LIST, &options.labels, "KEY=VALUE", "only containers with this label" },
        { "last", 'n', CLI_NUMBER, &options.last, "N", "only the last N made, in any state" },
        { "latest", 'l', CLI_FLAG, &options.latest, NULL, "only the last one made, in any state" },
        { "name", 0, CLI_TEXT, &options.name, "REGEX", "only containers whose name matches" },
        { "namespace", 0, CLI_TEXT, &options.namespace, "REGEX", "only containers whose pod's namespace matches" },
        { "no-trunc", 0, CLI_FLAG, &options.no_trunc, NULL, "show whole ids" },
        { "output", 'o', CLI_TEXT, &options.output, "FORM", "json, yaml or table [table]" },
        { "pod", 'p', CLI_TEXT, &options.pod, "ID", "only containers of this pod" },
        { "quiet", 'q', CLI_FLAG, &options.quiet, NULL, "show only ids" },
        { "resolve-image-path", 'r', CLI_FLAG, &options.resolve, NULL, "show images by name instead of id" },
        { "state", 's', CLI_TEXT, &options.state, "STATE", "created, running, exited or unknown" },
        {},
};

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

static const char *const state_names[] = { "Created", "Running", "Exited", "Unknown" };

const char *container_state_name(Cri__ContainerState state) {
        return (unsigned)state < ELEMENTS(state_names) ? state_names[state] : "Unknown";
}

static int newest_container_first(const void *a, const void *b) {
        const Cri__Container *x = *(Cri__Container *const *)a, *y = *(Cri__Container *const *)b;

        return (x->created_at < y->created_at) - (x->created_at > y->created_at);
}

static int newest_pod_first(const void *a, const void *b) {
        const Cri__PodSandbox *x = *(Cri__PodSandbox *const *)a, *y = *(Cri__PodSandbox *const *)b;

        return (x->created_at < y->created_at) - (x->created_at > y->created_at);
}

int list_containers(struct cli *cli, Cri__ContainerFilter *filter, struct grpc_unpacked *ret_answer, struct err **err) {
        Cri__ListContainersRequest request = CRI__LIST_CONTAINERS_REQUEST__INIT;
        Cri__ListContainersResponse *answer;
        int r;

        request.filter = filter;
        r = cli_call(cli, RUNTIME("ListContainers"), &request.base, &cri__list_containers_response__descriptor,
                     ret_answer, err);
        if (r < 0)
                return r;
        answer = (Cri__ListContainersResponse *)ret_answer->message;
        if (answer->n_containers > 1)
                qsort(answer->containers, answer->n_containers, sizeof(*answer->containers), newest_container_first);
        return 0;
}

int list_pods(struct cli *cli, Cri__PodSandboxFilter *filter, struct grpc_unpacked *ret_answer, struct err **err) {
        Cri__ListPodSandboxRequest request = CRI__LIST_POD_SANDBOX_REQUEST__INIT;
        Cri__ListPodSandboxResponse *answer;
        int r;

        request.filter = filter;
        r = cli_call(cli, RUNTIME("ListPodSandbox"), &request.base, &cri__list_pod_sandbox_response__descriptor,
                     ret_answer, err);
        if (r < 0)
                return r;
        answer = (Cri__ListPodSandboxResponse *)ret_answer->message;
        if (answer->n_items > 1)
                qsort(answer->items, answer->n_items, sizeof(*answer->items), newest_pod_first);
        return 0;
}

static const char *id_text(const char *id, char buffer[FORMAT_MAX]) {
        return options.no_trunc ? id : format_id(id, buffer);
}

static size_t limit(void) {
        return options.latest ? 1 : options.last > 0 ? (size_t)options.last : SIZE_MAX;
}

static bool image_matches(const Cri__Container *container) {
        if (!options.image)
                return true;
        if (container->image && strstr(container->image->image, options.image))
                return true;
        return strstr(container->image_ref, options.image) != NULL ||
               strstr(container->image_id, options.image) != NULL;
}

static int read_container_state(const char *text, Cri__ContainerStateValue *ret_state, struct err **err) {
        for (unsigned i = 0; i < ELEMENTS(state_names); i++)
                if (strcasecmp(text, state_names[i]) == 0) {
                        ret_state->state = (Cri__ContainerState)i;
                        return 0;
                }
        return err_set(err, EINVAL, "--state: \"%s\" is none of created, running, exited, unknown", text);
}

/* What the server has no filter for. */
struct names {
        struct pattern name, namespace;
};

static void names_done(struct names *names) {
        pattern_done(&names->name);
        pattern_done(&names->namespace);
}

static int names_init(struct names *names, struct err **err) {
        int r = pattern_init(&names->name, "name", options.name, err);

        return r < 0 ? r : pattern_init(&names->namespace, "namespace", options.namespace, err);
}

static bool names_match(const struct names *names, const char *name, const char *namespace) {
        return pattern_matches(&names->name, name) && pattern_matches(&names->namespace, namespace);
}

static void narrow_containers(ProtobufCMessage *message, const struct names *names) {
        Cri__ListContainersResponse *answer = (Cri__ListContainersResponse *)message;
        size_t n = 0;

        for (size_t i = 0; i < answer->n_containers && n < limit(); i++) {
                Cri__Container *c = answer->containers[i];

                if (names_match(names, c->metadata ? c->metadata->name : "",
                                LABEL_GET(c, "io.kubernetes.pod.namespace", "")) &&
                    image_matches(c))
                        answer->containers[n++] = c;
        }
        answer->n_containers = n;
}

static const char *image_text(const Cri__Container *c, char buffer[FORMAT_MAX]) {
        const char *image = c->image && *c->image->image ? c->image->image : c->image_ref;

        if (options.resolve && c->image && c->image->user_specified_image && *c->image->user_specified_image)
                return c->image->user_specified_image;
        return strncmp(image, "sha256:", 7) == 0 && !options.no_trunc ? format_id(image, buffer) : image;
}

static void print_containers(const ProtobufCMessage *message) {
        const Cri__ListContainersResponse *answer = (const Cri__ListContainersResponse *)message;
        struct columns columns;
        int64_t now = now_ns();

        for (size_t i = 0; options.quiet && i < answer->n_containers; i++)
                printf("%s\n", answer->containers[i]->id);
        if (options.quiet)
                return;

        columns_begin(&columns, "CONTAINER\tIMAGE\tCREATED\tSTATE\tNAME\tATTEMPT\tPOD ID\tPOD\tNAMESPACE");
        for (size_t i = 0; i < answer->n_containers; i++) {
                const Cri__Container *c = answer->containers[i];
                char id[FORMAT_MAX], pod[FORMAT_MAX], age[FORMAT_MAX], image[FORMAT_MAX];

                columns_row(&columns, "%s\t%s\t%s\t%s\t%s\t%u\t%s\t%s\t%s", id_text(c->id, id), image_text(c, image),
                            format_age(c->created_at, now, age), container_state_name(c->state),
                            c->metadata ? c->metadata->name : "", c->metadata ? c->metadata->attempt : 0,
                            id_text(c->pod_sandbox_id, pod), LABEL_GET(c, "io.kubernetes.pod.name", "unknown"),
                            LABEL_GET(c, "io.kubernetes.pod.namespace", "unknown"));
        }
        columns_end(&columns, stdout);
}

/* What the server can filter by. */
static int ask_containers(struct cli *cli, struct grpc_unpacked *ret_answer, struct err **err) {
        Cri__ContainerFilter filter = CRI__CONTAINER_FILTER__INIT;
        Cri__ContainerStateValue state = CRI__CONTAINER_STATE_VALUE__INIT;
        _cleanup_free_ struct label *labels = NULL;
        _cleanup_free_ void *entries = NULL;
        int r;

        r = labels_read(&options.labels, &cri__container_filter__label_selector_entry__descriptor, &labels, &entries,
                        err);
        if (r == 0 && options.state)
                r = read_container_state(options.state, &state, err);
        if (r < 0)
                return r;
        filter.n_label_selector = options.labels.n;
        filter.label_selector = entries;
        filter.id = (char *)(uintptr_t)(options.id ? options.id : "");
        filter.pod_sandbox_id = (char *)(uintptr_t)(options.pod ? options.pod : "");
        if (!options.state)
                state.state = CRI__CONTAINER_STATE__CONTAINER_RUNNING;
        if (options.state || !(options.all || options.latest || options.last > 0))
                filter.state = &state;
        return list_containers(cli, &filter, ret_answer, err);
}

/* A list is asked for, narrowed to what was wanted, and printed. */
struct listing {
        int (*ask)(struct cli *cli, struct grpc_unpacked *ret_answer, struct err **err);
        void (*narrow)(ProtobufCMessage *answer, const struct names *names);
        void (*print)(const ProtobufCMessage *answer); /* a table, or ids */
};

static int show(struct cli *cli, const struct listing *listing, struct err **err) {
        _cleanup_unpacked_ struct grpc_unpacked unpacked = {};
        _cleanup_(names_done) struct names names = {};
        enum output output;
        int r;

        r = output_parse(options.output, OUTPUT_TABLE, &output, err);
        if (r == 0)
                r = names_init(&names, err);
        if (r == 0)
                r = listing->ask(cli, &unpacked, err);
        if (r < 0)
                return r;
        listing->narrow(unpacked.message, &names);
        if (output != OUTPUT_TABLE)
                return output_whole(unpacked.message, output, false, err);
        listing->print(unpacked.message);
        return 0;
}

int cli_ps(struct cli *cli, char **arguments, int n, struct err **err) {
        static const struct listing containers = { ask_containers, narrow_containers, print_containers };

        return show(cli, &containers, err);
}

static void narrow_pods(ProtobufCMessage *message, const struct names *names) {
        Cri__ListPodSandboxResponse *answer = (Cri__ListPodSandboxResponse *)message;
        size_t n = 0;

        for (size_t i = 0; i < answer->n_items && n < limit(); i++) {
                Cri__PodSandbox *pod = answer->items[i];

                if (names_match(names, pod->metadata ? pod->metadata->name : "",
                                pod->metadata ? pod->metadata->namespace_ : ""))
                        answer->items[n++] = pod;
        }
        answer->n_items = n;
}

static void print_pods(const ProtobufCMessage *message) {
        const Cri__ListPodSandboxResponse *answer = (const Cri__ListPodSandboxResponse *)message;
        struct columns columns;
        int64_t now = now_ns();

        for (size_t i = 0; options.quiet && i < answer->n_items; i++)
                printf("%s\n", answer->items[i]->id);
        if (options.quiet)
                return;

        columns_begin(&columns, "POD ID\tCREATED\tSTATE\tNAME\tNAMESPACE\tATTEMPT\tRUNTIME");
        for (size_t i = 0; i < answer->n_items; i++) {
                const Cri__PodSandbox *pod = answer->items[i];
                const Cri__PodSandboxMetadata *metadata = pod->metadata;
                char id[FORMAT_MAX], age[FORMAT_MAX];

                columns_row(&columns, "%s\t%s\t%s\t%s\t%s\t%u\t%s", id_text(pod->id, id),
                            format_age(pod->created_at, now, age),
                            pod->state == CRI__POD_SANDBOX_STATE__SANDBOX_READY ? "Ready" : "NotReady",
                            metadata ? metadata->name : "", metadata ? metadata->namespace_ : "",
                            metadata ? metadata->attempt : 0,
                            *pod->runtime_handler ? pod->runtime_handler : "(default)");
        }
        columns_end(&columns, stdout);
}

static int ask_pods(struct cli *cli, struct grpc_unpacked *ret_answer, struct err **err) {
        Cri__PodSandboxFilter filter = CRI__POD_SANDBOX_FILTER__INIT;
        Cri__PodSandboxStateValue state = CRI__POD_SANDBOX_STATE_VALUE__INIT;
        _cleanup_free_ struct label *labels = NULL;
        _cleanup_free_ void *entries = NULL;
        int r;

        r = labels_read(&options.labels, &cri__pod_sandbox_filter__label_selector_entry__descriptor, &labels, &entries,
                        err);
        if (r < 0)
                return r;
        filter.n_label_selector = options.labels.n;
        filter.label_selector = entries;
        filter.id = (char *)(uintptr_t)(options.id ? options.id : "");
        if (options.state) {
                if (strcasecmp(options.state, "ready") != 0 && strcasecmp(options.state, "notready") != 0)
                        return err_set(err, EINVAL, "--state: \"%s\" is neither ready nor notready", options.state);
                state.state = strcasecmp(options.state, "ready") == 0 ? CRI__POD_SANDBOX_STATE__SANDBOX_READY :
                                                                        CRI__POD_SANDBOX_STATE__SANDBOX_NOTREADY;
                filter.state = &state;
        }
        return list_pods(cli, &filter, ret_answer, err);
}

int cli_pods(struct cli *cli, char **arguments, int n, struct err **err) {
        static const struct listing pods = { ask_pods, narrow_pods, print_pods };

        return show(cli, &pods, err);
}
