#include "deliver/base64.hpp"

#include <doctest/doctest.h>

using tally::base64;

TEST_CASE("base64: the vectors of RFC 4648 and of RFC 7617") {
  CHECK(base64("") == "");
  CHECK(base64("f") == "Zg==");
  CHECK(base64("fo") == "Zm8=");
  CHECK(base64("foo") == "Zm9v");
  CHECK(base64("foob") == "Zm9vYg==");
  CHECK(base64("fooba") == "Zm9vYmE=");
  CHECK(base64("foobar") == "Zm9vYmFy");
  CHECK(base64("Aladdin:open sesame") == "QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
  CHECK(base64("\xFB\xEF\xFF\xC3") == "++//ww==");
}
