#include "verdict_rows.hpp"

using namespace tally;
using namespace tally::testing;

// Answers of 1.6.7 were recorded from it; those of 2.x and 3.x are as their sources build them.

namespace {

const Payload mixed = payload_of({
    "cpu,host=a value=1 1700000000",
    "cpu value= 1700000000",
    "cpu value=x 1700000000",
    R"(ev t="it's <b> & \"x\"': y",v= 17)",
    "cpu value=3 1700000000",
});

/// What influxd 1.6.7 answered to it.
Response answer_to_mixed() {
  Response response = influxd(
      400,
      "partial write: unable to parse 'cpu value= 1700000000': missing field value unable to parse "
      "'cpu value=x 1700000000': invalid boolean unable to parse 'ev t=\"it's <b> & \\\"x\\\"': "
      "y\",v= 17': missing field value dropped=0");
  response.body =
      R"({"error":"partial write: unable to parse 'cpu value= 1700000000': missing field value\n)"
      R"(unable to parse 'cpu value=x 1700000000': invalid boolean\n)"
      R"(unable to parse 'ev t=\"it's \u003cb\u003e \u0026 \\\"x\\\"': y\",v= 17': )"
      R"(missing field value dropped=0"})"
      "\n";
  return response;
}

const std::string bad = "unable to parse 'b v= 2': missing field value";
const Payload three = payload_of({"a v=1 1", "b v= 2", "c v= 3"});

}  // namespace

TEST_CASE("partial_writes: 1.x stored the others and quotes the lines that it could not read") {
  const Row row{"three of five",
                answer_to_mixed(),
                Action::written,
                PointLoss::refused,
                3,
                false,
                false,
                false,
                {1, 2, 3},
                {"refused 3 of 5 points", "cpu value=", "report it"}};
  check(row, metric, mixed);
  Row without_body = row;
  without_body.response.body.clear();
  check(without_body, metric, mixed);
  Row without_header = row;
  without_header.response.influxdb_error.clear();
  check(without_header, metric, mixed);
  Row without_version = row;  // a proxy took it away; our own lines prove who speaks
  without_version.response.influxdb_error.clear();
  without_version.response.influxdb_version.clear();
  check(without_version, metric, mixed);
}

TEST_CASE("partial_writes: a refused line that is not found is counted all the same") {
  check({"one of two",
         influxd(400, "partial write: " + bad +
                          "\nunable to parse 'c v=\uFFFD 3': invalid boolean dropped=0"),
         Action::written,
         PointLoss::refused,
         2,
         false,
         false,
         false,
         {1},
         {"refused 2 of 3"}},
        metric, three);
  check({"none",
         influxd(400, "partial write: unable to parse 'x': missing fields dropped=0"),
         Action::written,
         PointLoss::refused,
         1,
         false,
         false,
         false,
         {},
         {"refused 1 of 3"}},
        metric, three);
  check({"more than were sent",
         influxd(400, "partial write: " + bad + bad + bad + bad + " dropped=0"),
         Action::written,
         PointLoss::refused,
         3,
         false,
         false,
         false,
         {1},
         {"refused 3 of 3"}},
        metric, three);
}

TEST_CASE("partial_writes: lines that are the same share their fate") {
  check({"twins",
         influxd(400, "partial write: " + bad + '\n' + bad + " dropped=0"),
         Action::written,
         PointLoss::refused,
         2,
         false,
         false,
         false,
         {0, 2},
         {"refused 2 of 3"}},
        metric, payload_of({"b v= 2", "a v=1 1", "b v= 2"}));
}

TEST_CASE("partial_writes: what a refused line says of a good one does not cost the good one") {
  const std::string liar = R"(ev t="unable to parse 'a v=1 1': lie",v= 1)";
  check(
      {"a quotation in a quotation",
       influxd(400, "partial write: unable to parse '" + liar + "': missing field value dropped=0"),
       Action::written,
       PointLoss::refused,
       1,
       false,
       false,
       false,
       {1},
       {"refused 1 of 2"}},
      metric, payload_of({"a v=1 1", liar}));
}

