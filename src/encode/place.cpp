#include "encode/place.hpp"

#include <algorithm>

namespace tally {
namespace {

const Scheme& scheme_for(const Naming& naming, std::string_view name) {
  if (is_own_name(name)) return scheme_of(Profile::native, MeasurementPer::metric);
  return scheme_of(naming.profile, naming.measurement);
}

Place place_in(const Naming& naming, Kind kind, std::string_view name, std::string field) {
  const Scheme& scheme = scheme_for(naming, name);
  const KindScheme& words = scheme.kinds[static_cast<std::size_t>(kind)];
  Place place{.measurement = std::string(name), .field = std::move(field)};
  if (!scheme.type_tag.empty())
    place.tags.push_back({std::string(scheme.type_tag), std::string(words.type)});
  if (!scheme.name_tag.empty()) {
    place.tags.push_back({std::string(scheme.name_tag), naming.prefix + place.measurement});
    place.measurement = words.type;
    return place;
  }
  if (scheme.underscores_dots) std::ranges::replace(place.measurement, '.', '_');
  place.measurement = naming.prefix + place.measurement + std::string(words.suffix);
  if (!scheme.is_point_per_field) return place;
  if (place.field != "value") place.measurement += "." + place.field;
  place.field = "value";
  return place;
}

}  // namespace

std::optional<Place> place_of(const Naming& naming, Kind kind, std::string_view name, Stat stat) {
  const auto fields = scheme_for(naming, name).kinds[static_cast<std::size_t>(kind)].fields;
  const auto field = std::ranges::find(fields, stat, &Field::stat);
  if (field == fields.end()) return std::nullopt;
  return place_in(naming, kind, name, std::string(field->name()));
}

std::optional<Place> place_of_percentile(const Naming& naming, Kind kind, std::string_view name,
                                         double percent) {
  const Scheme& scheme = scheme_for(naming, name);
  for (const PercentField& field : scheme.kinds[static_cast<std::size_t>(kind)].of_percentiles) {
    if (field.stat != PercentStat::percentile && field.stat != PercentStat::upper) continue;
    return place_in(naming, kind, name, percentile_name(scheme, field, percent));
  }
  return std::nullopt;
}

}  // namespace tally
