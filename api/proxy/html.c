#include "api/proxy/html.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "api/proxy/internal.h"
#include "lib/cleanup.h"

#define WORD_MAX 15 /* no element or attribute that counts has a longer name */

enum state {
        TEXT,
        OPENED,  /* behind "<" */
        COMMENT, /* behind "<!--", until "-->" */
        MARKUP,  /* a declaration or an end tag, until ">" */
        ELEMENT, /* its name */
        INSIDE,  /* between attributes */
        ATTRIBUTE,
        NAMED,  /* behind an attribute's name: "=" or the next one */
        EQUALS, /* behind "=" */
        VALUE,
        RAW, /* text in which nothing but its element's end tag is one */
};

struct word {
        char text[WORD_MAX + 1];
        unsigned n; /* WORD_MAX + 1: too long to be any that counts */
};

struct proxy_html {
        struct proxy_here here;
        enum state state;
        struct word element, attribute;
        char quote;       /* of the value; '\0': none */
        unsigned matched; /* of what ends a comment or a raw text, or begins a comment */
        char value[PROXY_URL_MAX];
        size_t n_value;
        bool held; /* the value is in @value, not yet written */
};

/* Which attributes have URLs (HTML 4.01, and HTML 5's index of attributes). */
static const struct {
        const char *element, *attributes[4];
} links[] = {
        { "a", { "href" } },
        { "applet", { "codebase" } },
        { "area", { "href" } },
        { "audio", { "src" } },
        { "base", { "href" } },
        { "blockquote", { "cite" } },
        { "body", { "background" } },
        { "button", { "formaction" } },
        { "command", { "icon" } },
        { "del", { "cite" } },
        { "embed", { "src" } },
        { "form", { "action" } },
        { "frame", { "longdesc", "src" } },
        { "head", { "profile" } },
        { "html", { "manifest" } },
        { "iframe", { "longdesc", "src" } },
        { "img", { "longdesc", "src", "usemap" } },
        { "input", { "src", "usemap", "formaction" } },
        { "ins", { "cite" } },
        { "link", { "href" } },
        { "object", { "classid", "codebase", "data", "usemap" } },
        { "q", { "cite" } },
        { "script", { "src" } },
        { "source", { "src" } },
        { "video", { "poster", "src" } },
};

static const char *const raw_elements[] = { "script",  "style",    "textarea", "title", "iframe",
                                            "noembed", "noframes", "noscript", "xmp" };

struct proxy_html *proxy_html_new(const struct proxy_here *here) {
        struct proxy_html *html = calloc(1, sizeof(*html));

        if (html)
                html->here = *here;
        return html;
}

void proxy_html_free(struct proxy_html *html) {
        free(html);
}

static void add(struct word *word, char c) {
        if (word->n >= WORD_MAX) {
                word->n = WORD_MAX + 1;
                word->text[0] = '\0';
                return;
        }
        word->text[word->n++] = (char)(c >= 'A' && c <= 'Z' ? c + 'a' - 'A' : c);
        word->text[word->n] = '\0';
}

static void begin(struct word *word, char c) {
        *word = (struct word){ .n = 0 };
        add(word, c);
}

static bool has_url(const struct proxy_html *html) {
        for (size_t i = 0; i < ELEMENTS(links); i++)
                for (size_t k = 0;
                     strcmp(links[i].element, html->element.text) == 0 && k < ELEMENTS(links[i].attributes); k++)
                        if (links[i].attributes[k] && strcmp(links[i].attributes[k], html->attribute.text) == 0)
                                return true;
        return false;
}

