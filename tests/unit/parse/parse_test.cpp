// What each line means on which implementations disagree, and who reads it otherwise. A row names
// the others in its last column: `bad` they refuse it, else what they read.

#include <doctest/doctest.h>

#include <algorithm>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "escapes.hpp"
#include "guarded_buffer.hpp"
#include "outcomes.hpp"
#include "tally/parse.hpp"
#include "vectors.hpp"

using namespace tally;
using namespace tally::testing;

namespace {

struct Row {
  const char* datagram;  ///< with the escapes of test data
  const char* expected;  ///< facts as in the vectors; `!reason` is a refused line
  const char* others;
};

constexpr Row rate_rows[] = {
    {"x:1|c|@0", "!bad_rate",
     "c=1: statsite, exporter, telegraf; weight Inf: etsy, gostatsd, datadog"},
    {"x:1|c|@2", "!bad_rate", "c=1 @2: etsy, gostatsd, exporter, datadog; c=1: statsite, otel"},
    {"x:1|c|@1", "counter name=x value=1", ""},
    {"x:1|c|@1.0000001", "!bad_rate", ""},
    {"x:1|c|@0.000001", "counter name=x value=1 rate=0.000001", "the least rate taken"},
    {"x:1|c|@0.00000099", "!bad_rate", "all take it: a mistake or an attack"},
    {"x:1|c|@1e-300", "!bad_rate", "c=1e300: nearly all"},
    {"x:1|c|@1e-400", "!bad_rate", "reads as 0"},
    {"x:1|c|@-0.5", "!bad_rate", "c=1 @-0.5: gostatsd, telegraf, datadog; c=1: statsite, otel"},
    {"x:1|c|@nan", "!bad_rate", "NaN: gostatsd, exporter, veneur, telegraf, datadog, vector"},
    {"x:1|c|@inf", "!bad_rate", "Inf: gostatsd, exporter, telegraf, datadog, vector"},
    {"x:1|c|@", "!bad_rate", "c=1: telegraf, netdata; bad and c=1: exporter"},
    {"x:1|c|@abc", "!bad_rate", "c=1: telegraf; bad and c=1: exporter"},
    {"x:1|c|@0.5x", "!bad_rate", "0.5: statsite, netdata; c=1: telegraf"},
    {"x:1|c|@@0.1", "!bad_rate", "c=1: exporter, telegraf"},
    {"x:1|c|@ 1", "!bad_rate", "c=1: exporter, telegraf, collectd; etsy crashes"},
    {"x:1|c|@1 ", "!bad_rate", "c=1: etsy, statsite, exporter, telegraf"},
    {"x:1|c|@0x1p-1", "!bad_rate", "0.5: most in Go"},
    {"x:1|c|@5e-1", "counter name=x value=1 rate=0.5", "c=1 @5: etsy"},
    {"x:1|c|@.5", "counter name=x value=1 rate=0.5", ""},
    {"x:1|c|@+0.5", "counter name=x value=1 rate=0.5", "etsy crashes"},
    {"x:1|c|.5x", "!bad_rate", "c=1: as below"},
    {"x:1|c|0.5", "!bad_rate", "c=1: gostatsd, telegraf, datadog, vector"},
    {"x:1|c|@0.5|@0.2", "!bad_rate", "0.2: gostatsd, exporter, datadog, otel; 0.5: etsy, statsite"},
    {"x:1|c|@0.5|@0.5", "!bad_rate", "as above"},
    {"x:5|g|@0.1", "gauge name=x set 5", "bad: statsite, collectd"},
    {"x:+5|g|@0.1", "gauge name=x delta +5", "netdata divides by the rate"},
    {"x:5|g|@7", "!bad_rate", "g=5: etsy, gostatsd, exporter, telegraf, datadog, vector, otel"},
    {"x:a|s|@0.5", "set name=x member a", "bad: brubeck, statsite, exporter, otel"},
    {"x:a|s|@zz", "!bad_rate", "member a: telegraf, netdata"},
    {"x:5|ms|@0.1", "timer name=x value=5 rate=0.1", ""},
    {"x:5|ms|@2", "!bad_rate", "ms=5 @2: most; no sample at all: telegraf, exporter"},
};

constexpr Row number_rows[] = {
    {"n:0x10|c", "!bad_value", "16: etsy, collectd; 0: statsite"},
    {"n:1e3|c", "counter name=n value=1000", "1: netdata"},
    {"n:1e400|c", "!bad_value", "Inf: etsy, brubeck, vector, collectd"},
    {"n:nan|c", "!bad_value", "NaN: exporter, telegraf, vector, collectd"},
    {"n:inf|c", "!bad_value", "Inf: gostatsd, exporter, telegraf, vector"},
    {"n:Infinity|c", "!bad_value", "Inf: etsy too"},
    {"n:1_000|c", "!bad_value", "1000: all in Go; 1: statsite"},
    {"n:1,5|c", "!bad_value", "1: statsite, netdata"},
    {"n:.5|c", "counter name=n value=0.5", "0: telegraf, netdata"},
    {"n:5.|c", "counter name=n value=5", ""},
    {"n:+5|c", "counter name=n value=5", ""},
    {"n:-5|c", "counter name=n value=-5", "bad: exporter"},
    {"n:--5|c", "!bad_value", "-0: statsite"},
    {"n:.|c", "!bad_value", "0: brubeck, statsite"},
    {"n:-|c", "!bad_value", "0: brubeck, statsite"},
    {"n: 1|c", "!bad_value", "1: etsy, collectd"},
    {"n:1 |c", "!bad_value", "1: etsy, statsite"},
    {"n:1abc|c", "!bad_value", "1: statsite, netdata"},
    {"n:|c", "!missing_value", "0: brubeck; dropped without a word: gostatsd, veneur"},
    {"n:1.5|c", "counter name=n value=1.5", "1: telegraf"},
    {"n:-1|ms", "timer name=n value=-1", "bad: etsy, telegraf"},
    {"n:+1|ms", "timer name=n value=1", "bad: telegraf"},
    {"n:nan|g", "!bad_value", "NaN: exporter, telegraf, collectd"},
    {"n:1e400|g", "!bad_value", "Inf: etsy, brubeck, vector"},
    {"n:1e-400|g", "gauge name=n set 0", ""},
    {"n:|g", "!missing_value", "0: brubeck; gostatsd panics later"},
};

constexpr Row gauge_rows[] = {
    {"n:+3|g", "gauge name=n delta +3", "set 3: gostatsd, veneur, datadog"},
    {"n:-3|g", "gauge name=n delta -3", "set -3: gostatsd, veneur, datadog"},
    {"n:5|g\\nn:-3|g", "gauge name=n set 5; gauge name=n delta -3", "as above"},
    {"n:+0|g", "gauge name=n delta +0", ""},
    {"n:1:+2:-3|g", "gauge name=n set 1; gauge name=n delta +2; gauge name=n delta -3", ""},
};

constexpr Row name_rows[] = {
    {":1|c", "!empty_name", "c=1 without a name: etsy, brubeck, telegraf, vector, collectd"},
    {",host=a:1|c", "!empty_name", "c=1: all"},
    {";host=a:1|c", "!empty_name", ""},
    {"#host=a:1|c", "!empty_name", ""},
    {"[host=a]:1|c", "!empty_name", "c=1: all"},
    {"a b:1|c", "counter name=\"a b\" value=1", "a_b: etsy, gostatsd, vector; a: telegraf"},
    {"a/b:1|c", "counter name=a/b value=1", "a-b: etsy, gostatsd, vector"},
    {"a+b@c:1|c", "counter name=a+b@c value=1", "abc: etsy, gostatsd, vector"},
    {"a..b:1|c", "counter name=a..b value=1", ""},
    {"a.b.:1|c", "counter name=a.b. value=1", "bad: brubeck"},
    {"_a:1|c", "counter name=_a value=1", "bad: gostatsd"},
    {"a|b:1|c", "counter name=\"a|b\" value=1", ""},
    {"\\xc3\\xa9:1|c", "counter name=\"\\xc3\\xa9\" value=1",
     "no name left: etsy, vector; bad: gostatsd"},
    {"a:b:1|c", "!bad_value", "name a:b: collectd; bad and c=1: etsy"},
    {"a=b:1|c", "counter name=\"a=b\" value=1", "ab: gostatsd, vector"},
    {"\\xc3(:1|c", "!invalid_utf8", "c=1: all but gostatsd, exporter, vector"},
    {"\\xed\\xa0\\x80:1|c", "!invalid_utf8", "a surrogate: influxd never opens the shard again"},
    {"\\xc0\\xaf:1|c", "!invalid_utf8", "an overlong form: the same"},
    {"a\\x00b:1|c", "counter name=\"a\\x00b\" value=1", "bad: brubeck, gostatsd, collectd"},
    {"tallyd.lines:1|c", "!reserved_name", ""},
    {"tallyd:1|c", "counter name=tallyd value=1", ""},
    {"tallydx.lines:1|c", "counter name=tallydx.lines value=1", ""},
    {"9lives:1|c", "counter name=9lives value=1", ""},
    {"ms:1|c", "counter name=ms value=1", ""},
};

constexpr Row type_rows[] = {
    {"x:1|h", "histogram name=x value=1", "c=1: etsy"},
    {"x:1|d", "distribution name=x value=1", "bad: brubeck, statsite, gostatsd; c=1: etsy"},
    {"x:1|m", "!unknown_type", "c=1: etsy; ms=1: veneur; a meter: netdata"},
    {"x:1|C", "!unknown_type", "c=1: etsy; a running total: brubeck"},
    {"x:1|kv", "!unknown_type", "c=1: etsy; a key/value: statsite"},
    {"x:1|q", "!unknown_type", "c=1: etsy"},
    {"x:1|", "!missing_type", "c=1: etsy"},
    {"x:1||c", "!missing_type", ""},
    {"x:1", "!missing_type", ""},
    {"x:1|cc", "!unknown_type", "c=1: etsy, veneur"},
    {"x:1|MS", "!unknown_type", "c=1: etsy"},
    {"x:1|c ", "!unknown_type", "c=1: etsy, veneur, telegraf"},
    {"x:1|@0.1", "!unknown_type", "c=1: etsy"},
    {"m:1|c\\nm:2|g\\nm:x|s", "counter name=m value=1; gauge name=m set 2; set name=m member x",
     "one metric: brubeck"},
};

constexpr Row pack_rows[] = {
    {"a:1:2|c", "counter name=a value=1; counter name=a value=2",
     "c=1: statsite; bad and c=2: etsy"},
    {"a:1:2|ms", "timer name=a value=1; timer name=a value=2",
     "bad: brubeck, telegraf, vector, otel"},
    {"a:1:2|g", "gauge name=a set 1; gauge name=a set 2", "g=1: statsite"},
    {"a:1:2|h|@0.5", "histogram name=a value=1 rate=0.5; histogram name=a value=2 rate=0.5", ""},
    {"a:1::2|c", "counter name=a value=1; counter name=a value=2", "veneur: one bad"},
    {"a::1::|c", "counter name=a value=1", ""},
    {"a:::|c", "!missing_value", ""},
    {"a:1:x|ms", "!bad_value", "ms=1 is kept: exporter, veneur, statsite"},
    {"a:x:y|s", "set name=a member x:y", "two members: veneur; y: etsy"},
    {"a:2001:db8::1|s", "set name=a member 2001:db8::1", ""},
    {"a:|s", "!missing_value", ""},
    {"a:1|c:2|c", "counter name=a value=1; counter name=a value=2",
     "bad: all but etsy, exporter, telegraf"},
    {"a:1|c:200|ms|@0.1", "counter name=a value=1; timer name=a value=200 rate=0.1", "as above"},
    {"c:1|c|@0.5:2|c", "counter name=c value=1 rate=0.5; counter name=c value=2", "as above"},
    {"a:0|ms|@0.1:0|ms|:1|ms",
     "timer name=a value=0 rate=0.1; timer name=a value=0; timer name=a value=1", "as above"},
    {"a:1:2|c:3:4|ms",
     "counter name=a value=1; counter name=a value=2; timer name=a value=3; timer name=a value=4",
     ""},
    {"a:x|s:y|s", "set name=a member x; set name=a member y", ""},
    {"a:1|c:x|ms", "!bad_value", "c=1 is kept: etsy"},
    {"a:1|c:2", "!missing_type", ""},
    {"a:1|c:2|q", "!unknown_type", "c=1, c=2: etsy"},
    {"a:1|c:", "!missing_type", "c=1 and one bad: etsy"},
    {"a:1|c|c:2", "counter name=a value=1", "a container id by its place; etsy: two bad"},
    {"a:1|c:2|c|#k:v", "counter name=a value=1 tags=k=v; counter name=a value=2 tags=k=v",
     "c=1 {k=v}: telegraf"},
    {"a:1|c|#|:|c:xyz", "counter name=a value=1", ""},
};

constexpr Row tag_rows[] = {
    {"a:1|c|#k:v,x", "counter name=a value=1 tags=k=v,x", "no x: exporter"},
    {"a:1|c|#x,y", "counter name=a value=1 tags=x,y", "x=y: telegraf"},
    {"a:1|c|#x,y,z", "counter name=a value=1 tags=x,y,z", "x=y, z: telegraf"},
    {"a:1|c|#k:", "counter name=a value=1 tags=k=", "k=true: telegraf"},
    {"a:1|c|#:v", "counter name=a value=1", "v=true: telegraf"},
    {"a:1|c|#", "counter name=a value=1", "bad: vector"},
    {"a:1|c|#,,", "counter name=a value=1", ""},
    {"a:1|c|#a:1,a:2", "counter name=a value=1 tags=a=2", "both: etsy, gostatsd, veneur, datadog"},
    {"a:1|c|#a:1,a:1", "counter name=a value=1 tags=a=1", ""},
    {"a:1|c|#k:v:w", "counter name=a value=1 tags=k=v:w", "vw: etsy"},
    {"a:1|c|#k=v", "counter name=a value=1 tags=\"k=v\"", "k=v=true: telegraf"},
    {"a:1|c|@0.1|#k:v", "counter name=a value=1 rate=0.1 tags=k=v", "no tags: statsite"},
    {"a:1|c|#k:v|@0.1", "counter name=a value=1 rate=0.1 tags=k=v",
     "the rate is lost: etsy, vector"},
    {"a:1|c|#k:v|#x:y", "counter name=a value=1 tags=k=v,x=y", "x=y: gostatsd, datadog; k=v: etsy"},
    {"a:1|c|#t:1,#u:2", "counter name=a value=1 tags=t=1,u=2", ""},
    {"a,k=v:1|c", "counter name=a value=1 tags=k=v", "name a,k=v: datadog, veneur, otel"},
    {"a;k=v;l=w:1|c", "counter name=a value=1 tags=k=v,l=w", "name a;k=v: all but etsy"},
    {"a#k=v,l=w:1|c", "counter name=a value=1 tags=k=v,l=w", "name a#k=v: all but exporter"},
    {"a[k=v,l=w]:1|c", "counter name=a value=1 tags=k=v,l=w", "name a[k=v]: all but exporter"},
    {"a,k=v=w:1|c", "counter name=a value=1 tags=k=\"v=w\"", ""},
    {"a,k=v:1|c|#x:y", "counter name=a value=1 tags=k=v,x=y", "bad: exporter; x=y: etsy"},
    {"a,k=v:1|c|#k:w", "counter name=a value=1 tags=k=w", ""},
    {"a,k=v:1|c|@0.5", "counter name=a value=1 rate=0.5 tags=k=v", ""},
    {"a:1|g|#host:h", "gauge name=a set 1 tags=host=h", "taken as the source: datadog, gostatsd"},
    {"a:1|c|#K:V,k:v", "counter name=a value=1 tags=K=V,k=v", ""},
    {"a:1|c|#k:\\xc3(", "!invalid_utf8", "c=1: most"},
    {"a:1|c|#\\xff:v", "!invalid_utf8", "c=1: most"},
    {"a,b:1|c", "counter name=\"a,b\" value=1", "name a: telegraf; ab: etsy, gostatsd"},
    {"a,k=v,:1|c", "counter name=\"a,k=v,\" value=1", "not a list of tags throughout: the name"},
    {"a,=v:1|c", "counter name=\"a,=v\" value=1", "as above"},
    {"a#b:1|c", "counter name=\"a#b\" value=1", ""},
    {"a[k=v:1|c", "counter name=\"a[k=v\" value=1", ""},
    {"a[]:1|c", "counter name=\"a[]\" value=1", ""},
    {"[k=v]a:1|c", "counter name=a value=1 tags=k=v", "exporter only"},
    {"a.[k=v]b:1|c", "counter name=a.b value=1 tags=k=v", "exporter only"},
    {"a:\\xff|s", "set name=a member \"\\xff\"", "a member is counted, never written"},
};

constexpr Row field_rows[] = {
    {"a:1|c|", "counter name=a value=1", "bad: etsy, brubeck, statsite, exporter, veneur"},
    {"a:1|c||", "counter name=a value=1", "as above"},
    {"a:1|c||#k:v", "counter name=a value=1 tags=k=v", "no tag: gostatsd"},
    {"a:1|c|c:abc", "counter name=a value=1", "bad: brubeck, statsite, veneur; etsy: two bad"},
    {"a:1|c|c:", "counter name=a value=1", "as above"},
    {"a:1|c|T1656581400", "counter name=a value=1 ts=1656581400",
     "bad: etsy, brubeck, statsite, veneur; when it arrives: all but datadog, vector"},
    {"a:1|ms|T1656581400", "timer name=a value=1 ts=1656581400", "bad: otel too"},
    {"a:x|s|T1656581400", "set name=a member x ts=1656581400", ""},
    {"a:1:2|h|T17", "histogram name=a value=1 ts=17; histogram name=a value=2 ts=17", ""},
    {"a:1|c|T17:2|c", "!bad_timestamp", "a ':' opens a metric behind a type or a rate only"},
    {"a:1|c|T17|:2|ms", "counter name=a value=1 ts=17; timer name=a value=2 ts=17", ""},
    {"a:1|c:2|c|T17", "counter name=a value=1 ts=17; counter name=a value=2 ts=17", ""},
    {"a:1|c|T17|T18", "counter name=a value=1 ts=18", "the last one holds, as for other fields"},
    {"a:1|c|T18|T0", "counter name=a value=1", ""},
    {"a:5|g|T17", "gauge name=a set 5 ts=17", ""},
    {"a:+5|g|T17", "gauge name=a delta +5", "what is moved has no base in the past"},
    {"a:5:+1|g|T17", "gauge name=a set 5 ts=17; gauge name=a delta +1", ""},
    {"a:1|c|T0", "counter name=a value=1", "no time"},
    {"a:1|c|T000000000000000017", "counter name=a value=1 ts=17", ""},
    {"a:1|c|T99999999999999", "counter name=a value=1 ts=99999999999999", "ingest judges it"},
    {"a:1|c|T1000000000000000000", "!bad_timestamp", "19 digits need not fit 64 bits"},
    {"a:1|c|T-1", "!bad_timestamp", "as below"},
    {"a:1|c|Tabc", "!bad_timestamp", "c=1: gostatsd, exporter, telegraf, vector"},
    {"a:1|c|T", "!bad_timestamp", "as above"},
    {"a:1|c|T1.5", "!bad_timestamp", "as above"},
    {"a:1|c|T 1656581400", "!bad_timestamp", "as above"},
    {"a:1|c|e:it-false,cn-x", "counter name=a value=1", "bad: brubeck, statsite, veneur, otel"},
    {"a:1|c|card:low", "counter name=a value=1", "as above"},
    {"a:1|c|zz:1", "counter name=a value=1", "as above: new fields will come"},
    {"a:1|c|e:it-false|#a:b|@0.5", "counter name=a value=1 rate=0.5 tags=a=b", ""},
};

constexpr Row framing_rows[] = {
    {"a:1|c\\r\\n", "counter name=a value=1", "bad: brubeck, statsite, gostatsd, exporter"},
    {"a:1|c|@0.5\\r\\n", "counter name=a value=1 rate=0.5", "bad: gostatsd, veneur, vector"},
    {"u:x|s\\r\\n", "set name=u member x", "lost: etsy"},
    {"a:1|c|#k:v\\r\\nb:2|c\\r\\n", "counter name=a value=1 tags=k=v; counter name=b value=2", ""},
    {"\\na:1|c", "counter name=a value=1", "one bad: gostatsd, brubeck, statsite, vector"},
    {"a:1|c\\n\\nb:1|c", "counter name=a value=1; counter name=b value=1", "as above"},
    {"a:1|c\\r\\n\\r\\nb:1|c", "counter name=a value=1; counter name=b value=1", "as above"},
    {"  a:1|c  ", "!unknown_type", "counter a: etsy, veneur, telegraf"},
    {"bad\\na:1|c\\nb:2|c", "!missing_value; counter name=a value=1; counter name=b value=2", ""},
    {"a:1|c\\nb:zz|c\\nc:2|c\\nbad",
     "counter name=a value=1; !bad_value; counter name=c value=2; !missing_value", ""},
    {"a:1|c\\x00", "!unknown_type", "c=1: etsy, brubeck, gostatsd, veneur"},
    {"\\n", "", "one bad: brubeck, statsite, gostatsd, vector"},
    {"", "", ""},
    {"\\n\\n\\r\\n", "", ""},
    {"a:1|c", "counter name=a value=1", ""},
};

constexpr Row event_rows[] = {
    {"_e{1,1}:a|b", "event title=a", "bad: etsy, brubeck, statsite, exporter and others"},
    {"_e{1,1}:a|b|#k:v,x", "event title=a tags=k=v,x", ""},
    {"_e{1,1}:a|b|#k:v|#x:y", "event title=a tags=x=y", "of two lists the last stays"},
    {"_e{2,1}:a|b", "!bad_notice", "no one takes it"},
    {"_e{1,0}:a|", "event title=a", "bad: veneur, telegraf"},
    {"_e{1,1}:a|b|x:y", "event title=a", "bad: veneur, telegraf"},
    {"_e{1,1}:a|b|p:zz", "event title=a", "bad: gostatsd, veneur"},
    {"_e{0,1}:|b", "!bad_notice", "gostatsd takes it"},
    {"_e{9,9}:a|b\\na:1|c", "!bad_notice; counter name=a value=1", "neighbours survive"},
    {"_e{+1,+1}:a|b", "!bad_notice", "veneur, telegraf and datadog take it"},
    {"_e{4294967297,1}:a|b", "!bad_notice", "must not wrap around"},
    {"_e{", "!bad_notice", ""},
    {"_sc|a|0", "service_check name=a", "bad: etsy, brubeck, gostatsd, exporter and others"},
    {"_sc|a|4", "!bad_notice", "no one takes it"},
    {"_sc|a|0|x:y", "service_check name=a", "bad: veneur"},
    {"_sc|a|00", "!bad_notice", ""},
    {"_sc||0", "!bad_notice", ""},
    {"_e:1|c", "counter name=_e value=1", "bad: gostatsd, telegraf"},
    {"_sc:1|c", "counter name=_sc value=1", "bad: gostatsd, veneur, datadog"},
    {"_sc", "!missing_value", ""},
    {"_e:a|b", "!unknown_type", ""},
};

template <std::size_t size>
void check_rows(const Row (&rows)[size]) {
  for (const Row& row : rows) {
    INFO(std::string(row.datagram), "   others: ", std::string(row.others));
    const auto datagram = unescape(row.datagram);
    REQUIRE(datagram);
    CHECK(outcomes_of(*datagram, {}) == expected_outcomes(row.expected));
  }
}

Batch parse(std::string_view datagram, const LineLimits& limits = {}) {
  Batch batch;
  parse_datagram(datagram, {.limits = limits}, batch);
  return batch;
}

/// The reason for which a datagram of one line is refused; nothing if it is taken.
std::optional<Reason> refused(const std::string& line, const LineLimits& limits = {}) {
  const GuardedBuffer buffer(line);
  const Batch batch = parse(buffer.view(), limits);
  REQUIRE(batch.lines.size() + batch.refused.size() == 1);
  return batch.refused.empty() ? std::nullopt : std::optional(batch.refused[0].reason);
}

/// `count` tags `t0:v,t1:v,..`.
std::string many_tags(std::size_t count) {
  std::string text;
  for (std::size_t i = 0; i < count; ++i) text += (i == 0 ? "t" : ",t") + std::to_string(i) + ":v";
  return text;
}

}  // namespace

