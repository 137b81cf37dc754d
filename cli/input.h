/* Standard input on a loop, whatever it is: read when there is something and its reader has room. Its flags stay as
 * they are, since others hold it too.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#define CLI_INPUT_PIECE ((size_t)64 << 10)

struct cli_input;

/* @on_data gets each piece, which it may change; @size 0: the end, or an error, after which nothing comes. Either may
 * free the input. Reading has begun. 0 or a negative errno. */
int cli_input_new(uv_loop_t *loop, void (*on_data)(void *data, uint8_t *bytes, size_t size), void *data,
                  struct cli_input **ret_input);
void cli_input_pause(struct cli_input *input); /* NULL is fine in these */
void cli_input_resume(struct cli_input *input);
void cli_input_free(struct cli_input *input);
