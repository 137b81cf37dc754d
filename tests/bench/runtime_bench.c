/* How long a pod takes without a node around it: sandbox, container, stop, exec; and what a shim costs in memory.
 * Prints `name median_us` lines. Root only. Usage: runtime_bench [rounds] [pods] */
#include "tests/unit/runtime/fixture.h"

#include <signal.h>
#include <time.h>

static double now_us(void) {
        struct timespec t;

        clock_gettime(CLOCK_MONOTONIC, &t);
        return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static int compare(const void *a, const void *b) {
        double x = *(const double *)a, y = *(const double *)b;

        return (x > y) - (x < y);
}

static void report(const char *name, double *times, int n) {
        qsort(times, (size_t)n, sizeof(*times), compare);
        printf("%-18s median %7.0f us   p90 %7.0f us\n", name, times[n / 2], times[n * 9 / 10]);
}

static struct err *failure;

static void require(int r) {
        if (r < 0) {
                fprintf(stderr, "%s\n", err_text(failure));
                exit(1);
        }
}

static void exec_ended(void *data, const struct exec_result *result) {
        *(bool *)data = true;
}

static double exec_once(struct fixture *f, const struct process_spec *process) {
        struct exec_spec spec;
        struct exec *exec;
        bool ended = false;
        double begin = now_us();

        exec_spec_init(&spec);
        spec.process = process;
        require(fixture_exec(f, "c", &spec, exec_ended, &ended, &exec, &failure));
        while (!ended)
                uv_run(&f->loop, UV_RUN_ONCE);
        return now_us() - begin;
}

static void pods_in_memory(struct fixture *f, int pods) {
        struct fixture_container c;
        char id[32];
        struct sandbox_info info;
        struct sandbox_spec sandbox;
        struct container_state state;
        long total = 0;

        sandbox_spec_init(&sandbox);
        for (int i = 0; i < pods; i++) {
                snprintf(id, sizeof(id), "m%d", i);
                require(sandbox_create(f->runtime, id, &sandbox, &info, &failure));
                fixture_container(f, "exec sleep 1000", &c);
                c.spec.root.upper = c.spec.root.work = NULL;
                c.spec.root.readonly = true;
                c.io.log_path = f->log;
                require(container_start(&(struct container_at){ f->runtime, id, "c" }, &c.spec, &c.io, &state,
                                        &failure));
        }
        for (int i = 0; i < pods; i++) {
                char path[64], line[256];
                FILE *file;

                snprintf(id, sizeof(id), "m%d", i);
                sandbox_probe(f->runtime, id, &info, NULL);
                snprintf(path, sizeof(path), "/proc/%d/smaps_rollup", info.shim_pid);
                file = fopen(path, "re");
                while (file && fgets(line, sizeof(line), file))
                        if (strncmp(line, "Pss:", 4) == 0)
                                total += atol(line + 4);
                if (i == 0 && file && getenv("V")) {
                        snprintf(path, sizeof(path), "grep -E '^[0-9a-f]+-|^Pss|^Private_D' /proc/%d/smaps",
                                 info.shim_pid);
                        if (system(path)) {
                        }
                }
                if (file)
                        fclose(file);
        }
        printf("shim PSS           %7.1f KB each at %d pods\n", (double)total / pods, pods);
        for (int i = 0; i < pods; i++) {
                snprintf(id, sizeof(id), "m%d", i);
                sandbox_delete(f->runtime, id, NULL);
        }
}

int main(int argc, char **argv) {
        int rounds = argc > 1 ? atoi(argv[1]) : 50, pods = argc > 2 ? atoi(argv[2]) : 40;
        double *sandbox_us = calloc((size_t)rounds, sizeof(double)), *start_us = calloc((size_t)rounds, sizeof(double));
        double *stop_us = calloc((size_t)rounds, sizeof(double)), *exec_us = calloc((size_t)rounds, sizeof(double));
        double *delete_us = calloc((size_t)rounds, sizeof(double));
        static const char *const args[] = { "true", NULL };
        struct process_spec process = { .args = args, .env = fixture_env, .umask = 022 };
        struct sandbox_spec sandbox;
        struct fixture *f;
        void *state;

        fixture_setup(&state);
        f = state;
        sandbox_spec_init(&sandbox);
        sandbox.hostname = "bench";
        process.capabilities =
                (struct capability_sets){ capability_default(), capability_default(), capability_default(), 0, 0 };
        for (int i = 0; i < rounds; i++) {
                struct fixture_container c;
                double t0 = now_us(), t1, t2, t3;

                fixture_sandbox(f, &sandbox);
                t1 = now_us();
                fixture_container(f, "exec sleep 1000", &c);
                c.spec.root.is_volatile = false; /* its work directory is used again */
                require(fixture_start(f, "c", &c, &failure));
                t2 = now_us();
                exec_us[i] = exec_once(f, &process);
                t3 = now_us();
                container_kill(f->runtime, "pod", "c", SIGKILL, NULL);
                fixture_wait(f, "c");
                container_delete(f->runtime, "pod", "c", NULL);
                stop_us[i] = now_us() - t3;
                f->watch = shim_watch_free(f->watch);
                uv_run(&f->loop, UV_RUN_DEFAULT);
                t3 = now_us();
                require(sandbox_delete(f->runtime, "pod", &failure));
                delete_us[i] = now_us() - t3;
                memset(&f->last, 0, sizeof(f->last));
                sandbox_us[i] = t1 - t0;
                start_us[i] = t2 - t1;
        }
        report("sandbox_create", sandbox_us, rounds);
        report("container_start", start_us, rounds);
        report("exec true", exec_us, rounds);
        report("kill+delete", stop_us, rounds);
        report("sandbox_delete", delete_us, rounds);
        pods_in_memory(f, pods);
        fixture_teardown(&state);
        return 0;
}
