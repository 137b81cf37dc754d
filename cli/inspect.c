#include <errno.h>
#include <stdio.h>

#include "cli/cli.h"
#include "cli/format.h"
#include "cli/output.h"
#include "cli/resolve.h"
#include "lib/json_writer.h"

static struct {
        const char *output;
        bool quiet;
} options;

const struct cli_option cli_inspect_options[] = {
        { "output", 'o', CLI_TEXT, &options.output, "FORM", "json or yaml [json]" },
        { "quiet", 'q', CLI_FLAG, &options.quiet, NULL, "leave out what only this runtime tells" },
        {},
};

const struct cli_option cli_output_options[] = {
        { "output", 'o', CLI_TEXT, &options.output, "FORM", "json, yaml or table" },
        {},
};

/* How one kind of thing is found and asked for. */
struct kind {
        resolve_fn *resolve; /* NULL: the name is the id */
        int (*ask)(struct cli *cli, const char *id, struct grpc_unpacked *ret_answer, struct err **err);
};

static int ask_container(struct cli *cli, const char *id, struct grpc_unpacked *ret_answer, struct err **err) {
        Cri__ContainerStatusRequest request = CRI__CONTAINER_STATUS_REQUEST__INIT;

        request.container_id = (char *)(uintptr_t)id;
        request.verbose = !options.quiet;
        return cli_call(cli, RUNTIME("ContainerStatus"), &request.base, &cri__container_status_response__descriptor,
                        ret_answer, err);
}

static int ask_pod(struct cli *cli, const char *id, struct grpc_unpacked *ret_answer, struct err **err) {
        Cri__PodSandboxStatusRequest request = CRI__POD_SANDBOX_STATUS_REQUEST__INIT;

        request.pod_sandbox_id = (char *)(uintptr_t)id;
        request.verbose = !options.quiet;
        return cli_call(cli, RUNTIME("PodSandboxStatus"), &request.base, &cri__pod_sandbox_status_response__descriptor,
                        ret_answer, err);
}

static int ask_image(struct cli *cli, const char *id, struct grpc_unpacked *ret_answer, struct err **err) {
        Cri__ImageStatusRequest request = CRI__IMAGE_STATUS_REQUEST__INIT;
        Cri__ImageSpec spec = CRI__IMAGE_SPEC__INIT;
        int r;

        spec.image = (char *)(uintptr_t)id;
        request.image = &spec;
        request.verbose = !options.quiet;
        r = cli_call(cli, IMAGE("ImageStatus"), &request.base, &cri__image_status_response__descriptor, ret_answer,
                     err);
        if (r == 0 && !((const Cri__ImageStatusResponse *)ret_answer->message)->image) {
                grpc_unpacked_free(ret_answer);
                return err_set(err, ENOENT, "no such image");
        }
        return r;
}

/* One answer as it is, several as a list. What cannot be had is said, the others are shown. */
static int inspect(struct cli *cli, char **arguments, int n, const struct kind *kind, struct err **err) {
        _cleanup_json_writer_ struct json_writer w = JSON_WRITER_INDENTED;
        enum output output;
        int shown = 0, r;

        r = output_parse(options.output, OUTPUT_JSON, &output, err);
        if (r < 0)
                return r;
        if (output == OUTPUT_TABLE)
                output = OUTPUT_JSON;
        if (n > 1)
                json_begin_list(&w);
        for (int i = 0; i < n; i++) {
                _cleanup_unpacked_ struct grpc_unpacked answer = {};
                _cleanup_err_ struct err *one = NULL;
                char id[RESOLVE_ID_MAX + 1];

                if ((kind->resolve && kind->resolve(cli, arguments[i], id, &one) < 0) ||
                    kind->ask(cli, kind->resolve ? id : arguments[i], &answer, &one) < 0) {
                        fprintf(stderr, "nacelle: %s: %s\n", arguments[i], err_text(one));
                        continue;
                }
                output_status(&w, answer.message);
                shown++;
        }
        if (n > 1)
                json_end_list(&w);
        if (shown > 0)
                r = output_print(&w, output, err);
        return r < 0 ? r : shown < n;
}

int cli_inspect(struct cli *cli, char **arguments, int n, struct err **err) {
        static const struct kind kind = { resolve_container, ask_container };

        return inspect(cli, arguments, n, &kind, err);
}

