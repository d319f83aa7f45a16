#include "tally/delivery.hpp"

namespace tally {

DeliveryCounts& DeliveryCounts::operator+=(const DeliveryCounts& other) {
  pushed += other.pushed;
  recovered += other.recovered;
  written += other.written;
  queued += other.queued;
  spooled += other.spooled;
  dead += other.dead;
  dropped_full += other.dropped_full;
  dropped_refused += other.dropped_refused;
  dropped_conflict += other.dropped_conflict;
  dropped_expired += other.dropped_expired;
  dropped_series += other.dropped_series;
  dropped_spool += other.dropped_spool;
  dropped_age += other.dropped_age;
  dropped_damaged += other.dropped_damaged;
  dropped_shutdown += other.dropped_shutdown;
  attempts += other.attempts;
  retries += other.retries;
  return *this;
}

}  // namespace tally
