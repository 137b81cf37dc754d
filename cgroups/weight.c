/* cpu.weight of cpu.shares. The two functions are here because of what libm costs an agent that calls it for nothing
 * else: 330 KB of resident memory. */
#include "cgroups/limits.h"

#define LN_2 0.69314718055994530942
#define LN_10 2.30258509299404568402

/* Terms after which neither series changes a double any more. */
#define LOG_TERMS 12
#define EXP_TERMS 32

/* Of 1 and above. With t = (m - 1) / (m + 1), ln m = 2 (t + t³/3 + t⁵/5 + …). */
static double log_2(double x) {
        double exponent = 0, t, power, sum = 0;

        for (; x >= 1.5; x /= 2)
                exponent++;
        t = (x - 1) / (x + 1);
        power = t;
        for (int i = 0; i < LOG_TERMS; i++, power *= t * t)
                sum += power / (2 * i + 1);
        return exponent + 2 * sum / LN_2;
}

/* Of 0 and above, exact for whole numbers. */
static double power_of_10(double x) {
        double whole = 1, term = 1, sum = 1;

        for (; x >= 1; x--)
                whole *= 10;
        for (int i = 1; i < EXP_TERMS; i++) {
                term *= x * LN_10 / i;
                sum += term;
        }
        return whole * sum;
}

static uint64_t round_up(double x) {
        uint64_t n = (uint64_t)x;

        return (double)n < x ? n + 1 : n;
}

uint64_t cgroup_weight_of_shares(uint64_t shares) {
        double l;

        if (shares == 0)
                return 0;
        if (shares <= 2)
                return 1;
        if (shares >= 262144)
                return 10000;
        l = log_2((double)shares);
        return round_up(power_of_10((l * l + 125 * l) / 612.0 - 7.0 / 34.0));
}
