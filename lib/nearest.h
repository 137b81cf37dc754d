/* "Did you mean …?": of the names there are, the one that somebody who typed another may have meant.
 *
 *     struct nearest nearest = nearest_to("stpo");
 *
 *     nearest_try(&nearest, "start");
 *     nearest_try(&nearest, "stop");
 *     if (nearest.name) …
 */
#pragma once

#define NEAREST_TEXT_MAX 48 /* longer texts and names are near to nothing */

struct nearest {
        const char *text;
        const char *name; /* NULL: none is near */
        unsigned distance;
};

struct nearest nearest_to(const char *text);

/* Takes @name, which must live as long, where it is nearer than all before: at most one letter in three left out, put
 * in, replaced or swapped with its neighbour, or the text is where @name begins. */
void nearest_try(struct nearest *nearest, const char *name);
