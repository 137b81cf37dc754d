/* What keys and values of a user's extra have to be where one who impersonates may choose them (KEP-5284): keys are
 * domain-prefixed paths in lower case.
 */
#pragma once

struct arena;
struct auth_user;

/* 0; -EINVAL: what is wrong with the first that is, in kube-apiserver's words; -ENOMEM. */
int auth_extra_problem(struct arena *arena, const struct auth_user *user, const char **ret_problem);
