// What each rule of ParseRules that is not the default makes of a line, beside what the default
// makes of it.

#include <doctest/doctest.h>

#include <cstdint>
#include <string>
#include <string_view>

#include "escapes.hpp"
#include "outcomes.hpp"
#include "tally/parse.hpp"

using namespace tally;
using namespace tally::testing;

namespace {

ParseRules without(bool Dialects::*dialect) {
  ParseRules rules;
  rules.dialects.*dialect = false;
  return rules;
}

/// What a rule that is not the default makes of a datagram; the same datagram must mean something
/// else by default.
struct RuleRow {
  const char* name;
  const char* datagram;
  const char* by_default;
  const char* by_rule;
};

constexpr RuleRow etsy_off_rows[] = {
    {"behind a type", "a:1|c:2|c", "counter name=a value=1; counter name=a value=2",
     "!dialect_off"},
    {"behind a rate", "a:1|c|@0.5:2|c", "counter name=a value=1 rate=0.5; counter name=a value=2",
     "!dialect_off"},
    {"behind an empty field", "a:1|ms|:2|ms", "timer name=a value=1; timer name=a value=2",
     "!dialect_off"},
    {"a set's", "a:x|s:y|s", "set name=a member x; set name=a member y", "!dialect_off"},
    {"with nothing behind", "a:1|c:", "!missing_type", "!dialect_off"},
};

constexpr RuleRow dogstatsd_off_rows[] = {
    {"tags", "a:1|c|#k:v", "counter name=a value=1 tags=k=v", "!dialect_off"},
    {"no tags", "a:1|c|#", "counter name=a value=1", "!dialect_off"},
    {"packed", "a:1:2|c", "counter name=a value=1; counter name=a value=2", "!dialect_off"},
    {"packed with an empty value", "a:1:|c", "counter name=a value=1", "!dialect_off"},
    {"packed, bad", "a:b:1|c", "!bad_value", "!dialect_off"},
    {"container", "a:1|c|c:abc", "counter name=a value=1", "!dialect_off"},
    {"external data", "a:1|c|e:it-false", "counter name=a value=1", "!dialect_off"},
    {"cardinality", "a:1|c|card:low", "counter name=a value=1", "!dialect_off"},
    {"time", "a:1|c|T17", "counter name=a value=1 ts=17", "!dialect_off"},
    {"bad time", "a:1|c|Tx", "!bad_timestamp", "!dialect_off"},
    {"unknown field", "a:1|c|zz", "counter name=a value=1", "!dialect_off"},
    {"a client's empty list", "a:1|c|:", "counter name=a value=1", "!dialect_off"},
    {"tags behind a second metric", "a:1|c:2|c|#k",
     "counter name=a value=1 tags=k; "
     "counter name=a value=2 tags=k",
     "!dialect_off"},
};

constexpr RuleRow influx_off_rows[] = {
    {"tags", "a,k=v:1|c", "counter name=a value=1 tags=k=v", "counter name=\"a,k=v\" value=1"},
    {"no name", ",k=v:1|c", "!empty_name", "counter name=\",k=v\" value=1"},
    {"another dialect behind it", "a,b;k=v:1|c", "counter name=a value=1 tags=\"b;k\"=v",
     "counter name=\"a,b\" value=1 tags=k=v"},
};

constexpr RuleRow graphite_off_rows[] = {
    {"tags", "a;k=v;l=w:1|c", "counter name=a value=1 tags=k=v,l=w",
     "counter name=\"a;k=v;l=w\" value=1"},
    {"another dialect behind it", "a;b,k=v:1|c", "counter name=a value=1 tags=\"b,k\"=v",
     "counter name=\"a;b\" value=1 tags=k=v"},
};

constexpr RuleRow signalfx_off_rows[] = {
    {"tags at the end", "a[k=v]:1|c", "counter name=a value=1 tags=k=v",
     "counter name=\"a[k=v]\" value=1"},
    {"tags in the middle", "a.[k=v]b:1|c", "counter name=a.b value=1 tags=k=v",
     "counter name=\"a.[k=v]b\" value=1"},
};

constexpr RuleRow librato_off_rows[] = {
    {"tags", "a#k=v,l=w:1|c", "counter name=a value=1 tags=k=v,l=w",
     "counter name=\"a#k=v\" value=1 tags=l=w"},
    {"one tag", "a#k=v:1|c", "counter name=a value=1 tags=k=v", "counter name=\"a#k=v\" value=1"},
};

constexpr RuleRow events_off_rows[] = {
    {"event", "_e{1,1}:a|b", "event title=a", "!dialect_off"},
    {"bad event", "_e{", "!bad_notice", "!dialect_off"},
    {"neighbours", "_e{1,1}:a|b\\na:1|c\\n_sc|a|0",
     "event title=a; counter name=a value=1; service_check name=a",
     "!dialect_off; counter name=a value=1; service_check name=a"},
};

constexpr RuleRow service_checks_off_rows[] = {
    {"check", "_sc|a|0", "service_check name=a", "!dialect_off"},
    {"bad check", "_sc|a|9", "!bad_notice", "!dialect_off"},
    {"neighbours", "_sc|a|0\\n_e{1,1}:a|b", "service_check name=a; event title=a",
     "!dialect_off; event title=a"},
};

/// What needs no dialect, or another one than the one that is off.
struct PlainRow {
  const char* datagram;
  const char* expected;
};

constexpr PlainRow plain_rows[] = {
    {"a:1|c", "counter name=a value=1"},
    {"a:-1.5|g", "gauge name=a delta -1.5"},
    {"a:1|ms|@0.5", "timer name=a value=1 rate=0.5"},
    {"a:x:y|s", "set name=a member x:y"},
    {"a:1|c|", "counter name=a value=1"},
    {"a:1|c||@0.5|", "counter name=a value=1 rate=0.5"},
    {"a:1|c|0.5", "!bad_rate"},
    {"a:1|q:2", "!unknown_type"},
    {"_e:1|c", "counter name=_e value=1"},
    {"_sc:1|c", "counter name=_sc value=1"},
    {"a,b;c#d[e:1|c", "counter name=\"a,b;c#d[e\" value=1"},
};

constexpr RuleRow sanitize_rows[] = {
    {"blank", "a b:1|c", "counter name=\"a b\" value=1", "counter name=a_b value=1"},
    {"a run of white space", "a \\t\\x0b\\x0c\\r b:1|c",
     "counter name=\"a \\t\\x0b\\x0c\\r b\" value=1", "counter name=a_b value=1"},
    {"two runs", " a  b :1|c", "counter name=\" a  b \" value=1", "counter name=_a_b_ value=1"},
    {"slash", "a//b:1|c", "counter name=a//b value=1", "counter name=a--b value=1"},
    {"others", "a+b@c\\x00d\\x7f:1|c", "counter name=\"a+b@c\\x00d\\x7f\" value=1",
     "counter name=abcd value=1"},
    {"nothing is left", "+@\\xc3\\xa9:1|c", "counter name=\"+@\\xc3\\xa9\" value=1", "!empty_name"},
    {"UTF-8", "caf\\xc3\\xa9:1|c", "counter name=\"caf\\xc3\\xa9\" value=1",
     "counter name=caf value=1"},
    {"invalid UTF-8", "a\\xff:1|c", "!invalid_utf8", "counter name=a value=1"},
    {"reserved when clean", "tally@d.x:1|c", "counter name=tally@d.x value=1", "!reserved_name"},
    {"Graphite's separator that opens no tags", "a;b/c:1|c", "counter name=\"a;b/c\" value=1",
     "counter name=\"a;b-c\" value=1"},
    {"Influx tags", "a/b,k k=v/w:1|c", "counter name=a/b value=1 tags=\"k k\"=v/w",
     "counter name=a-b value=1 tags=k_k=v-w"},
    {"Graphite tags", "a/b;k=v+w:1|c", "counter name=a/b value=1 tags=k=v+w",
     "counter name=a-b value=1 tags=k=vw"},
    {"Librato tags", "a/b#k=v:1|c", "counter name=a/b value=1 tags=k=v",
     "counter name=a-b value=1 tags=k=v"},
    {"SignalFx tags", "a/[k=v]b c:1|c", "counter name=\"a/b c\" value=1 tags=k=v",
     "counter name=a-b_c value=1 tags=k=v"},
    {"no tags: the marks are dropped", "a,b#c[d]:1|c", "counter name=\"a,b#c[d]\" value=1",
     "counter name=abcd value=1"},
    {"DogStatsD tags", "a:1|c|#u r/l:x;y z,b c",
     "counter name=a value=1 tags=\"u r/l\"=\"x;y z\",\"b c\"",
     "counter name=a value=1 tags=u_r-l=x_y_z,b_c"},
    {"a tag's value with nothing left", "a:1|c|#k:+", "counter name=a value=1 tags=k=+",
     "counter name=a value=1 tags=k="},
    {"a tag's key with nothing left", "a:1|c|#+:v,x:y", "counter name=a value=1 tags=+=v,x=y",
     "counter name=a value=1 tags=x=y"},
    {"two keys that become one", "a:1|c|#k:1,+k:2", "counter name=a value=1 tags=k=1,+k=2",
     "counter name=a value=1 tags=k=2"},
    {"a tag in invalid UTF-8", "a:1|c|#k:\\xff", "!invalid_utf8", "counter name=a value=1 tags=k="},
};

constexpr PlainRow sanitized_alike_rows[] = {
    {"aZ0_-.=:1|c", "counter name=\"aZ0_-.=\" value=1"},
    {"a:x/y z|s", "set name=a member \"x/y z\""},
    {"_e{3,1}:a/b|b|#k l:v", "event title=a/b tags=\"k l\"=v"},
    {"_sc|a b|0", "service_check name=\"a b\""},
    {"a:1 |c", "!bad_value"},
};

constexpr RuleRow signed_rows[] = {
    {"plus", "a:+3|g", "gauge name=a delta +3", "gauge name=a set 3"},
    {"minus", "a:-3|g", "gauge name=a delta -3", "gauge name=a set -3"},
    {"packed", "a:5:-3|g", "gauge name=a set 5; gauge name=a delta -3",
     "gauge name=a set 5; gauge name=a set -3"},
    {"with a time", "a:-3|g|T17", "gauge name=a delta -3", "gauge name=a set -3 ts=17"},
};

template <std::size_t size>
void check_rule(const RuleRow (&rows)[size], const ParseRules& rules) {
  for (const RuleRow& row : rows) {
    INFO(std::string(row.name), ": ", std::string(row.datagram));
    const auto datagram = unescape(row.datagram);
    REQUIRE(datagram);
    CHECK(outcomes_of(*datagram, {}) == expected_outcomes(row.by_default));
    CHECK(outcomes_of(*datagram, rules) == expected_outcomes(row.by_rule));
  }
}

template <std::size_t size>
void check_untouched(const PlainRow (&rows)[size], const ParseRules& rules) {
  for (const PlainRow& row : rows) {
    INFO(std::string(row.datagram));
    CHECK(outcomes_of(row.datagram, {}) == expected_outcomes(row.expected));
    CHECK(outcomes_of(row.datagram, rules) == expected_outcomes(row.expected));
  }
}

}  // namespace