TEST_CASE("parse: sample rates mean what protocol.md recommends") {
  check_rows(rate_rows);
}
TEST_CASE("parse: numbers mean what protocol.md recommends") {
  check_rows(number_rows);
}
TEST_CASE("parse: a signed gauge value is a delta") {
  check_rows(gauge_rows);
}
TEST_CASE("parse: names are kept as they are, or the line is refused") {
  check_rows(name_rows);
}
TEST_CASE("parse: six types are known and all others refused") {
  check_rows(type_rows);
}
TEST_CASE("parse: one line may hold several values and several metrics") {
  check_rows(pack_rows);
}
TEST_CASE("parse: tags are read in the forms of all dialects") {
  check_rows(tag_rows);
}
TEST_CASE("parse: fields behind the type come in any order, unknown ones are skipped") {
  check_rows(field_rows);
}
TEST_CASE("parse: lines end in LF or CRLF, empty ones are nothing, neighbours survive") {
  check_rows(framing_rows);
}
TEST_CASE("parse: events and service checks are taken if they are whole") {
  check_rows(event_rows);
}

TEST_CASE("parse: a name may be as long as its limit and no longer") {
  for (const std::size_t limit : {1U, 20U, 512U}) {
    const LineLimits limits{.name_bytes = static_cast<std::uint32_t>(limit)};
    CHECK_FALSE(refused(std::string(limit, 'n') + ":1|c", limits));
    CHECK(refused(std::string(limit + 1, 'n') + ":1|c", limits) == Reason::name_too_long);
    CHECK_FALSE(refused(std::string(limit, 'n') + ",k=v:1|c", limits));
    CHECK(refused(std::string(limit + 1, 'n') + ",k=v:1|c", limits) == Reason::name_too_long);
  }
}