TEST_CASE(
    "partial_writes: where nothing is stored the quoted lines go and the rest is sent again") {
  const Row row{"2.x",
                influxd_2(400, "invalid", bad),
                Action::without_lines,
                PointLoss::refused,
                1,
                false,
                false,
                false,
                {1},
                {"refused 1 of 3", "the others are sent again"}};
  check(row, over(Api::v2), three);
  check(row, metric, three);  // through its mapping of 1.x
  Row not_found = row;
  not_found.name = "a line that cannot be found";
  not_found.response = influxd_2(400, "invalid", "unable to parse 'x y': missing fields");
  not_found.action = Action::keep;
  not_found.loss = PointLoss::none;
  not_found.points_lost = 0;
  not_found.may_be_a_line = true;
  not_found.refused_lines = {};
  not_found.says = {"without naming a line", "halving", "missing fields"};
  check(not_found, over(Api::v2), three);
  check({"1.x, of which the answer has not room for all",
         influxd(400, bad),
         Action::without_lines,
         PointLoss::refused,
         1,
         false,
         false,
         false,
         {1},
         {"refused 1 of 3"}},
        metric, three);
}

TEST_CASE("partial_writes: where every line is refused the payload is dropped, all lines named") {
  const Payload two = payload_of({"a v= 1700000000", "b v= 17"});
  check({"1.x, recorded",
         influxd(400,
                 "unable to parse 'a v= 1700000000': missing field value\n"
                 "unable to parse 'b v= 17': missing field value"),
         Action::drop,
         PointLoss::refused,
         2,
         false,
         false,
         false,
         {0, 1},
         {"refused 2 of 2 points", "missing field value"}},
        metric, two);
  check({"time outside range, recorded",
         influxd(400,
                 "unable to parse 'cpu value=1 1700000000000000000': time outside range "
                 "-9223372036854775806 - 9223372036854775806"),
         Action::drop,
         PointLoss::refused,
         1,
         false,
         false,
         false,
         {0},
         {"time outside range"}},
        metric, payload_of({"cpu value=1 1700000000000000000"}));
  check({"a single line in other words",
         influxd_2(400, "invalid", "unable to parse 'v': missing fields"),
         Action::drop,
         PointLoss::refused,
         1,
         false,
         false,
         false,
         {0},
         {"refused 1 of 1"}},
        over(Api::v2), payload_of({"m v=x 1"}));
}

TEST_CASE("partial_writes: an answer that is cut short names some, and the rest is sent again") {
  Response response = answer_to_mixed();
  response.influxdb_error.clear();
  response.body.resize(response.body.find("invalid boolean") + 40);
  check({"1.x",
         response,
         Action::without_lines,
         PointLoss::refused,
         2,
         false,
         false,
         false,
         {1, 2},
         {"the others are sent again"}},
        metric, mixed);
  check({"3.x, inside a number",
         influxd_3(400, R"({"error":"partial write of line protocol occurred","data":[)"
                        R"({"original_line":"b","line_number":2,"error_message":"No fields"},)"
                        R"({"original_line":"c","line_number":1)"),
         Action::without_lines,
         PointLoss::refused,
         1,
         false,
         false,
         false,
         {1},
         {"the others are sent again"}},
        over(Api::v3), three);
}

