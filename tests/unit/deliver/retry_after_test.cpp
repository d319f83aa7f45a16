#include "verdict_rows.hpp"

using namespace std::chrono_literals;
using namespace tally;
using namespace tally::testing;

TEST_CASE("retry_after: seconds or a date, at most five minutes, and nonsense is nothing") {
  struct Wish {
    const char* name;
    std::string retry_after;
    std::string date;
    std::chrono::seconds expected;
  };
  const std::string noon = "Sun, 06 Nov 1994 12:00:00 GMT";
  const std::vector<Wish> wishes{
      {"none", "", noon, 0s},
      {"seconds", "7", noon, 7s},
      {"zero", "0", noon, 0s},
      {"too many seconds", "999999", noon, 300s},
      {"more than a number holds", "99999999999999999999", noon, 300s},
      {"negative", "-5", noon, 0s},
      {"fraction", "1.5", noon, 0s},
      {"two numbers", "5 6", noon, 0s},
      {"date", "Sun, 06 Nov 1994 12:01:30 GMT", noon, 90s},
      {"date on the next day", "Mon, 07 Nov 1994 00:00:00 GMT", "Sun, 06 Nov 1994 23:59:58 GMT",
       2s},
      {"far date", "Sun, 06 Nov 2094 12:00:00 GMT", noon, 300s},
      {"past date", "Sun, 06 Nov 1994 11:00:00 GMT", noon, 0s},
      {"date without the server's own", "Sun, 06 Nov 1994 12:01:30 GMT", "", 0s},
      {"no such month", "Sun, 06 Nix 1994 12:01:30 GMT", noon, 0s},
      {"no such day", "Sun, 31 Feb 1994 12:01:30 GMT", noon, 0s},
      {"letters for digits", "Sun, 06 Nov 1994 12:xx:30 GMT", noon, 0s},
      {"garbage", "soon", noon, 0s},
  };
  for (const int status : {408, 429, 502, 503, 504}) {
    CAPTURE(status);
    for (const Wish& wish : wishes) {
      CAPTURE(wish.name);
      const Response response{.status = status, .retry_after = wish.retry_after, .date = wish.date};
      CHECK(judge(response, hundred_points(), metric).retry_after == wish.expected);
    }
  }
}
