#pragma once
// What becomes of a datagram: its samples, its refused lines, and the points that would be written.
// The same parser, table, window and encoder as the daemon's; nothing of its own but the words.

#include <iosfwd>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tally/config.hpp"
#include "tally/encode.hpp"
#include "tally/sample.hpp"
#include "tally/table.hpp"
#include "tally/time.hpp"

namespace tally {

/// Explains datagrams, each as if it were alone in its window and nothing had been heard before (so
/// a gauge that moves by +3 is written as 3).
class Explainer {
 public:
  /// `static_tags` as `effective_tags` gives them. `config` must outlive the explainer.
  Explainer(const Config& config, std::vector<StaticTag> static_tags);
  Explainer(const Explainer&) = delete;
  Explainer& operator=(const Explainer&) = delete;

  /// For people: a line a sample, refused lines with their reason and a caret under the byte that
  /// decided it, the line protocol. `now` decides the window. Ends in a newline.
  std::string text(std::string_view datagram, WallTime now);

  /// For programs, one line without its newline:
  ///
  ///     {"samples":[{"kind":"counter","name":"a.b","value":3,"rate":0.1,"tags":{"k":"v","bare":true}},
  ///                 {"kind":"gauge","name":"g","value":1,"delta":false,"tags":{}},
  ///                 {"kind":"set","name":"s","member":"ann","tags":{}}],
  ///      "refused":[{"line":"...","reason":"bad_value"}],
  ///      "points":["a.b.count,k=v count=30,rate=3 1700000000"]}
  ///
  /// `rate` is left out when it is 1; `"time":1700000000` is there when the sender gave one (`|T`).
  /// Of tags with one key the last is shown, a tag without a key is not.
  std::string json(std::string_view datagram, WallTime now);

 private:
  void digest(std::string_view datagram, WallTime now);
  void add_line(const Line& line);
  bool is_ignored(std::int64_t time) const;
  std::optional<Reason> add_sample(const Sample& sample);

  const Config& config_;
  TableRules rules_;
  Naming naming_;
  WallTime now_{};     // of the datagram that is explained
  WallTime opened_{};  // and of its window
  Table table_;
  // Of the datagram at hand:
  Batch batch_;
  std::vector<Sample> samples_;      // of lines that were taken
  std::vector<Refusal> refused_;     // in the datagram's order, those that the table refused too
  std::vector<std::string> points_;  // line protocol
};

/// Undoes `\n`, `\t`, `\r`, `\\` and `\xNN`; any other backslash is itself.
std::string unescape(std::string_view text);

/// The verb: explains `line` (escaped), or with "-" each line of `in` on its own, flushing behind
/// each, so that a program can hold a conversation. Returns the exit status: 0, also for refused
/// lines (they are explained too); 1 if `out` takes no more.
int run_explain(const Config& config, const std::string& line, bool as_json, std::istream& in,
                std::ostream& out);

}  // namespace tally