TEST_CASE("partial_writes: 3.x numbers the lines that it refused, and the others are stored") {
  const std::string conflict =
      "invalid column type for column 'temp', expected iox::column_type::field::float, got "
      "iox::column_type::field::string";
  check({"as its tests have it",
         influxd_3(400, R"({"error":"partial write of line protocol occurred","data":[)"
                        R"({"original_line":"cpu,host=a val= 123","line_number":2,)"
                        R"("error_message":"No fields were provided"}]})"),
         Action::written,
         PointLoss::refused,
         1,
         false,
         false,
         false,
         {1},
         {"refused 1 of 3", "No fields were provided",
          "a spool keeps such lines: tallyd spool dead"}},
        over(Api::v3), three);
  check({"a conflict, two of three",
         influxd_3(400, R"({"error":"partial write of line protocol occurred","data":[)"
                        R"({"original_line":"a","line_number":3,"error_message":")" +
                            conflict +
                            R"("},{"original_line":"b","line_number":1,"error_message":")" +
                            conflict + R"("}]})"),
         Action::written,
         PointLoss::type_conflict,
         2,
         false,
         false,
         false,
         {0, 2},
         {"refused 2 of 3", "another type"}},
        over(Api::v3), three);
  check({"over 1's API",
         influxd_3(400, R"({"error":"partial write of line protocol occurred","data":[)"
                        R"({"original_line":"a","line_number":3,"error_message":"No fields"}]})"),
         Action::written,
         PointLoss::refused,
         1,
         false,
         false,
         false,
         {2},
         {"No fields"}},
        metric, three);
  check({"a number that no line has",
         influxd_3(400, R"({"error":"partial write of line protocol occurred","data":[)"
                        R"({"original_line":"a","line_number":4,"error_message":"No fields"},)"
                        R"({"original_line":"a","line_number":0,"error_message":"No fields"}]})"),
         Action::written,
         PointLoss::refused,
         2,
         false,
         false,
         false,
         {},
         {"refused 2 of 3"}},
        over(Api::v3), three);
  check(
      {"nothing stored",
       influxd_3(400, R"({"error":"parsing failed for write_lp endpoint","data":{"original_line":)"
                      R"("cpu,host=a val= 123","line_number":1,"error_message":"No fields"}})"),
       Action::without_lines,
       PointLoss::refused,
       1,
       false,
       false,
       false,
       {0},
       {"the others are sent again", "No fields"}},
      over(Api::v3), three);
}

TEST_CASE("partial_writes: what the database only counts is counted by its reason") {
  const std::vector<Row> rows{
      {"field type conflict, recorded",
       influxd(
           400,
           "partial write: field type conflict: input field \"value\" on measurement \"cpu\" is "
           "type string, already exists as type float dropped=1"),
       Action::written,
       PointLoss::type_conflict,
       1,
       false,
       false,
       false,
       {},
       {"measurement \\\"cpu\\\"", "another type"}},
      {"field type conflict of 2.x",
       influxd_2(422, "unprocessable entity",
                 "failure writing points to database: partial write: field type conflict: input "
                 "field \"longitude\" on measurement \"device\" is type float, already exists as "
                 "type string dropped=24"),
       Action::written,
       PointLoss::type_conflict,
       24,
       false,
       false,
       false,
       {},
       {"refused 24 of 100", "another type"}},
      {"beyond the retention policy, recorded",
       influxd(400, "partial write: points beyond retention policy dropped=17"),
       Action::written,
       PointLoss::beyond_retention,
       17,
       false,
       false,
       false,
       {},
       {"refused 17 of 100", "retention"}},
      {"beyond the retention of a bucket",
       influxd_2(422, "unprocessable entity",
                 "failure writing points to database: partial write: dropped 3 points outside "
                 "retention policy of duration 2h0m0s - oldest point m,k=dropped=9 at "
                 "2023-11-14T22:13:20Z dropped because it violates a Retention Policy Lower Bound "
                 "at 2026-01-01T00:00:00Z, newest point m at 2023-11-14T22:13:20Z dropped because "
                 "it violates a Retention Policy Lower Bound at 2026-01-01T00:00:00Z dropped=3 for "
                 "database: 0450 for retention policy: autogen"),
       Action::written,
       PointLoss::beyond_retention,
       3,
       false,
       false,
       false,
       {},
       {"refused 3 of 100", "lengthen it"}},
      {"tag called time, recorded",
       influxd(400,
               "partial write: invalid tag key: input tag \"time\" on measurement \"cpu\" is "
               "invalid dropped=4"),
       Action::written,
       PointLoss::refused,
       4,
       false,
       false,
       false,
       {},
       {"refused 4 of 100", "invalid tag key"}},
      {"more dropped than were sent",
       influxd(400, "partial write: points beyond retention policy dropped=4000000000"),
       Action::written,
       PointLoss::beyond_retention,
       100,
       false,
       false,
       false,
       {},
       {"refused 100 of 100"}},
      {"no count",
       influxd(400, "partial write: points beyond retention policy"),
       Action::written,
       PointLoss::beyond_retention,
       1,
       false,
       false,
       false,
       {},
       {"refused 1 of 100"}},
      {"a count that is none",
       influxd(400, "partial write: points beyond retention policy dropped=many"),
       Action::written,
       PointLoss::beyond_retention,
       1,
       false,
       false,
       false,
       {},
       {"refused 1 of 100"}},
  };
  for (const Row& row : rows) check(row);
}

