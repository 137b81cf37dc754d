/* What a container prints, in pieces of any size and with rotation at any size, is what a reader gets back. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "logs/reader.h"
#include "logs/writer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char path[] = "/tmp/nacelle-fuzz-XXXXXX";
static int dir = -1;

static void empty_directory(void) {
        DIR *d = fdopendir(openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
        struct dirent *entry;

        while (d && (entry = readdir(d)))
                unlinkat(dir, entry->d_name, 0);
        if (d)
                closedir(d);
}

static void remove_directory(void) {
        empty_directory();
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

static void print(const uint8_t *data, size_t size, size_t piece, uint64_t rotate) {
        struct logs_limits limits = { .size = rotate, .files = LOGS_FILES_MAX };
        struct logs_arena arena = { 0 };
        struct logs_writer writer;
        struct logs_stream stream;
        int p[2];

        if (pipe2(p, O_CLOEXEC) < 0 || logs_writer_open(&writer, dir, "0.log", &limits, -EBADF) < 0)
                abort();
        logs_stream_init(&stream, p[0], LOGS_STDOUT, &writer);
        for (size_t at = 0; at < size; at += piece) {
                size_t n = size - at < piece ? size - at : piece;

                if (write(p[1], data + at, n) != (ssize_t)n)
                        abort();
                logs_stream_read(&stream, &arena);
        }
        close(p[1]);
        logs_stream_end(&stream, &arena);
        close(p[0]);
        logs_writer_close(&writer);
        logs_arena_release(&arena);
        if (arena.has_peek) {
                close(arena.peek[0]);
                close(arena.peek[1]);
        }
}

static void compare(const uint8_t *data, size_t size) {
        struct logs_options options = LOGS_OPTIONS_ALL;
        struct logs_reader *reader;
        struct logs_entry entry;
        size_t at = 0;

        if (logs_reader_open(dir, "0.log", &options, &reader, NULL) < 0)
                abort();
        while (logs_reader_next(reader, &entry, NULL) > 0) {
                if (entry.size > size - at || memcmp(data + at, entry.data, entry.size) != 0)
                        abort();
                at += entry.size;
        }
        if (at != size || logs_reader_skipped(reader) > 0)
                abort();
        logs_reader_free(reader);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        make_directory();
        if (size < 3 || size > 65536)
                return 0;
        print(data + 3, size - 3, 1 + data[0] + (size_t)(data[1] & 127) * 256,
              data[1] & 128 ? 64 + (uint64_t)data[2] * 16 : 0);
        compare(data + 3, size - 3);
        empty_directory();
        return 0;
}