TEST_CASE("parse: a line in a dialect that is off is refused, or its marks are part of the name") {
  check_rule(etsy_off_rows, without(&Dialects::etsy));
  check_rule(dogstatsd_off_rows, without(&Dialects::dogstatsd));
  check_rule(influx_off_rows, without(&Dialects::influx));
  check_rule(graphite_off_rows, without(&Dialects::graphite));
  check_rule(signalfx_off_rows, without(&Dialects::signalfx));
  check_rule(librato_off_rows, without(&Dialects::librato));
  check_rule(events_off_rows, without(&Dialects::events));
  check_rule(service_checks_off_rows, without(&Dialects::service_checks));
}

TEST_CASE("parse: what needs no dialect is the same without any") {
  const ParseRules none{.dialects = {false, false, false, false, false, false, false, false}};
  check_untouched(plain_rows, none);
}

TEST_CASE("parse: one dialect off leaves the others as they are") {
  check_untouched(
      {{"a:1:2|ms|#k:v", "timer name=a value=1 tags=k=v; timer name=a value=2 tags=k=v"},
       {"a:1|c|c:x|T17|:", "counter name=a value=1 ts=17"}},
      without(&Dialects::etsy));
  check_untouched({{"a,k=v:1|c:2|ms|@0.1",
                    "counter name=a value=1 tags=k=v; "
                    "timer name=a value=2 rate=0.1 tags=k=v"},
                   {"_e{1,1}:a|b|#k:v", "event title=a tags=k=v"}},
                  without(&Dialects::dogstatsd));
  check_untouched({{"a#k=v,l=w:1|c", "counter name=a value=1 tags=k=v,l=w"}},
                  without(&Dialects::influx));
}