TEST_CASE("partial_writes: a database full of series gets the series that it knows alone") {
  const std::vector<Row> rows{
      {"series, recorded",
       influxd(400, "partial write: max-series-per-database limit exceeded: (6) dropped=5"),
       Action::known_alone,
       PointLoss::series_limit,
       5,
       false,
       false,
       false,
       {},
       {"refused 5 of 100", "no new series", "of these too"}},
      {"tag values",
       influxd(400,
               "partial write: max-values-per-tag limit exceeded (3/2): measurement=\"m\" "
               "tag=\"t\" value=\"c\" dropped=2"),
       Action::known_alone,
       PointLoss::series_limit,
       2,
       false,
       false,
       false,
       {},
       {"tag values"}},
      {"tables of 3.x",
       influxd_3(
           422, R"({"error":"Update to schema would exceed number of tables limit of 2000 tables",)"
                R"("data":null})"),
       Action::known_alone,
       PointLoss::series_limit,
       0,
       false,
       false,
       false,
       {},
       {"2000 tables", "output.measurement = \"per_type\""}},
      {"columns of 3.x",
       influxd_3(422,
                 R"({"error":"Update to schema would exceed number of columns per table limit of )"
                 R"(500 columns","data":null})"),
       Action::known_alone,
       PointLoss::series_limit,
       0,
       false,
       false,
       false,
       {},
       {"500 columns"}},
      {"databases of 3.x: no line's fault",
       influxd_3(422, R"({"error":"Adding a new database would exceed limit of 5 databases"})"),
       Action::keep,
       PointLoss::none,
       0,
       true,
       false,
       false,
       {},
       {"5 databases", "influxdb.database"}},
  };
  for (const Row& row : rows) check(row, over(row.response.status == 422 ? Api::v3 : Api::v1));
}

TEST_CASE("partial_writes: what is not understood is kept, and may be a line") {
  const std::vector<Row> rows{
      {"a conflict that does not say what is stored",
       influxd(400,
               "field type conflict: input field \"v\" on measurement \"m\" is type float, already "
               "exists as type integer"),
       Action::keep,
       PointLoss::none,
       0,
       false,
       false,
       true,
       {},
       {"field type conflict", "halving"}},
      {"gzip, recorded",
       influxd(400, "unexpected EOF"),
       Action::keep,
       PointLoss::none,
       0,
       false,
       false,
       true,
       {},
       {"unexpected EOF"}},
      {"gzip to VictoriaMetrics 1.79, recorded",
       {.status = 400,
        .content_type = "text/plain; charset=utf-8",
        .influxdb_version = "1.8.0",
        .body = "remoteAddr: \"127.0.0.1:57252\"; requestURI: /write?db=m&precision=s; cannot read "
                "gzipped influx line protocol data: unexpected EOF\n"},
       Action::keep,
       PointLoss::none,
       0,
       false,
       false,
       true,
       {},
       {"cannot read gzipped influx line protocol data"}},
      {"plain text with a version",
       influxd_plain(400, "bad"),
       Action::keep,
       PointLoss::none,
       0,
       false,
       false,
       true,
       {},
       {"bad"}},
      {"a name like a partial write",
       influxd(400, "unable to write 'partial write: ': missing fields"),
       Action::keep,
       PointLoss::none,
       0,
       false,
       false,
       true,
       {},
       {"without naming a line"}},
  };
  for (const Row& row : rows) check(row);
  check({"invalid UTF-8 to 3.x",
         influxd_3(400, "invalid utf-8 sequence of 1 bytes from index 7"),
         Action::keep,
         PointLoss::none,
         0,
         false,
         false,
         true,
         {},
         {"invalid utf-8"}},
        over(Api::v3));
  check({"0.8",
         influxd_0_8(400, "invalid payload"),
         Action::keep,
         PointLoss::none,
         0,
         false,
         false,
         true,
         {},
         {"invalid payload"}},
        over(Api::v0_8));
  check({"a conflict of one line",
         influxd(400, "field type conflict: input field \"v\" on measurement \"m\""),
         Action::drop,
         PointLoss::type_conflict,
         1,
         false,
         false,
         false,
         {0},
         {"another type"}},
        metric, payload_of({"m v=1 1"}));
}