static bool is_letter(char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_blank(char c) {
        return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f';
}

/* The tag has ended. */
static enum state after_tag(struct proxy_html *html) {
        html->matched = 0;
        for (size_t i = 0; i < ELEMENTS(raw_elements); i++)
                if (strcmp(raw_elements[i], html->element.text) == 0)
                        return RAW;
        return TEXT;
}

static enum state begin_value(struct proxy_html *html, char quote) {
        html->quote = quote;
        html->n_value = 0;
        html->held = has_url(html);
        return VALUE;
}

static enum state on_opened(struct proxy_html *html, char c) {
        if (is_letter(c)) {
                begin(&html->element, c);
                return ELEMENT;
        }
        html->matched = 0;
        if (c == '<')
                return OPENED;
        return c == '!' || c == '/' || c == '?' ? MARKUP : TEXT;
}

/* "<!" and two dashes begin a comment. */
static enum state on_markup(struct proxy_html *html, char c) {
        if (c == '>')
                return TEXT;
        html->matched = html->matched < 2 && c == '-' ? html->matched + 1 : 3;
        if (html->matched < 2 || html->matched == 3)
                return MARKUP;
        html->matched = 0;
        return COMMENT;
}

static enum state on_comment(struct proxy_html *html, char c) {
        if (c == '>' && html->matched >= 2)
                return TEXT;
        html->matched = c == '-' ? html->matched + (html->matched < 2) : 0;
        return COMMENT;
}

/* "</script" ends what "<script>" began. */
static enum state on_raw(struct proxy_html *html, char c) {
        unsigned n = html->matched;
        char wanted = n == 0 ? '<' : n == 1 ? '/' : html->element.text[n - 2];

        if (n >= 2 && !wanted) {
                html->matched = 3; /* no comment follows */
                return c == '>' ? TEXT : is_blank(c) || c == '/' ? MARKUP : RAW;
        }
        if (c == wanted || (is_letter(c) && (c | 0x20) == wanted))
                html->matched++;
        else
                html->matched = c == '<';
        return RAW;
}

static enum state on_inside(struct proxy_html *html, char c) {
        if (c == '>')
                return after_tag(html);
        if (is_blank(c) || c == '/')
                return INSIDE;
        begin(&html->attribute, c);
        return ATTRIBUTE;
}

static enum state on_named(struct proxy_html *html, char c) {
        return c == '=' ? EQUALS : is_blank(c) ? NAMED : on_inside(html, c);
}

static enum state on_attribute(struct proxy_html *html, char c) {
        if (c == '=' || c == '>' || c == '/' || is_blank(c))
                return on_named(html, c);
        add(&html->attribute, c);
        return ATTRIBUTE;
}

static enum state on_element(struct proxy_html *html, char c) {
        if (c == '>' || c == '/' || is_blank(c))
                return on_inside(html, c);
        add(&html->element, c);
        return ELEMENT;
}

static enum state next(struct proxy_html *html, char c) {
        switch (html->state) {
        case TEXT:
                return c == '<' ? OPENED : TEXT;
        case OPENED:
                return on_opened(html, c);
        case COMMENT:
                return on_comment(html, c);
        case MARKUP:
                return on_markup(html, c);
        case ELEMENT:
                return on_element(html, c);
        case INSIDE:
                return on_inside(html, c);
        case ATTRIBUTE:
                return on_attribute(html, c);
        case NAMED:
                return on_named(html, c);
        case EQUALS:
                return is_blank(c) ? EQUALS :
                       c == '>'    ? after_tag(html) :
                                     begin_value(html, c == '"' || c == '\'' ? c : '\0');
        default:
                return on_raw(html, c);
        }
}

static void write_value(struct proxy_html *html, proxy_html_out out, void *data) {
        char url[PROXY_URL_MAX];

        if (!html->held)
                return;
        html->held = false;
        html->value[html->n_value] = '\0';
        if (memchr(html->value, '\0', html->n_value) || !proxy_relocate(&html->here, html->value, url))
                out(data, html->value, html->n_value);
        else
                out(data, url, strlen(url));
}

static bool ends_value(const struct proxy_html *html, char c) {
        return html->quote ? c == html->quote : is_blank(c) || c == '>';
}

/* In a value: how many of @n bytes are its; those that are held are not written. */
static size_t take_value(struct proxy_html *html, const char *bytes, size_t n, proxy_html_out out, void *data) {
        size_t i = 0;

        while (i < n && !ends_value(html, bytes[i]))
                i++;
        if (html->held && i >= sizeof(html->value) - html->n_value) {
                html->held = false;
                out(data, html->value, html->n_value);
        }
        if (html->held) {
                memcpy(html->value + html->n_value, bytes, i);
                html->n_value += i;
        } else if (i > 0)
                out(data, bytes, i);
        return i;
}

void proxy_html_feed(struct proxy_html *html, const char *bytes, size_t n, proxy_html_out out, void *data) {
        size_t written = 0, i = 0;

        while (i < n) {
                if (html->state != VALUE) {
                        html->state = next(html, bytes[i]);
                        /* An unquoted value begins with the character that says so. */
                        i += html->state != VALUE || html->quote;
                        continue;
                }
                if (i > written)
                        out(data, bytes + written, i - written);
                i += take_value(html, bytes + i, n - i, out, data);
                written = i;
                if (i == n)
                        return;
                write_value(html, out, data);
                html->state = html->quote ? INSIDE : on_inside(html, bytes[i]);
                i++;
        }
        if (n > written)
                out(data, bytes + written, n - written);
}

void proxy_html_end(struct proxy_html *html, proxy_html_out out, void *data) {
        if (html->held)
                out(data, html->value, html->n_value);
        html->held = false;
}
