/* Progress of a transfer as lines for a terminal: the commands draw, the agent logs. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct image_progress;

#define IMAGE_PROGRESS_LINE_MAX 160

/* Writes one line for @progress, "sha256:0123456789ab  downloading  [=====>     ]  12.3 MB / 35.9 MB", at most @columns
 * wide (from 40 on) and without a newline, to @ret_line. Returns @ret_line. */
const char *image_progress_format(const struct image_progress *progress, unsigned columns,
                                  char ret_line[IMAGE_PROGRESS_LINE_MAX]);

struct image_progress_board;

/* Keeps the newest line of each layer and redraws them in place on the terminal @fd; on anything else writes one line
 * when a layer begins and one when it ends. Returns NULL without memory. */
struct image_progress_board *image_progress_board_new(int fd);
void image_progress_board_update(struct image_progress_board *board, const struct image_progress *progress);
void image_progress_board_free(struct image_progress_board *board);
