#include "watch/tap_streams.hpp"

#include <span>
#include <utility>

#include "tally/config.hpp"
#include "watch/event_streams.hpp"
#include "watch/pcap.hpp"
#include "watch/tap_lines.hpp"
#include "watch/window_event.hpp"

namespace tally {
namespace {

constexpr std::size_t buffer_bytes_max = 1 << 20;

/// The end that datagrams came to: of "udp 127.0.0.1:8125" that, else StatsD's port of this host.
Peer peer_of_listener(const std::string& name) {
  Peer peer{.family = Peer::Family::v4, .ip = {127, 0, 0, 1}, .port = 8125};
  const auto address = parse_listen_address(name.substr(name.find(' ') + 1));
  if (!address) return peer;
  peer.port = address.value().port;
  if (const auto network = parse_network(address.value().host)) {
    peer.family = network.value().family;
    peer.ip = network.value().ip;
  }
  return peer;
}

}  // namespace

/// One who reads. Ends itself when it has enough; is destroyed when its stream is closed.
class TapStreams::Reader {
 public:
  Reader(Insight& insight, http::Stream stream) : insight_(insight), stream_(stream) {}
  virtual ~Reader() { untap(); }
  Reader(const Reader&) = delete;
  Reader& operator=(const Reader&) = delete;

  void tap(Insight::OnTapped on_tapped) { tap_ = insight_.tap(std::move(on_tapped)); }

  /// Returns how many pieces there was no room for.
  std::uint64_t take(std::span<const Tapped> pieces, std::uint64_t skipped) {
    std::uint64_t lost = 0;
    for (const Tapped& piece : pieces) {
      if (!tap_) return lost;
      if (!write(piece)) ++lost;
    }
    if (tap_) note_skipped(lost + skipped);
    return lost;
  }

 protected:
  /// False if there was no room for all of it.
  virtual bool write(const Tapped& piece) = 0;
  virtual void note_skipped(std::uint64_t pieces) = 0;

  void finish() {
    untap();
    stream_.end();
  }
  const http::Stream& stream() const { return stream_; }

 private:
  void untap() {
    if (const auto tap = std::exchange(tap_, std::nullopt)) insight_.untap(*tap);
  }

  Insight& insight_;
  http::Stream stream_;
  std::optional<Insight::TapId> tap_;
};

/// Lines as events.
class TapStreams::Tap final : public Reader {
 public:
  Tap(Insight& insight, http::Stream stream, const TapQuery& query,
      std::vector<std::string> listeners)
      : Reader(insight, stream),
        lines_(query.filter, insight.config().config.parse),
        left_(query.limit),
        listeners_(std::move(listeners)) {}

 private:
  bool write(const Tapped& piece) override {
    std::string_view listener;
    if (piece.listener < listeners_.size()) listener = listeners_[piece.listener];
    for (const TapLine& line : lines_.read(piece)) {
      if (!stream().write(event_text("line", tap_line_json(line, piece, listener)))) return false;
      if (left_ > 0 && --left_ == 0) {
        finish();
        break;
      }
    }
    return true;
  }

  void note_skipped(std::uint64_t pieces) override {
    skipped_ += pieces;
    if (skipped_ > 0 && stream().write(event_text("skipped", tap_skipped_json(skipped_))))
      skipped_ = 0;
  }

  TapLines lines_;
  std::uint64_t left_;  // lines; 0: without end
  std::vector<std::string> listeners_;
  std::uint64_t skipped_ = 0;  // and not said yet
};

/// Datagrams as a file.
class TapStreams::Capture final : public Reader {
 public:
  Capture(uv::Loop& loop, Insight& insight, http::Stream stream, const CaptureQuery& query,
          const std::vector<std::string>& listeners)
      : Reader(insight, stream), left_(query.bytes), end_(loop, [this] { finish(); }) {
    for (const std::string& name : listeners) listeners_.push_back(peer_of_listener(name));
    end_.start(query.time);
    put(pcap_file_header());
  }

 private:
  bool write(const Tapped& piece) override {
    const Peer to = piece.listener < listeners_.size() ? listeners_[piece.listener] : Peer{};
    std::string packets;
    std::string_view bytes = piece.bytes;
    do {
      append_pcap_packet(packets, piece.at, {piece.peer, to}, take_pcap_payload(bytes));
    } while (!bytes.empty());
    if (packets.size() <= left_) return put(packets);
    finish();
    return true;
  }

  bool put(std::string_view bytes) {
    if (!stream().write(bytes)) return false;
    left_ -= bytes.size();
    return true;
  }

  void note_skipped(std::uint64_t) override {}  // a file has no place for it

  std::vector<Peer> listeners_;
  std::uint64_t left_;  // bytes
  uv::Timer end_;
};

TapStreams::TapStreams(uv::Loop& loop, Insight& insight) : loop_(loop), insight_(insight) {}

TapStreams::~TapStreams() = default;

template <class MakeReader>
void TapStreams::open(const http::Reply& reply, http::StreamResponse response, MakeReader make) {
  response.on_closed = [this, id = reply.id()] { readers_.erase(id); };
  const std::optional<http::Stream> stream = reply.start(std::move(response));
  if (!stream) return;
  std::unique_ptr<Reader> made = make(*stream);
  Reader& reader = *readers_.emplace(stream->id(), std::move(made)).first->second;
  reader.tap([this, id = stream->id()](std::span<const Tapped> pieces, std::uint64_t skipped) {
    on_tapped(id, pieces, skipped);
  });
}

void TapStreams::open_tap(const http::Reply& reply, const TapQuery& query,
                          std::vector<std::string> listeners) {
  open(reply, event_stream(buffer_bytes_max), [&](http::Stream stream) {
    stream.push(":\n\n");
    return std::make_unique<Tap>(insight_, stream, query, std::move(listeners));
  });
}

void TapStreams::open_capture(const http::Reply& reply, const CaptureQuery& query,
                              const std::vector<std::string>& listeners) {
  http::StreamResponse response{
      .headers = {{"Content-Type", "application/vnd.tcpdump.pcap"},
                  {"Content-Disposition", "attachment; filename=\"tallyd.pcap\""}},
      .buffer_bytes_max = buffer_bytes_max};
  open(reply, std::move(response), [&](http::Stream stream) {
    return std::make_unique<Capture>(loop_, insight_, stream, query, listeners);
  });
}

void TapStreams::on_tapped(std::uint64_t id, std::span<const Tapped> pieces,
                           std::uint64_t skipped) {
  const auto reader = readers_.find(id);
  if (reader != readers_.end()) skipped_ += reader->second->take(pieces, skipped);
}

}  // namespace tally
