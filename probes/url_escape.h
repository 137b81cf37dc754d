/* Which bytes of a URL's parts are written as %XX, as Go's net/url does it. For probes/ only. */
#pragma once

struct arena;
struct err;

enum url_part { URL_PATH, URL_USER, URL_HOST, URL_ZONE, URL_FRAGMENT };

/* @text as it stands in that part; NULL without memory. */
const char *probe_url_escape(struct arena *arena, const char *text, enum url_part part);

/* What @text stood for. -EINVAL, -ENOMEM. */
int probe_url_unescape(struct arena *arena, const char *text, enum url_part part, const char **ret_text,
                       struct err **err);

/* A path as it is sent: as it was spelled where it may be spelled so, else what it says with all escaped that is to be.
 * As probe_url_unescape(). */
int probe_url_spell_path(struct arena *arena, const char *text, const char **ret_text, struct err **err);
