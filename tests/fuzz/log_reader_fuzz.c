/* A log of any bytes, cut anywhere into a rotated and a current file, read in the ways that options choose. */
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "logs/reader.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char path[] = "/tmp/nacelle-fuzz-XXXXXX";
static int dir = -1;

static void put(const char *name, const uint8_t *data, size_t size) {
        int fd = openat(dir, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

        if (fd < 0 || write(fd, data, size) != (ssize_t)size)
                abort();
        close(fd);
}

static void remove_directory(void) {
        unlinkat(dir, "0.log.20261121-104715", 0);
        unlinkat(dir, "0.log", 0);
        rmdir(path);
}

static void make_directory(void) {
        if (dir >= 0)
                return;
        if (!mkdtemp(path))
                abort();
        dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        atexit(remove_directory);
}

/* What is read never comes to more than was written, a newline for each entry and its time apart. */
static void read_with(const struct logs_options *options, size_t size) {
        struct logs_reader *reader;
        struct logs_entry entry;
        size_t sum = 0;

        if (logs_reader_open(dir, "0.log", options, &reader, NULL) < 0)
                return;
        while (logs_reader_next(reader, &entry, NULL) > 0)
                sum += entry.size;
        if (sum > size)
                abort();
        logs_reader_free(reader);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        struct logs_options options = LOGS_OPTIONS_ALL;
        char *text;
        size_t cut;

        make_directory();
        if (size < 4)
                return 0;
        cut = data[0] * (size - 4) / 255;
        options.timestamps = data[1] & 1;
        options.no_stdout = data[1] & 2;
        if (data[1] & 4)
                options.tail_lines = data[2] & 15;
        if (data[1] & 8)
                options.limit_bytes = data[3];
        put("0.log.20261121-104715", data + 4, cut);
        put("0.log", data + 4 + cut, size - 4 - cut);
        read_with(&options, size);
        if (logs_tail(dir, "0.log", LOGS_TERMINATION_LINES, LOGS_TERMINATION_BYTES, &text, NULL) == 0)
                free(text);
        return 0;
}