int cli_inspectp(struct cli *cli, char **arguments, int n, struct err **err) {
        static const struct kind kind = { resolve_pod, ask_pod };

        return inspect(cli, arguments, n, &kind, err);
}

int cli_inspecti(struct cli *cli, char **arguments, int n, struct err **err) {
        static const struct kind kind = { NULL, ask_image };

        return inspect(cli, arguments, n, &kind, err);
}

int cli_version(struct cli *cli, char **arguments, int n, struct err **err) {
        Cri__VersionRequest request = CRI__VERSION_REQUEST__INIT;
        _cleanup_unpacked_ struct grpc_unpacked unpacked = {};
        const Cri__VersionResponse *answer;
        enum output output;
        int r;

        request.version = (char *)(uintptr_t) "v1";
        if ((r = output_parse(options.output, OUTPUT_TABLE, &output, err)) < 0 ||
            (r = cli_call(cli, RUNTIME("Version"), &request.base, &cri__version_response__descriptor, &unpacked, err)) <
                    0)
                return r;
        answer = (const Cri__VersionResponse *)unpacked.message;
        if (output != OUTPUT_TABLE)
                return output_whole(&answer->base, output, false, err);
        printf("Version:  %s\nRuntimeName:  %s\nRuntimeVersion:  %s\nRuntimeApiVersion:  %s\n", answer->version,
               answer->runtime_name, answer->runtime_version, answer->runtime_api_version);
        return 0;
}

/* Answers that are shown whole, as JSON unless YAML is wanted. */
static int show(struct cli *cli, const char *path, const ProtobufCMessage *request,
                const ProtobufCMessageDescriptor *response, struct err **err) {
        _cleanup_unpacked_ struct grpc_unpacked unpacked = {};
        _cleanup_json_writer_ struct json_writer w = JSON_WRITER_INDENTED;
        enum output output;
        int r;

        if ((r = output_parse(options.output, OUTPUT_JSON, &output, err)) < 0 ||
            (r = cli_call(cli, path, request, response, &unpacked, err)) < 0)
                return r;
        output_status(&w, unpacked.message);
        return output_print(&w, output, err);
}

int cli_info(struct cli *cli, char **arguments, int n, struct err **err) {
        Cri__StatusRequest request = CRI__STATUS_REQUEST__INIT;

        request.verbose = true;
        return show(cli, RUNTIME("Status"), &request.base, &cri__status_response__descriptor, err);
}

int cli_imagefsinfo(struct cli *cli, char **arguments, int n, struct err **err) {
        Cri__ImageFsInfoRequest request = CRI__IMAGE_FS_INFO_REQUEST__INIT;

        return show(cli, IMAGE("ImageFsInfo"), &request.base, &cri__image_fs_info_response__descriptor, err);
}

int cli_runtime_config(struct cli *cli, char **arguments, int n, struct err **err) {
        Cri__RuntimeConfigRequest request = CRI__RUNTIME_CONFIG_REQUEST__INIT;

        return show(cli, RUNTIME("RuntimeConfig"), &request.base, &cri__runtime_config_response__descriptor, err);
}

const struct cli_option cli_events_options[] = {
        { "output", 'o', CLI_TEXT, &options.output, "FORM", "json, yaml or table [json]" },
        {},
};

static bool print_event(void *data, const ProtobufCMessage *message) {
        const Cri__ContainerEventResponse *event = (const Cri__ContainerEventResponse *)message;
        enum output output = *(enum output *)data;
        char time[FORMAT_MAX];

        if (output == OUTPUT_TABLE)
                printf("%s %s %s\n", format_time(event->created_at, time), event->container_id,
                       protobuf_c_enum_descriptor_get_value(&cri__container_event_type__descriptor,
                                                            event->container_event_type)
                               ->name);
        else
                output_whole(message, output, false, NULL);
        return fflush(stdout) == 0;
}

int cli_events(struct cli *cli, char **arguments, int n, struct err **err) {
        Cri__GetEventsRequest request = CRI__GET_EVENTS_REQUEST__INIT;
        enum output output;
        int r;

        r = output_parse(options.output, OUTPUT_JSON, &output, err);
        if (r < 0)
                return r;
        return cli_stream(cli,
                          &(struct grpc_client_request){ RUNTIME("GetContainerEvents"), &request.base,
                                                         &cri__container_event_response__descriptor, 0 },
                          print_event, &output, err);
}
