/* The rules that names in the API follow, with kube-apiserver's sentences for those that break them. */
#pragma once

enum name_rule {
        NAME_LABEL,                /* RFC 1123 label: containers, volumes, hostnames */
        NAME_SUBDOMAIN,            /* RFC 1123 subdomain: pods, hosts */
        NAME_SUBDOMAIN_UNDERSCORE, /* the same with "_", for DNS searches */
        NAME_PORT,                 /* IANA service name */
        NAME_ENV,                  /* environment variable: printable, no "=" */
        NAME_HEADER,               /* HTTP header */
        NAME_QUALIFIED,            /* label and annotation keys: "example.com/name" */
        NAME_LABEL_VALUE,
};

#define SYSCTL_NAME_MAX 253

/* @name with dots between its parts: either of dots and slashes may divide them, as the first does (sysctl.d(5)); cut
 * at SYSCTL_NAME_MAX. Returns ret. */
const char *sysctl_name(const char *name, char ret[SYSCTL_NAME_MAX + 1]);

/* NULL when @name follows @rule, else what is wrong with it (a static text). */
const char *name_problem(enum name_rule rule, const char *name);
