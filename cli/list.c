#include "cli/list.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "cli/columns.h"
#include "cli/filter.h"
#include "cli/format.h"
#include "cli/output.h"
#include "cli/resolve.h"

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
        { "pod", 'p', CLI_TEXT, &options.pod, "POD", "only containers of this pod" },
        { "quiet", 'q', CLI_FLAG, &options.quiet, NULL, "show only ids" },
        { "resolve-image-path", 'r', CLI_FLAG, &options.resolve, NULL, "show images by name instead of id" },
        { "state", 's', CLI_TEXT, &options.state, "STATE", "created, running, exited or unknown" },
        {},
};

static const char *const state_names[] = { "Created", "Running", "Exited", "Unknown" };

static const char *container_state_name(Cri__ContainerState state) {
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

static void narrow_containers(ProtobufCMessage *message, const struct names *names) {
        Cri__ListContainersResponse *answer = (Cri__ListContainersResponse *)message;
        size_t n = 0;

        for (size_t i = 0; i < answer->n_containers && n < limit(); i++) {
                Cri__Container *c = answer->containers[i];

                if (filter_names_match(names, c->metadata ? c->metadata->name : "",
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
        int64_t now = format_now_ns();

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
        char id[RESOLVE_ID_MAX + 1], pod[RESOLVE_ID_MAX + 1];
        const char *wanted_id, *wanted_pod;
        int r;

        if ((r = filter_labels_read(&options.labels, &cri__container_filter__label_selector_entry__descriptor, &labels,
                                    &entries, err)) < 0 ||
            (options.state && (r = read_container_state(options.state, &state, err)) < 0) ||
            (r = resolve_filter(cli, options.id, resolve_container, id, &wanted_id, err)) < 0 ||
            (r = resolve_filter(cli, options.pod, resolve_pod, pod, &wanted_pod, err)) < 0)
                return r;
        filter.n_label_selector = options.labels.n;
        filter.label_selector = entries;
        filter.id = (char *)(uintptr_t)(wanted_id ? wanted_id : "");
        filter.pod_sandbox_id = (char *)(uintptr_t)(wanted_pod ? wanted_pod : "");
        if (!options.state)
                state.state = CRI__CONTAINER_STATE__CONTAINER_RUNNING;
        if (options.state || !(options.all || options.latest || options.last > 0))
                filter.state = &state;
        return list_containers(cli, &filter, ret_answer, err);
}

int cli_ps(struct cli *cli, char **arguments, int n, struct err **err) {
        _cleanup_unpacked_ struct grpc_unpacked unpacked = {};
        _cleanup_(filter_names_done) struct names names = {};
        enum output output;
        int r;

        if ((r = output_parse(options.output, OUTPUT_TABLE, &output, err)) < 0 ||
            (r = filter_names_init(&names, options.name, options.namespace, err)) < 0 ||
            (r = ask_containers(cli, &unpacked, err)) < 0)
                return r;
        narrow_containers(unpacked.message, &names);
        if (output != OUTPUT_TABLE)
                return output_whole(unpacked.message, output, false, err);
        print_containers(unpacked.message);
        return 0;
}
