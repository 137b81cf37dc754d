#include "images/progress.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "images/transfer.h"

#define COLUMNS_DEFAULT 80
#define COLUMNS_MIN 40
#define BAR_MIN 10
#define BAR_MAX 40
#define LAYERS_MAX 64 /* drawn at a time; more would not fit a terminal */
#define DIGEST_MAX 72

static const char *amount(uint64_t bytes, char ret[16]) {
        static const char *const units[] = { "B", "kB", "MB", "GB", "TB" };
        double value = (double)bytes;
        size_t unit = 0;

        for (; value >= 999.95 && unit < 4; unit++)
                value /= 1000;
        snprintf(ret, 16, unit == 0 ? "%.0f %s" : "%.1f %s", value, units[unit]);
        return ret;
}

static void draw_bar(char *to, unsigned width, uint64_t done, uint64_t total) {
        unsigned filled = done >= total ? width : (unsigned)((double)done / (double)total * width);

        for (unsigned i = 0; i < width; i++)
                to[i] = i < filled ? '=' : i == filled ? '>' : ' ';
        to[width] = '\0';
}

const char *image_progress_format(const struct image_progress *p, unsigned columns,
                                  char ret_line[IMAGE_PROGRESS_LINE_MAX]) {
        const char *hex = strncmp(p->digest, "sha256:", 7) == 0 ? p->digest + 7 : p->digest;
        char done[16], total[16], bar[BAR_MAX + 1], head[40];
        size_t used;

        if (columns < COLUMNS_MIN)
                columns = COLUMNS_MIN;
        snprintf(head, sizeof(head), "%.12s  %-11.15s", hex, p->phase);
        if (p->total == 0 || p->done == 0) {
                snprintf(ret_line, IMAGE_PROGRESS_LINE_MAX, "%.*s", (int)columns, head);
                return ret_line;
        }
        amount(p->done, done);
        amount(p->total, total);
        used = strlen(head) + strlen(done) + strlen(total) + strlen("  []   / ");
        if (used + BAR_MIN <= columns) {
                unsigned width = columns - (unsigned)used;

                draw_bar(bar, width < BAR_MAX ? width : BAR_MAX, p->done, p->total);
                snprintf(ret_line, IMAGE_PROGRESS_LINE_MAX, "%s  [%s]  %s / %s", head, bar, done, total);
        } else {
                snprintf(ret_line, IMAGE_PROGRESS_LINE_MAX, "%.*s", (int)columns, head);
        }
        return ret_line;
}

struct line {
        char digest[DIGEST_MAX], phase[16];
};

struct image_progress_board {
        int fd;
        bool terminal;
        struct line lines[LAYERS_MAX];
        unsigned count;
};

struct image_progress_board *image_progress_board_new(int fd) {
        struct image_progress_board *board = calloc(1, sizeof(*board));

        if (board) {
                board->fd = fd;
                board->terminal = isatty(fd);
        }
        return board;
}

void image_progress_board_free(struct image_progress_board *board) {
        free(board);
}

static unsigned columns_of(int fd) {
        struct winsize size;

        return ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : COLUMNS_DEFAULT;
}

void image_progress_board_update(struct image_progress_board *board, const struct image_progress *p) {
        char text[IMAGE_PROGRESS_LINE_MAX];
        unsigned i = 0;
        bool changed;

        while (i < board->count && strcmp(board->lines[i].digest, p->digest) != 0)
                i++;
        if (i == LAYERS_MAX)
                return;
        changed = i == board->count || strcmp(board->lines[i].phase, p->phase) != 0;
        if (i == board->count) {
                snprintf(board->lines[i].digest, DIGEST_MAX, "%s", p->digest);
                board->count++;
                if (board->terminal)
                        dprintf(board->fd, "\n");
        }
        snprintf(board->lines[i].phase, sizeof(board->lines[i].phase), "%s", p->phase);
        image_progress_format(p, board->terminal ? columns_of(board->fd) - 1 : COLUMNS_DEFAULT, text);
        if (board->terminal)
                dprintf(board->fd, "\r\033[%uA%s\033[K\033[%uB\r", board->count - i, text, board->count - i);
        else if (changed)
                dprintf(board->fd, "%s\n", text);
}
