#include "deliver/series_json.hpp"

#include <doctest/doctest.h>

using namespace tally;

namespace {

std::string json_of(std::string body, Precision precision = Precision::seconds) {
  const SeriesJson json = to_series_json({.body = std::move(body), .precision = precision});
  CHECK(json.left_out.empty());
  return json.text;
}

}  // namespace

TEST_CASE("series_json: a point is a series with its tags in the name and one sequence number") {
  CHECK(json_of("response_time.timer,dc=eu,host=a count=3,mean=2.5 1700000000\n") ==
        R"([{"name":"dc.eu.host.a.response_time.timer",)"
        R"("columns":["time","sequence_number","count","mean"],)"
        R"("points":[[1700000000,1,3.0,2.5]]}])");
}

TEST_CASE("series_json: points of one name and the same columns share an object, in order") {
  CHECK(json_of("a v=1 1\nb v=2 1\na v=3 2\na w=4 2\nx,y=z v=5 1\nz,x=y v=6 1\n") ==
        R"([{"name":"a","columns":["time","sequence_number","v"],"points":[[1,1,1.0],[2,1,3.0]]},)"
        R"({"name":"b","columns":["time","sequence_number","v"],"points":[[1,1,2.0]]},)"
        R"({"name":"a","columns":["time","sequence_number","w"],"points":[[2,1,4.0]]},)"
        R"({"name":"y.z.x","columns":["time","sequence_number","v"],"points":[[1,1,5.0]]},)"
        R"({"name":"x.y.z","columns":["time","sequence_number","v"],"points":[[1,1,6.0]]}])");
}

TEST_CASE("series_json: every number has a point or an exponent, or it would be an integer") {
  CHECK(json_of("m a=1,b=-0,c=0.1,d=1e+21,e=-3.5e-07,f=1000000 1\n")
            .find("[1,1,1.0,-0.0,0.1,1e+21,-3.5e-07,1000000.0]") != std::string::npos);
}

TEST_CASE("series_json: strings and names are JSON, whatever bytes they have") {
  CHECK(json_of("m\\ \"é\",k=\xFF s=\"a\\\"b\\\\c\xC0\",n=1 1\n") ==
        "[{\"name\":\"k.\uFFFD.m \\\"é\\\"\",\"columns\":[\"time\",\"sequence_number\",\"s\",\"n\"]"
        ",\"points\":[[1,1,\"a\\\"b\\\\c\uFFFD\",1.0]]}]");
}

TEST_CASE("series_json: nanoseconds become microseconds, and what they lose is in the number") {
  const auto points = [](std::string body) {
    const std::string json = json_of(std::move(body), Precision::nanoseconds);
    return json.substr(json.find("[["));
  };
  CHECK(
      points("m v=1 1700000000000000001\nm v=2 1700000000000000999\nm v=3 1700000000000001000\n") ==
      "[[1700000000000000,2,1.0],[1700000000000000,1000,2.0],[1700000000000001,1,3.0]]}]");
  CHECK(points("m v=1 -1\n") == "[[-1,1000,1.0]]}]");
  CHECK(json_of("m v=1 1700000000123\n", Precision::milliseconds).find("[1700000000123,1,1.0]") !=
        std::string::npos);
}

TEST_CASE("series_json: a line that is not ours is named and left out, the others are there") {
  const SeriesJson json = to_series_json({.body = "bad\nm v=1 1\nm v=1i 1\nm v=2 2\nend"});
  CHECK(json.left_out == std::vector<std::uint32_t>{0, 2, 4});
  CHECK(
      json.text ==
      R"([{"name":"m","columns":["time","sequence_number","v"],"points":[[1,1,1.0],[2,1,2.0]]}])");
  CHECK(to_series_json({}).text == "[]");
}
