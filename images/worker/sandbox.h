/* The worker's own fence: what it reads is hostile, so from here on this process can neither write nor create anything
 * outside the store, start no program, and gain no privilege. landlock(7); a kernel without it leaves the fence away,
 * for the parsers do not rely on it.
 */
#pragma once

struct err;

/* Fences in the calling thread and those that it starts from now on. @directory: a descriptor of the store's directory.
 * Returns 0, also without landlock, or a negative errno. */
int sandbox_enter(int directory, struct err **err);
