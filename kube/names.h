/* The rules that names in the API follow, with kube-apiserver's sentences for those that break them. */
#pragma once

enum name_rule {
        NAME_LABEL,                /* RFC 1123 label: containers, volumes, hostnames */
        NAME_LABEL_1035,           /* RFC 1035 label: begins with a letter */
        NAME_SUBDOMAIN,            /* RFC 1123 subdomain: pods, hosts */
        NAME_SUBDOMAIN_LONG,       /* the same, in the words of declarative validation: of a DeviceClass */
        NAME_SUBDOMAIN_UNDERSCORE, /* the same with "_", for DNS searches */
        NAME_SUBDOMAIN_CASELESS,   /* the same with upper case letters */
        NAME_WILDCARD,             /* "*." and a subdomain */
        NAME_PORT,                 /* IANA service name */
        NAME_ENV,                  /* environment variable: printable, no "=" */
        NAME_HEADER,               /* HTTP header */
        NAME_QUALIFIED,            /* label and annotation keys: "example.com/name" */
        NAME_LABEL_VALUE,
        NAME_KEY,          /* of ConfigMaps and Secrets */
        NAME_SEGMENT,      /* of a URL's path */
        NAME_C_IDENTIFIER, /* of the language C */
        NAME_ANY,          /* a kind does not mind, or has a rule of its own */
};

#define SYSCTL_NAME_MAX 253

/* @name with dots between its parts: either of dots and slashes may divide them, as the first does (sysctl.d(5)); cut
 * at SYSCTL_NAME_MAX. Returns ret. */
const char *sysctl_name(const char *name, char ret[SYSCTL_NAME_MAX + 1]);

/* NULL when @name follows @rule, else the first thing that is wrong with it (a static text). */
const char *name_problem(enum name_rule rule, const char *name);

/* All that is wrong with @name, static texts in the order in which they are told. Returns how many. */
#define NAME_PROBLEMS_MAX 6
unsigned name_problems(enum name_rule rule, const char *name, const char *ret[NAME_PROBLEMS_MAX]);