TEST_CASE("parse: a tag's key and value may each be as long as the limit and no longer") {
  for (const std::size_t limit : {1U, 256U}) {
    const LineLimits limits{.tag_bytes = static_cast<std::uint32_t>(limit)};
    const std::string full(limit, 't'), over(limit + 1, 't');
    CHECK_FALSE(refused("a:1|c|#" + full + ":" + full, limits));
    CHECK_FALSE(refused("a," + full + "=" + full + ":1|c", limits));
    CHECK_FALSE(refused("a:1|c|#" + full, limits));
    CHECK(refused("a:1|c|#" + over + ":v", limits) == Reason::tag_too_long);
    CHECK(refused("a:1|c|#k:" + over, limits) == Reason::tag_too_long);
    CHECK(refused("a:1|c|#" + over, limits) == Reason::tag_too_long);
    CHECK(refused("a," + over + "=v:1|c", limits) == Reason::tag_too_long);
    CHECK(refused("a,k=" + over + ":1|c", limits) == Reason::tag_too_long);
  }
}

TEST_CASE("parse: as many tags as the limit are taken and no more") {
  CHECK_FALSE(refused("a:1|c|#" + many_tags(64)));
  CHECK(refused("a:1|c|#" + many_tags(65)) == Reason::too_many_tags);
  CHECK(refused("a:1|c|#" + many_tags(100)) == Reason::too_many_tags);
  CHECK_FALSE(refused("a,k=v:1|c|#" + many_tags(63)));
  CHECK(refused("a,k=v:1|c|#" + many_tags(64)) == Reason::too_many_tags);
  CHECK_FALSE(refused("a:1|c|#" + std::string(20'000, ',')));  // no tags at all
  CHECK_FALSE(refused("a:1|c|#x", {.tags = 1}));
  CHECK(refused("a:1|c|#x,y", {.tags = 1}) == Reason::too_many_tags);
}

TEST_CASE("parse: name and tags together may hold 4,096 bytes and no more") {
  // 15 tags of ",tNN=" and 250 bytes are 15 * 255 = 3,825; the name has the rest.
  std::string tags;
  for (int i = 10; i < 25; ++i) tags += ",t" + std::to_string(i) + "=" + std::string(250, 'v');
  const std::size_t rest = series_bytes_max - tags.size();
  CHECK_FALSE(refused(std::string(rest, 'n') + tags + ":1|c"));
  CHECK(refused(std::string(rest + 1, 'n') + tags + ":1|c") == Reason::series_too_long);
}

TEST_CASE("parse: the caret stands within what decided the refusal") {
  struct Caret {
    const char* line;
    Reason reason;
    std::uint32_t first, last;
  };
  constexpr Caret rows[] = {
      {"abc", Reason::missing_value, 0, 3},
      {"abc:|c", Reason::missing_value, 3, 4},
      {"abc:1|c:|c", Reason::missing_value, 8, 8},
      {"abc:12", Reason::missing_type, 4, 6},
      {"abc:12|", Reason::missing_type, 6, 7},
      {":1|c", Reason::empty_name, 0, 0},
      {",k=v:1|c", Reason::empty_name, 0, 0},
      {"abc:1x|c", Reason::bad_value, 4, 5},
      {"abc:1:2x:3|c", Reason::bad_value, 6, 7},
      {"abc:1|c:zz|c", Reason::bad_value, 8, 9},
      {"abc:1|zz", Reason::unknown_type, 6, 7},
      {"abc:1|c|@7", Reason::bad_rate, 8, 9},
      {"abc:1|c|@0.1|@0.2", Reason::bad_rate, 13, 16},
      {"abc:1|c|0.5", Reason::bad_rate, 8, 10},
      {"abc:1|c|#k:v|Tx", Reason::bad_timestamp, 13, 14},
      {"abc:1|c|T1234567890123456789", Reason::bad_timestamp, 9, 27},
      {"_e{1,2}:a|b", Reason::bad_notice, 8, 11},
      {"_sc|a|7", Reason::bad_notice, 6, 7},
      {"ab\xff:1|c", Reason::invalid_utf8, 2, 2},
      {"ab:1|c|#k:v,x:\xff", Reason::invalid_utf8, 14, 14},
      {"tallyd.x:1|c", Reason::reserved_name, 0, 6},
  };
  for (const Caret& row : rows) {
    INFO(std::string(row.line));
    const Batch batch = parse(row.line);
    REQUIRE(batch.refused.size() == 1);
    const Refusal& refusal = batch.refused[0];
    CHECK(to_string(refusal.reason) == to_string(row.reason));
    CHECK(refusal.line == row.line);
    CHECK(refusal.caret >= row.first);
    CHECK(refusal.caret <= row.last);
  }
}

TEST_CASE("parse: a refused line leaves neither sample nor tag behind") {
  const Batch batch = parse("a:1:2:x|ms\nb:1|c:2|zz|#k:v\nd:1|c|#k:v|@7\nc:5|c");
  CHECK(batch.refused.size() == 3);
  CHECK(batch.tags.empty());
  REQUIRE(batch.samples.size() == 1);
  CHECK(batch.samples[0].name == "c");
  REQUIRE(batch.lines.size() == 1);
  CHECK(batch.lines[0].first == 0);
  CHECK(batch.lines[0].count == 1);
}

TEST_CASE("parse: unknown fields of taken lines are counted, known ones are not") {
  CHECK(parse("a:1|c|zz:1").fields_skipped == 1);
  CHECK(parse("a:1|c|zz|yy:2|#k:v\nb:1|c|xx").fields_skipped == 3);
  CHECK(parse("a:1|c|@0.5|#k:v|c:x|T17|e:y|card:low|:|").fields_skipped == 0);
  CHECK(parse("a:1|q|zz").fields_skipped == 0);
}

TEST_CASE("parse: a second datagram is appended to the batch, clear empties it") {
  const std::string first = "a:1|c|#k:v\nbad", second = "b:2|ms|#l:w\nworse";
  Batch batch;
  parse_datagram(first, {}, batch);
  parse_datagram(second, {}, batch);
  REQUIRE(batch.samples.size() == 2);
  CHECK(batch.refused.size() == 2);
  CHECK(batch.lines[1].first == 1);
  CHECK(batch.samples[1].name == "b");
  REQUIRE(batch.tags_of(batch.samples[1]).size() == 1);
  CHECK(batch.tags_of(batch.samples[1])[0] == Tag{"l", "w", false});
  batch.clear();
  CHECK((batch.samples.empty() && batch.tags.empty() && batch.lines.empty()));
  CHECK((batch.refused.empty() && batch.fields_skipped == 0));
}

TEST_CASE("parse: every datagram may be cut anywhere without harm to the lines before") {
  const std::string whole = "a:1|c|@0.5|#k:v,x|c:ci\nb:1:2|ms\nc,k=v:x|s\nd:1|c:2|g\n";
  for (std::size_t size = 0; size <= whole.size(); ++size) {
    const GuardedBuffer buffer(std::string_view(whole).substr(0, size));
    const Batch batch = parse(buffer.view());
    const auto full_lines = static_cast<std::size_t>(std::ranges::count(buffer.view(), '\n'));
    CHECK(batch.lines.size() >= full_lines);
    CHECK(batch.lines.size() + batch.refused.size() <= full_lines + 1);
  }
}

TEST_CASE("parse: a tag that is bare is told from one with an empty value") {
  const Batch batch = parse("a:1|c|#bare,empty:,full:v");
  const auto tags = batch.tags_of(batch.samples.at(0));
  REQUIRE(tags.size() == 3);
  CHECK(tags[0] == Tag{"bare", "", true});
  CHECK(tags[1] == Tag{"empty", "", false});
  CHECK(tags[2] == Tag{"full", "v", false});
}

TEST_CASE("sample: kinds and reasons have names of their own") {
  std::set<std::string_view> kinds, reasons;
  for (std::size_t i = 0; i < kind_count; ++i) kinds.insert(to_string(static_cast<Kind>(i)));
  for (std::size_t i = 0; i < reason_count; ++i) reasons.insert(to_string(static_cast<Reason>(i)));
  CHECK(kinds == std::set<std::string_view>{"counter", "gauge", "timer", "histogram",
                                            "distribution", "set", "event", "service_check"});
  CHECK(reasons == std::set<std::string_view>{
                       "missing_value", "missing_type",  "empty_name",      "bad_value",
                       "bad_rate",      "bad_timestamp", "unknown_type",    "dialect_off",
                       "bad_notice",    "invalid_utf8",  "reserved_name",   "name_too_long",
                       "tag_too_long",  "too_many_tags", "series_too_long", "truncated",
                       "line_too_long", "series_limit",  "overflow",        "notice_limit"});
  CHECK(to_string(Reason::series_too_long) == "series_too_long");
  CHECK(to_string(Reason::overflow) == "overflow");
  CHECK(to_string(Reason::dialect_off) == "dialect_off");
  CHECK(to_string(Kind::set) == "set");
}
