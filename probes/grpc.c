/* gRPC probes: grpc.health.v1.Health/Check, as pkg/probe/grpc calls it. */
#include <stdio.h>
#include <string.h>

#include "lib/grpc/client.h"
#include "probes/health.pb-c.h"
#include "probes/internal.h"

static const char *status_name(int status) {
        static const char *const names[] = { "UNKNOWN", "SERVING", "NOT_SERVING", "SERVICE_UNKNOWN" };

        return status >= 0 && status < (int)(sizeof(names) / sizeof(names[0])) ? names[status] : "UNKNOWN";
}

static void on_message(void *data, const ProtobufCMessage *message) {
        const Health__HealthCheckResponse *response = (const Health__HealthCheckResponse *)message;
        struct probe *probe = data;

        if (response->status == HEALTH__HEALTH_CHECK_RESPONSE__SERVING_STATUS__SERVING)
                probe_finish(probe, PROBE_SUCCESS, "service healthy");
        else
                probe_finish(probe, PROBE_FAILURE, "service unhealthy (responded with \"%s\")",
                             status_name((int)response->status));
}

static void on_done(void *data, enum grpc_code code, const char *text) {
        struct probe *probe = data;
        double seconds = (double)probe->timeout / 1000;

        probe->call = NULL;
        switch (code) {
        case GRPC_OK:
                probe_finish(probe, PROBE_FAILURE, "error: health rpc probe failed: no answer");
                break;
        case GRPC_UNIMPLEMENTED:
                probe_finish(probe, PROBE_FAILURE,
                             "error: this server does not implement the grpc health protocol "
                             "(grpc.health.v1.Health): %s",
                             text);
                break;
        case GRPC_DEADLINE_EXCEEDED:
                probe_finish(probe, PROBE_FAILURE, "timeout: health rpc did not complete within %gs", seconds);
                break;
        default:
                probe_finish(probe, PROBE_FAILURE, "error: health rpc probe failed: %s", text);
        }
        probe_release(probe);
}

int probe_grpc_start(struct probe *probe, const struct probe_target *target, struct err **err) {
        static const struct grpc_client_handlers handlers = { .message = on_message, .done = on_done };
        Health__HealthCheckRequest request = HEALTH__HEALTH_CHECK_REQUEST__INIT;
        bool six = strchr(probe->host, ':');
        char endpoint[300];
        int r;

        snprintf(endpoint, sizeof(endpoint), "%s%.256s%s:%u", six ? "[" : "", probe->host, six ? "]" : "", probe->port);
        r = grpc_client_new(probe->loop, endpoint, &probe->client, err);
        if (r < 0)
                return r;
        request.service = (char *)(target->service ?: "");
        probe_hold(probe); /* the call's */
        r = grpc_client_call(probe->client,
                             &(struct grpc_client_request){ "/grpc.health.v1.Health/Check", &request.base,
                                                            &health__health_check_response__descriptor,
                                                            probe->timeout },
                             &handlers, probe, &probe->call);
        if (r < 0)
                probe_release(probe);
        return r;
}

/* The call's end, which freeing the client brings, drops its hold. */
void probe_grpc_stop(struct probe *probe) {
        struct grpc_client *client = probe->client;

        probe->client = NULL;
        grpc_client_free(client);
}
