#include "cli/cli.h"

int cli_connect(struct cli *cli, struct err **err) {
        if (cli->client)
                return 0;
        return grpc_client_new(&cli->loop, cli->endpoint, &cli->client, err);
}

int cli_call(struct cli *cli, const char *path, const ProtobufCMessage *request,
             const ProtobufCMessageDescriptor *response, struct grpc_unpacked *ret_response, struct err **err) {
        int r = cli_connect(cli, err);

        if (r < 0)
                return r;
        return grpc_client_unary(cli->client, &(struct grpc_client_request){ path, request, response, cli->timeout_ms },
                                 ret_response, err);
}

int cli_stream(struct cli *cli, const struct grpc_client_request *request,
               bool (*message)(void *data, const ProtobufCMessage *message), void *data, struct err **err) {
        struct grpc_client_request own = *request;
        int r = cli_connect(cli, err);

        if (r < 0)
                return r;
        if (cli->timeout_given)
                own.timeout_ms = cli->timeout_ms;
        return grpc_client_stream(cli->client, &own, message, data, err);
}
