#include "cli/yaml.h"

#include <inttypes.h>
#include <stdbool.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/value.h"

static void print_value(FILE *out, const struct value *value, int indent, bool in_list);

/* Plain only what no YAML reader, of 1.1 or 1.2, takes for more than a word. */
static bool is_plain(const char *text, size_t n) {
        static const char *const words[] = { "true", "false", "yes", "no", "on", "off", "null", "y", "n" };

        if (n == 0 || !strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ/_", text[0]))
                return false;
        for (size_t i = 0; i < n; i++)
                if (!strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/_.-@:+=", text[i]) ||
                    !text[i])
                        return false;
        if (text[n - 1] == ':')
                return false;
        for (size_t i = 0; i < ELEMENTS(words); i++)
                if (strcasecmp(text, words[i]) == 0)
                        return false;
        return true;
}

static void print_string(FILE *out, const char *text, size_t n) {
        if (is_plain(text, n)) {
                fwrite(text, 1, n, out);
                return;
        }
        fputc('"', out);
        for (size_t i = 0; i < n; i++) {
                unsigned char c = (unsigned char)text[i];

                if (c == '"' || c == '\\')
                        fprintf(out, "\\%c", c);
                else if (c == '\n')
                        fputs("\\n", out);
                else if (c < 0x20 || c == 0x7f)
                        fprintf(out, "\\x%02x", c);
                else
                        fputc(c, out);
        }
        fputc('"', out);
}

static bool is_block(const struct value *value) {
        return (value->kind == VALUE_MAP || value->kind == VALUE_LIST) && value->count > 0;
}

static void print_scalar(FILE *out, const struct value *value) {
        switch ((enum value_kind)value->kind) {
        case VALUE_NULL:
                fputs("null", out);
                break;
        case VALUE_BOOL:
                fputs(value->boolean ? "true" : "false", out);
                break;
        case VALUE_INT:
                fprintf(out, "%" PRId64, value->integer);
                break;
        case VALUE_NUMBER:
                fputs(value->text, out);
                break;
        case VALUE_STRING:
                print_string(out, value->text, value->count);
                break;
        case VALUE_LIST:
                fputs("[]", out);
                break;
        case VALUE_MAP:
                fputs("{}", out);
                break;
        }
        fputc('\n', out);
}

static void print_map(FILE *out, const struct value *value, int indent, bool in_list) {
        for (uint32_t i = 0; i < value->count; i++) {
                const struct value_member *member = &value->members[i];

                if (i > 0 || !in_list)
                        fprintf(out, "%*s", indent, "");
                print_string(out, member->key, strlen(member->key));
                fputc(':', out);
                if (is_block(&member->value)) {
                        fputc('\n', out);
                        print_value(out, &member->value, member->value.kind == VALUE_LIST ? indent : indent + 2, false);
                } else {
                        fputc(' ', out);
                        print_scalar(out, &member->value);
                }
        }
}

static void print_list(FILE *out, const struct value *value, int indent, bool in_list) {
        for (uint32_t i = 0; i < value->count; i++) {
                if (i > 0 || !in_list)
                        fprintf(out, "%*s", indent, "");
                fputs("- ", out);
                print_value(out, &value->items[i], indent + 2, true);
        }
}

static void print_value(FILE *out, const struct value *value, int indent, bool in_list) {
        if (!is_block(value))
                print_scalar(out, value);
        else if (value->kind == VALUE_MAP)
                print_map(out, value, indent, in_list);
        else
                print_list(out, value, indent, in_list);
}

void yaml_print(FILE *out, const struct value *value) {
        print_value(out, value, 0, false);
}
