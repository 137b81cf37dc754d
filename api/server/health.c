#include "api/server/health.h"

void api_health_begun(struct api_health *health, enum api_step_of_start step) {
        atomic_fetch_or(&health->begun, API_BEGUN(step));
}

bool api_health_has_begun(const struct api_health *health, enum api_step_of_start step) {
        return atomic_load(&health->begun) & API_BEGUN(step);
}

void api_health_count(struct api_check_count *count, bool good) {
        atomic_fetch_add_explicit(good ? &count->good : &count->bad, 1, memory_order_relaxed);
        atomic_store_explicit(&count->is_good, good, memory_order_relaxed);
}
