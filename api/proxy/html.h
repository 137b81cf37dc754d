/* HTML on its way: URLs in the attributes that have them lead back through the proxy (apimachinery's proxy.Transport).
 * All else passes as it is, piece by piece; what is held is one attribute's value.
 */
#pragma once

#include <stddef.h>

struct proxy_here;
struct proxy_html;

/* NULL without memory. The texts of @here outlive it. */
struct proxy_html *proxy_html_new(const struct proxy_here *here);

/* NULL is fine. */
void proxy_html_free(struct proxy_html *html);

/* Takes a piece; @out gets what it has become. */
typedef void (*proxy_html_out)(void *data, const void *bytes, size_t n);
void proxy_html_feed(struct proxy_html *html, const char *bytes, size_t n, proxy_html_out out, void *data);

/* There is no more: what was held. */
void proxy_html_end(struct proxy_html *html, proxy_html_out out, void *data);
