/* A made-up world for a worker: cri, time, pool and probes, with a log of what was asked for. */
#pragma once

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "agent/config/options.h"
#include "agent/pod/worker.h"

#define WORLD_CONTAINERS 64
#define WORLD_PENDING 256

struct world_container {
        char id[64], name[32], sandbox[32];
        uint32_t attempt;
        Cri__ContainerState state;
        int exit_code;
        int64_t started, finished;
        bool removed;
};

struct world_call {
        enum cri_method method;
        const ProtobufCMessage *request;
        cri_done_fn done;
        void *data;
        struct pool_job *job; /* instead of a call */
};

struct world {
        char dir[64], root[80], logs[80];
        struct options options;
        struct node_world_ops world_ops;
        struct worker_ops ops;
        struct worker_node node;
        struct worker *worker;
        int64_t now, timer;
        struct world_container containers[WORLD_CONTAINERS];
        size_t n_containers;
        struct world_call pending[WORLD_PENDING];
        size_t n_pending;
        struct world_call held[WORLD_CONTAINERS]; /* StopContainer calls, with hold_stops */
        size_t n_held;
        char sandbox[32];
        bool sandbox_ready;
        unsigned sandboxes;
        char log[16384];
        bool gone;
        bool hold_stops;           /* StopContainer does not end anything: the test does */
        const char *update_error;  /* UpdateContainerResources fails with it */
        const char *sandbox_error; /* the next RunPodSandbox fails with it */
        int exec_exit;             /* of ExecSync */
        enum probe_outcome probe_outcome;
        bool image_there;
        void (*on_request)(enum cri_method method, const ProtobufCMessage *request); /* sees all calls; NULL: nobody */
};

struct world *world_new(void);
void world_free(struct world *world);

/* A test whose state is a world of its own. */
#define WORLD_TEST(test) cmocka_unit_test_setup_teardown(test, world_set_up, world_tear_down)
int world_set_up(void **state);
int world_tear_down(void **state);

/* Manifests: a pod of that spec, and a container of one with members beside its name and image. */
#define POD(spec) "{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"metadata\":{\"name\":\"p\"},\"spec\":{" spec "}}"
#define C(name, more) "{\"name\":\"" name "\",\"image\":\"img\",\"imagePullPolicy\":\"IfNotPresent\"" more "}"

/* A static pod of JSON text, with its worker; not started. */
void world_pod(struct world *world, const char *json);

/* The same, started, and all that it asks for answered. */
void world_begin(struct world *world, const char *json);

/* The worker's pod is this one from now on, with the identity of before: what worker_update() says. Its ephemeral
 * containers are not those of a file. */
int world_update(struct world *world, const char *json);
int world_update_quietly(struct world *world, const char *json); /* and answers nothing */

/* Answers all that is asked, until nothing is. */
void world_run(struct world *world);

/* As world_run(), but leaves off where @method is to be answered next. */
void world_run_until(struct world *world, enum cri_method method);

/* Answers what comes next alone. */
void world_run_one(struct world *world);

/* Lets time pass, ticking and answering. */
void world_pass(struct world *world, int64_t ms);

/* Ends the newest container of that name. */
void world_exit(struct world *world, const char *name, int code);

/* As world_exit(), if it runs at all. */
void world_exit_of(struct world *world, const char *name, int code);

void world_exit_quietly(struct world *world, const char *name, int code); /* and answers nothing */

/* The sandbox dies, all in it is killed. */
void world_sandbox_dies(struct world *world);

/* Asserts what was asked for since the last call, and forgets it. */
void world_expect(struct world *world, const char *log);

/* The pod's status as JSON; free it. */
char *world_status(struct world *world);
void world_expect_status(struct world *world, const char *part);
