/* A gRPC server and a client that sends any frames: nothing is left of its connection when it has gone. A record of the
 * input is a frame: type, flags, stream, length, payload. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <nghttp2/nghttp2.h>

#include "cri/api.pb-c.h"
#include "lib/grpc/server.h"
#include "tests/fuzz/frames.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uv_loop_t loop;
static struct grpc_server *server;
static struct sockaddr_un address = { .sun_family = AF_UNIX };
static socklen_t address_size;

static void handle(struct grpc_call *call, const ProtobufCMessage *request) {
        Cri__VersionResponse response = CRI__VERSION_RESPONSE__INIT;

        response.version = ((Cri__VersionRequest *)(uintptr_t)request)->version;
        grpc_call_reply(call, &response.base);
}

static void setup(void) {
        static const struct grpc_method methods[] = {
                { "/a", &cri__version_request__descriptor, &cri__version_response__descriptor, handle, NULL },
        };
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);

        address_size = sizeof(address);
        if (bind(fd, (struct sockaddr *)&address, sizeof(sa_family_t)) <
                    0 || /* an abstract name of the kernel's choice */
            getsockname(fd, (struct sockaddr *)&address, &address_size) < 0 ||
            listen(fd, 8) < 0)
                abort();
        uv_loop_init(&loop);
        if (grpc_server_new(&loop, &server) < 0 || grpc_server_add(server, methods, 1, NULL) < 0 ||
            grpc_server_listen(server, fd, NULL) < 0)
                abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        static uint8_t out[1 << 16];
        size_t n = NGHTTP2_CLIENT_MAGIC_LEN;
        int fd;

        if (!server)
                setup();
        memcpy(out, NGHTTP2_CLIENT_MAGIC, n);
        memcpy(out + n, frames_settings, sizeof(frames_settings));
        n += sizeof(frames_settings);
        n += frames_make(data, size, 256, out + n, sizeof(out) - n);
        fd = socket(AF_UNIX, SOCK_STREAM, 0);
        if (connect(fd, (struct sockaddr *)&address, address_size) < 0)
                abort();
        send(fd, out, n, MSG_DONTWAIT | MSG_NOSIGNAL);
        for (int i = 0; i < 4; i++)
                uv_run(&loop, UV_RUN_NOWAIT);
        close(fd);
        for (int i = 0; i < 1000 && grpc_server_connections(server) > 0; i++)
                uv_run(&loop, UV_RUN_NOWAIT);
        if (grpc_server_connections(server) > 0 || grpc_server_calls(server) > 0)
                abort();
        return 0;
}
