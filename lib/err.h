/* Errors as a code and a sentence that a user can act on.
 *
 * A failure is made once, where it happens, with err_set(); each caller that passes it up may put its own
 * object in front with err_wrap(), so that the reader gets `pod default/web: image web:1: manifest unknown`.
 * Functions that can fail return 0 or a negative errno and take a `struct err **` as their last argument;
 * it may be NULL when the caller only wants the number. A function either logs an error or returns it.
 *
 * Allocation failure inside this module never fails the caller: the text is replaced by a fixed one.
 */
#pragma once

#include <stdarg.h>

/* The longest text an error keeps, with its NUL; what is longer is cut at the end. */
#define ERR_TEXT_MAX 2048

struct err;

/* Sets *@err (when @err is not NULL and *@err is NULL) to @code (a positive errno) and the formatted text.
 * Returns -@code, so that `return err_set(...)` is the whole failure path. */
int err_set(struct err **err, int code, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* The same with the arguments of a function that takes such itself. */
int err_setv(struct err **err, int code, const char *format, va_list arguments) __attribute__((format(printf, 3, 0)));

/* As err_set(), with the code and text of @other; where that is NULL there was no memory for it. */
int err_repeat(struct err **err, const struct err *other);

/* As err_set(), with ": " and the text of errno value @code appended. */
int err_errno(struct err **err, int code, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* Puts the formatted text and ": " in front of *@err's text, where there is one. Returns @code, which is negative: the
 * caller's result, whether or not anybody wanted the text. */
int err_wrap(struct err **err, int code, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* The text, never NULL; valid until the error is changed or freed. @err may be NULL: "no error text". */
const char *err_text(const struct err *err);

/* The positive errno; 0 for NULL. */
int err_code(const struct err *err);

/* Moves @from into *@to (when @to is not NULL and *@to is NULL), or frees it. Returns @from's negative code. */
int err_move(struct err **to, struct err *from);

/* Frees @err; NULL is fine. Returns NULL. */
struct err *err_free(struct err *err);

void err_freep(struct err **err);
#define _cleanup_err_ __attribute__((cleanup(err_freep)))
