/* The way of a request: stages, each with one job, in the order of a table (api/stages.c).
 *
 * A stage says whether the next one follows at once, or later (it calls api_resume() then), or none: the request was
 * answered, or was taken over by what answers it in its own time.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct api_request;

enum api_step { API_NEXT, API_WAIT, API_END };

enum { API_FOR_RESOURCES = 1 << 0, API_FOR_OTHERS = 1 << 1, API_ALWAYS = 3 };

struct api_stage {
        const char *name;
        unsigned kind;  /* of requests: API_FOR_RESOURCES ... */
        uint16_t verbs; /* of resources, for which it runs; 0: all */
        enum api_step (*run)(struct api_request *r);
};

/* Ends with a stage without a name. */
extern const struct api_stage api_stages[];

/* Has the stages run, from the request's own on. It may be gone afterwards. */
void api_run(struct api_request *r);

/* Goes on behind the stage that waits. */
void api_resume(struct api_request *r);

/* `return api_wait_again(r)`: API_WAIT, and it is this stage that api_resume() goes on with. */
enum api_step api_wait_again(struct api_request *r);

/* `return api_again(r, NAME)`: the stage called @name is next: what it had begun from has changed. Or, of a later one:
 * all up to it is done already. */
enum api_step api_again(struct api_request *r, const char *name);