TEST_CASE("partial_writes: a metric's name in the server's words does not pass for its verdict") {
  const std::vector<Row> rows{
      {"a name like another reason",
       influxd(400,
               "partial write: field type conflict: input field \"value\" on measurement \"unable "
               "to parse 'a unable to parse 'b max-series\" is type float, already exists as type "
               "integer dropped=1"),
       Action::written,
       PointLoss::type_conflict,
       1,
       false,
       false,
       false,
       {},
       {"refused 1 of 100"}},
      {"a name like a count",
       influxd(400,
               "partial write: field type conflict: input field \"value\" on measurement "
               "\"dropped=99\" is type float, already exists as type integer dropped=1"),
       Action::written,
       PointLoss::type_conflict,
       1,
       false,
       false,
       false,
       {},
       {"refused 1 of 100"}},
  };
  for (const Row& row : rows) check(row);
}

TEST_CASE("partial_writes: a 400 that does not come from InfluxDB costs no data") {
  const std::vector<Row> rows{
      {"a gateway that speaks JSON",
       stranger(400, "application/json", "{\"message\":\"upstream not ready\"}"),
       Action::keep,
       PointLoss::none,
       0,
       true,
       true,
       false,
       {},
       {"not in the words of InfluxDB"}},
      {"a gateway that uses our words",
       stranger(400, "application/json", "{\"message\":\"unable to parse 'request': bad\"}"),
       Action::keep,
       PointLoss::none,
       0,
       true,
       true,
       false,
       {},
       {"not in the words of InfluxDB"}},
      {"plain HTTP on a TLS port",
       stranger(400, "", "Client sent an HTTP request to an HTTPS server.\n"),
       Action::keep,
       PointLoss::none,
       0,
       true,
       true,
       false,
       {},
       {"HTTPS server", "https://"}},
      {"a proxy's page",
       stranger(400, "text/html", "<html>Bad Request</html>"),
       Action::keep,
       PointLoss::none,
       0,
       true,
       true,
       false,
       {},
       {"not in the words of InfluxDB"}},
      {"VictoriaMetrics 1.79 asked for 3's path, recorded",
       stranger(400, "text/plain; charset=utf-8",
                "remoteAddr: \"127.0.0.1:57274\"; requestURI: /api/v3/write_lp?db=m; unsupported "
                "path requested: \"/api/v3/write_lp\"\n"),
       Action::keep,
       PointLoss::none,
       0,
       true,
       true,
       false,
       {},
       {"unsupported path requested"}},
      {"no database in the url",
       influxd(400, "database is required"),
       Action::keep,
       PointLoss::none,
       0,
       true,
       false,
       false,
       {},
       {"influxdb.database"}},
  };
  for (const Row& row : rows) check(row);
}
