#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tests/bench/api_load.h"

#define PARTS_MAX 16

static struct part {
        int to;
        FILE *from;
} parts[PARTS_MAX];
static unsigned n_parts;

/* What a part has seen; its samples follow. */
struct told {
        long delivered, failed;
        uint64_t bytes, end_ns;
        double cpu_s;
        size_t n_samples;
};

/* The part's process: it watches, and hears of the beginning on its standard input. */
static void become_part(struct load *l, int in, int out, unsigned first, unsigned n) {
        n_parts = 0; /* those before it are none of its own */
        l->is_part = true;
        l->first_watch = first;
        l->n_watches = n;
        l->options.clients = 0;
        if (dup2(in, STDIN_FILENO) < 0 || dup2(out, STDOUT_FILENO) < 0)
                load_fail("no part");
}

void load_parts_start(struct load *load) {
        unsigned all = load->options.watchers, next = 0;
        long processors = sysconf(_SC_NPROCESSORS_ONLN);

        n_parts = processors < PARTS_MAX ? (unsigned)processors : PARTS_MAX;
        if (n_parts > all)
                n_parts = all;
        for (unsigned i = 0; i < n_parts; i++) {
                unsigned n = all / n_parts + (i < all % n_parts);
                int in[2], out[2];
                pid_t pid;

                /* Whole connections each. */
                n = (n + load->options.streams - 1) / load->options.streams * load->options.streams;
                if (n > all - next)
                        n = all - next;
                if (pipe(in) < 0 || pipe(out) < 0 || (pid = fork()) < 0)
                        load_fail("no part");
                if (pid == 0)
                        return become_part(load, in[0], out[1], next, n);
                close(in[0]);
                close(out[1]);
                parts[i] = (struct part){ in[1], fdopen(out[0], "r") };
                next += n;
        }
}

void load_parts_wait(void) {
        char line[8];

        for (unsigned i = 0; i < n_parts; i++)
                if (!fgets(line, sizeof(line), parts[i].from))
                        load_fail("a part does not begin");
}

void load_parts_begin(void) {
        for (unsigned i = 0; i < n_parts; i++)
                if (write(parts[i].to, "\n", 1) != 1)
                        load_fail("a part is gone");
}

void load_part_tell(const struct load *load) {
        const struct load_samples *s = &load->deliveries;
        const struct told told = { load->delivered, load->failed, load->bytes, load->end_ns, load_cpu_s(load), s->n };

        fwrite(&told, sizeof(told), 1, stdout);
        fwrite(s->us, sizeof(*s->us), s->n, stdout);
        fflush(stdout);
}

void load_parts_gather(struct load *load) {
        for (unsigned i = 0; i < n_parts; i++) {
                struct told told;
                uint32_t us;

                if (fread(&told, sizeof(told), 1, parts[i].from) != 1)
                        load_fail("a part has nothing to say");
                load->delivered += told.delivered;
                load->failed += told.failed;
                load->bytes += told.bytes;
                load->parts_cpu_s += told.cpu_s;
                if (told.end_ns > load->end_ns)
                        load->end_ns = told.end_ns;
                for (size_t k = 0; k < told.n_samples && fread(&us, sizeof(us), 1, parts[i].from) == 1; k++)
                        load_sample(&load->deliveries, us);
        }
}
