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
#include "lib/grpc_server.h"

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

static size_t add_frames(const uint8_t *data, size_t size, uint8_t *out, size_t room) {
        size_t n = 0;

        while (size >= 4 && n + 9 + 255 < room) {
                size_t length = data[3] < size - 4 ? data[3] : size - 4;
                const uint8_t head[9] = { 0, 0, (uint8_t)length, data[0] % 10, data[1], 0, 0, 0, data[2] };

                memcpy(out + n, head, 9);
                memcpy(out + n + 9, data + 4, length);
                n += 9 + length;
                data += 4 + length;
                size -= 4 + length;
        }
        return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        static uint8_t out[1 << 16];
        static const uint8_t settings[9] = { 0, 0, 0, NGHTTP2_SETTINGS };
        size_t n = NGHTTP2_CLIENT_MAGIC_LEN;
        int fd;

        if (!server)
                setup();
        memcpy(out, NGHTTP2_CLIENT_MAGIC, n);
        memcpy(out + n, settings, sizeof(settings));
        n += sizeof(settings);
        n += add_frames(data, size, out + n, sizeof(out) - n);
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
