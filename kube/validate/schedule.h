/* A CronJob's schedule and time zone, as the controller's parser (robfig/cron v3, ParseStandard) and Go's
 * time.LoadLocation() read them: five fields, or a descriptor as "@daily" and "@every 1h". */
#pragma once

struct arena;

/* What is wrong with @text, in the parser's words and in @arena; NULL: nothing. */
const char *schedule_problem(struct arena *arena, const char *text);

/* The same of the name of a time zone: one of IANA's database (tzdata, ZONEINFO_DIRECTORY). */
#define ZONEINFO_DIRECTORY "/usr/share/zoneinfo"
const char *schedule_zone_problem(struct arena *arena, const char *name);
