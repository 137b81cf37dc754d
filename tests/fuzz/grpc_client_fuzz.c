/* A gRPC client and a server that sends any frames, as a pod that is probed may: each call ends once, and nothing is
 * left. The first byte says what this side does; then a record is a frame: type, flags, stream, length, payload. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "cri/api.pb-c.h"
#include "lib/cleanup.h"
#include "lib/grpc/client.h"
#include "tests/fuzz/frames.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { CANCEL_FIRST = 1, CANCEL_LATE = 2, FREE_IN_DONE = 4, SETTINGS_FIRST = 8, WITH_TIMEOUT = 16 };

static uv_loop_t loop;
static int listener = -EBADF;
static struct sockaddr_un address = { .sun_family = AF_UNIX };
static struct grpc_client *client;
static bool free_in_done;

struct one {
        struct grpc_client_call *call; /* NULL: it has ended */
};

static void on_exit_remove(void) {
        unlink(address.sun_path);
}

static void setup(void) {
        snprintf(address.sun_path, sizeof(address.sun_path), "/tmp/nacelle-fuzz-client-%d", getpid());
        unlink(address.sun_path);
        listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (bind(listener, (struct sockaddr *)&address, sizeof(address)) < 0 || listen(listener, 8) < 0)
                abort();
        atexit(on_exit_remove);
        uv_loop_init(&loop);
}

static void on_done(void *data, enum grpc_code code, const char *text) {
        struct one *one = data;

        if (!one->call || !text)
                abort();
        one->call = NULL;
        if (free_in_done)
                grpc_client_free(TAKE_PTR(client));
}

static void begin(struct one *one, uint64_t timeout_ms) {
        const struct grpc_client_handlers handlers = { .done = on_done };
        Cri__VersionRequest request = CRI__VERSION_REQUEST__INIT;

        if (grpc_client_call(client,
                             &(struct grpc_client_request){ "/a", &request.base, &cri__version_response__descriptor,
                                                            timeout_ms },
                             &handlers, one, &one->call) < 0)
                abort();
}

static void turn(int n) {
        for (int i = 0; i < n; i++)
                uv_run(&loop, UV_RUN_NOWAIT);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        static uint8_t out[1 << 16];
        struct one ones[2] = {};
        size_t n = 0;
        int fd;

        if (size == 0)
                return 0;
        if (listener < 0)
                setup();
        free_in_done = data[0] & FREE_IN_DONE;
        if (grpc_client_new(&loop, address.sun_path, &client, NULL) < 0)
                abort();
        begin(&ones[0], data[0] & WITH_TIMEOUT ? 1 : 0);
        begin(&ones[1], 0);
        if (data[0] & CANCEL_FIRST)
                grpc_client_cancel(ones[1].call);
        fd = accept(listener, NULL, NULL);
        turn(2);
        if (data[0] & SETTINGS_FIRST) {
                memcpy(out, frames_settings, sizeof(frames_settings));
                n = sizeof(frames_settings);
        }
        n += frames_make(data + 1, size - 1, 8, out + n, sizeof(out) - n);
        send(fd, out, n, MSG_DONTWAIT | MSG_NOSIGNAL);
        turn(4);
        if (data[0] & CANCEL_LATE && ones[0].call)
                grpc_client_cancel(ones[0].call);
        turn(2);
        close(fd);
        grpc_client_free(TAKE_PTR(client));
        for (int i = 0; i < 1000 && uv_loop_alive(&loop); i++)
                uv_run(&loop, UV_RUN_NOWAIT);
        if (ones[0].call || ones[1].call || uv_loop_alive(&loop))
                abort();
        return 0;
}