TEST_CASE("parse: names.sanitize cleans names and tags as etsy does, and nothing else") {
  const ParseRules clean{.sanitize = Sanitize::etsy};
  check_rule(sanitize_rows, clean);
  check_untouched(sanitized_alike_rows, clean);
}

TEST_CASE("parse: limits hold for what is left of a name or a tag") {
  const ParseRules clean{.limits = {.name_bytes = 3, .tag_bytes = 2}, .sanitize = Sanitize::etsy};
  CHECK(outcomes_of("a+b+c:1|c|#k+l:v+w", clean) ==
        expected_outcomes("counter name=abc value=1 tags=kl=vw"));
  CHECK(outcomes_of("a+b+c+d:1|c", clean) == "!name_too_long; ");
  CHECK(outcomes_of("a:1|c|#k:u+v+w", clean) == "!tag_too_long; ");
}

TEST_CASE("parse: names and tags that are clean are not copied") {
  Batch batch;
  parse_datagram("a.b:1|c|#k:v\na;k=v:1|c\na[k=v]:1|c", {.sanitize = Sanitize::etsy}, batch);
  CHECK(batch.lines.size() == 3);
  CHECK(batch.owned_texts.empty());
  parse_datagram("a b:1|c|#k/l:v", {}, batch);
  CHECK(batch.owned_texts.empty());
}

TEST_CASE("parse: names.signed_gauges = \"absolute\" sets a gauge to a signed value") {
  check_rule(signed_rows, {.signed_gauges = SignedGauges::absolute});
}

TEST_CASE("parse: the caret of a dialect that is off stands at the byte that needs it") {
  const ParseRules none{.dialects = {false, false, false, false, false, false, false, false}};
  struct Caret {
    const char* line;
    std::uint32_t at;
  };
  constexpr Caret rows[] = {
      {"abc:1|c:2|c", 7}, {"abc:1|c|@0.5:2|c", 12}, {"abc:1|c|:2|c", 8},     {"abc:1:2|c", 5},
      {"abc::1|c", 4},    {"abc:1|c|#k:v", 8},      {"abc:1|c|@0.5|T1", 13}, {"abc:1|c|zz", 8},
      {"_e{1,1}:a|b", 0}, {"_sc|a|0", 0},
  };
  for (const Caret& row : rows) {
    INFO(std::string(row.line));
    Batch batch;
    parse_datagram(row.line, none, batch);
    REQUIRE(batch.refused.size() == 1);
    CHECK(batch.refused[0].reason == Reason::dialect_off);
    CHECK(batch.refused[0].caret == row.at);
  }
}
