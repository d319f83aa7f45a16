#include "deliver/http.hpp"

#include <curl/curl.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cassert>
#include <cerrno>
#include <cstdlib>
#include <list>
#include <map>
#include <string_view>
#include <utility>

// libcurl's multi interface says which sockets to watch and when to call again; here that becomes
// one uv::Poll a socket and one uv::Timer. libcurl calls us back only from inside its own
// functions, and `Done` runs outside of them, as the last thing of an event: so it may destroy
// everything.

namespace tally {
namespace {

// libcurl's calls fail only when used wrongly or when memory is gone.
void must(CURLcode code) {
  assert(code == CURLE_OK);
  if (code != CURLE_OK) std::abort();
}
void must(CURLMcode code) {
  assert(code == CURLM_OK);
  if (code != CURLM_OK) std::abort();
}

/// libcurl's process-wide state, counted by libcurl itself.
struct CurlGlobal {
  CurlGlobal() { must(curl_global_init(CURL_GLOBAL_DEFAULT)); }
  ~CurlGlobal() { curl_global_cleanup(); }
  CurlGlobal(const CurlGlobal&) = delete;
  CurlGlobal& operator=(const CurlGlobal&) = delete;
};

struct Close {
  void operator()(CURL* easy) const { curl_easy_cleanup(easy); }
  void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};
using Easy = std::unique_ptr<CURL, Close>;
using HeaderList = std::unique_ptr<curl_slist, Close>;

bool is_same_name(std::string_view a, std::string_view b) {
  const auto lower = [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  };
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [&](char x, char y) { return lower(x) == lower(y); });
}

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view blanks = " \t\r\n";
  const std::size_t first = text.find_first_not_of(blanks);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(blanks) - first + 1);
}

// A host that is gone answers nothing, not even with a reset: it is noticed when its kernel has
// acknowledged nothing for this time, of what was sent or, while nothing is, of what ours asks.
// Half of 15 s, for libcurl tries once more by itself on a connection that was used before.
constexpr std::chrono::seconds silence_max{7};
constexpr std::chrono::seconds silence_to_ask{4};
constexpr std::chrono::seconds between_questions{1};

int set_up_socket(void*, curl_socket_t socket, curlsocktype) noexcept {
  const auto most = static_cast<unsigned>(std::chrono::milliseconds(silence_max).count());
  // Where the kernel does not know it, the time-out of the request is left.
  static_cast<void>(setsockopt(socket, IPPROTO_TCP, TCP_USER_TIMEOUT, &most, sizeof most));
  return CURL_SOCKOPT_OK;
}

/// One request under way. libcurl points into it: it stays where it is until the handle is gone.
class Transfer {
 public:
  Transfer(HttpRequest request, Http::Done done, const HttpSettings& settings);

  CURL* easy() const { return easy_.get(); }
  Response finish(CURLcode result);
  Http::Done take_done() { return std::move(done_); }

 private:
  template <class Value>
  void set(CURLoption option, Value value) {
    must(curl_easy_setopt(easy_.get(), option, value));
  }
  void set_request();
  void set_limits(const HttpSettings& settings);
  void set_callbacks();
  void take_header(std::string_view line);
  static std::size_t on_header(char* data, std::size_t one, std::size_t bytes, void* self) noexcept;
  static std::size_t on_body(char* data, std::size_t one, std::size_t bytes, void* self) noexcept;
  bool take_body(std::string_view piece);
  NoAnswer kind_of(CURLcode result) const;
  std::string reason_of(CURLcode result) const;

  HttpRequest request_;
  Http::Done done_;
  std::chrono::milliseconds timeout_;
  std::size_t body_bytes_max_;
  Response response_;
  std::size_t header_bytes_ = 0;
  bool headers_ended_ = false;
  bool is_cut_ = false;  // by us: it was too long, or enough
  std::array<char, CURL_ERROR_SIZE> error_{};
  HeaderList headers_;
  Easy easy_{curl_easy_init()};  // goes first: it points to all the others
};

Transfer::Transfer(HttpRequest request, Http::Done done, const HttpSettings& settings)
    : request_(std::move(request)),
      done_(std::move(done)),
      timeout_(settings.timeout),
      body_bytes_max_(settings.body_bytes_max) {
  if (!easy_) std::abort();
  set_request();
  set_limits(settings);
  set_callbacks();
}

void Transfer::set_request() {
  // No "Expect: 100-continue": it costs a round trip a request, and what we send is small.
  request_.headers.emplace_back("Expect:");
  for (const std::string& header : request_.headers) {
    curl_slist* longer = curl_slist_append(headers_.get(), header.c_str());
    if (longer == nullptr) std::abort();
    static_cast<void>(headers_.release());
    headers_.reset(longer);
  }
  set(CURLOPT_URL, request_.url.c_str());
  if (request_.method == HttpRequest::Method::post) {
    set(CURLOPT_POST, 1L);
    set(CURLOPT_POSTFIELDS, request_.body.data());
    set(CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request_.body.size()));
  }
  set(CURLOPT_HTTPHEADER, headers_.get());
  set(CURLOPT_USERAGENT, "tallyd");
  set(CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
  if (!request_.keeps_connection) {
    set(CURLOPT_FRESH_CONNECT, 1L);
    set(CURLOPT_FORBID_REUSE, 1L);
  }
}

void Transfer::set_limits(const HttpSettings& settings) {
  // The total time, not the low-speed limits: these do not run while we wait for the first byte.
  set(request_.on_body ? CURLOPT_CONNECTTIMEOUT_MS : CURLOPT_TIMEOUT_MS,
      static_cast<long>(settings.timeout.count()));
  set(CURLOPT_NOSIGNAL, 1L);
  set(CURLOPT_QUICK_EXIT, 1L);  // do not wait for the resolver's thread
  set(CURLOPT_PROTOCOLS_STR, "http,https");
  set(CURLOPT_FOLLOWLOCATION, 0L);
  set(CURLOPT_HTTP09_ALLOWED, 0L);
  set(CURLOPT_TCP_KEEPALIVE, 1L);
  set(CURLOPT_TCP_KEEPIDLE, static_cast<long>(silence_to_ask.count()));
  set(CURLOPT_TCP_KEEPINTVL, static_cast<long>(between_questions.count()));
  set(CURLOPT_SOCKOPTFUNCTION, &set_up_socket);
  set(CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2));
  if (!settings.ca_file.empty()) set(CURLOPT_CAINFO, settings.ca_file.c_str());
  // Unset, both would be taken from the environment, and points and password sent where it says.
  set(CURLOPT_PROXY, settings.proxy.c_str());
  set(CURLOPT_NOPROXY, "");
  set(CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
}

void Transfer::set_callbacks() {
  set(CURLOPT_PRIVATE, this);
  set(CURLOPT_ERRORBUFFER, error_.data());
  set(CURLOPT_HEADERFUNCTION, &Transfer::on_header);
  set(CURLOPT_HEADERDATA, this);
  set(CURLOPT_WRITEFUNCTION, &Transfer::on_body);
  set(CURLOPT_WRITEDATA, this);
}

std::size_t Transfer::on_header(char* data, std::size_t, std::size_t bytes, void* self) noexcept {
  auto& transfer = *static_cast<Transfer*>(self);
  const std::size_t room = Http::headers_bytes_max - transfer.header_bytes_;
  transfer.take_header({data, std::min(bytes, room)});
  transfer.header_bytes_ += std::min(bytes, room);
  transfer.is_cut_ = bytes > room;
  return transfer.is_cut_ ? 0 : bytes;
}

std::size_t Transfer::on_body(char* data, std::size_t, std::size_t bytes, void* self) noexcept {
  auto& transfer = *static_cast<Transfer*>(self);
  transfer.is_cut_ = !transfer.take_body({data, bytes});
  return transfer.is_cut_ ? 0 : bytes;
}

/// Whether more of it is wanted.
bool Transfer::take_body(std::string_view piece) {
  long status = 0;
  curl_easy_getinfo(easy_.get(), CURLINFO_RESPONSE_CODE, &status);
  if (request_.on_body && status == 200) return request_.on_body(piece);
  const std::size_t room = body_bytes_max_ - response_.body.size();
  response_.body.append(piece.substr(0, room));
  return piece.size() <= room;
}

void Transfer::take_header(std::string_view line) {
  static constexpr std::array<std::pair<std::string_view, std::string Response::*>, 6> wanted{{
      {"Content-Type", &Response::content_type},
      {"X-Influxdb-Version", &Response::influxdb_version},
      {"X-Influxdb-Error", &Response::influxdb_error},
      {"Location", &Response::location},
      {"Retry-After", &Response::retry_after},
      {"Date", &Response::date},
  }};
  if (line.starts_with("HTTP/")) response_ = {};  // what came before was a 1xx
  headers_ended_ = trimmed(line).empty();
  const std::size_t colon = line.find(':');
  if (colon == std::string_view::npos) return;
  for (const auto& [name, member] : wanted) {
    if (is_same_name(line.substr(0, colon), name))
      response_.*member = trimmed(line.substr(colon + 1));
  }
}

/// The answer; or, if it did not come whole, why.
Response Transfer::finish(CURLcode result) {
  long status = 0;
  curl_easy_getinfo(easy_.get(), CURLINFO_RESPONSE_CODE, &status);
  response_.status = static_cast<int>(status);
  // This is what libcurl 7.88 says to a single header of more than 100 KiB.
  if (result == CURLE_OUT_OF_MEMORY && status != 0) is_cut_ = true;
  if (result == CURLE_OK && !headers_ended_) {
    // libcurl takes headers that end with the connection for whole ones.
    response_.transport_error = "the connection was closed inside the headers";
  } else if (result != CURLE_OK && !is_cut_) {
    response_.no_answer = kind_of(result);
    response_.transport_error = reason_of(result);
  }
  return std::move(response_);
}

NoAnswer Transfer::kind_of(CURLcode result) const {
  switch (result) {
    case CURLE_COULDNT_CONNECT:
      return NoAnswer::unreachable;
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
      return NoAnswer::unresolved;
    case CURLE_OPERATION_TIMEDOUT:
      return NoAnswer::timed_out;
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_CIPHER:
    case CURLE_SSL_CERTPROBLEM:
      return NoAnswer::tls;
    default:
      return NoAnswer::broken;
  }
}

std::string Transfer::reason_of(CURLcode result) const {
  if (result == CURLE_OPERATION_TIMEDOUT)
    return fmt::format("timed out after {} ms", timeout_.count());
  long number = 0;
  curl_easy_getinfo(easy_.get(), CURLINFO_OS_ERRNO, &number);
  if (result == CURLE_COULDNT_CONNECT && number != 0) return uv_strerror(-static_cast<int>(number));
  return error_[0] != '\0' ? error_.data() : curl_easy_strerror(result);
}

}  // namespace

HttpRequest post_to(const std::string& url, ApiRequest request) {
  return {.url = url + request.path,
          .body = std::move(request.body).value_or(""),
          .headers = std::move(request.headers),
          .keeps_connection = request.keeps_connection};
}

class Http::Client {
 public:
  Client(uv::Loop& loop, HttpSettings settings);
  ~Client();
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  void send(HttpRequest request, Done done);
  void cancel();

 private:
  void watch(curl_socket_t socket, int what);
  void act(curl_socket_t socket, int events);
  void answer_one();
  static int on_socket(CURL*, curl_socket_t socket, int what, void* self, void*) noexcept;
  static int on_timer(CURLM*, long delay_ms, void* self) noexcept;

  CurlGlobal global_;
  uv::Loop& loop_;
  HttpSettings settings_;
  CURLM* multi_ = curl_multi_init();
  uv::Timer timer_;  // libcurl's
  uv::Timer again_;  // more than one transfer ended at once
  std::map<curl_socket_t, uv::Poll> sockets_;
  std::list<Transfer> transfers_;
};

Http::Client::Client(uv::Loop& loop, HttpSettings settings)
    : loop_(loop),
      settings_(std::move(settings)),
      timer_(loop, [this] { act(CURL_SOCKET_TIMEOUT, 0); }),
      again_(loop, [this] { answer_one(); }) {
  if (multi_ == nullptr) std::abort();
  must(curl_multi_setopt(multi_, CURLMOPT_SOCKETFUNCTION, &Client::on_socket));
  must(curl_multi_setopt(multi_, CURLMOPT_SOCKETDATA, this));
  must(curl_multi_setopt(multi_, CURLMOPT_TIMERFUNCTION, &Client::on_timer));
  must(curl_multi_setopt(multi_, CURLMOPT_TIMERDATA, this));
}

Http::Client::~Client() {
  cancel();
  curl_multi_cleanup(multi_);
}

void Http::Client::send(HttpRequest request, Done done) {
  Transfer& transfer = transfers_.emplace_back(std::move(request), std::move(done), settings_);
  must(curl_multi_add_handle(multi_, transfer.easy()));
}

void Http::Client::cancel() {
  for (const Transfer& transfer : transfers_)
    must(curl_multi_remove_handle(multi_, transfer.easy()));
  transfers_.clear();
  again_.stop();
}

int Http::Client::on_socket(CURL*, curl_socket_t socket, int what, void* self, void*) noexcept {
  static_cast<Client*>(self)->watch(socket, what);
  return 0;
}

int Http::Client::on_timer(CURLM*, long delay_ms, void* self) noexcept {
  auto& client = *static_cast<Client*>(self);
  // Zero means at once, but not from here: libcurl must not be called from its own callback.
  if (delay_ms < 0) {
    client.timer_.stop();
  } else {
    client.timer_.start(std::chrono::milliseconds{delay_ms});
  }
  return 0;
}

void Http::Client::watch(curl_socket_t socket, int what) {
  if (what == CURL_POLL_REMOVE) {
    sockets_.erase(socket);
    return;
  }
  const auto on_ready = [this, socket](int events) {
    act(socket, ((events & UV_READABLE) != 0 ? CURL_CSELECT_IN : 0) |
                    ((events & UV_WRITABLE) != 0 ? CURL_CSELECT_OUT : 0));
  };
  auto [entry, is_new] = sockets_.try_emplace(socket, loop_, socket, on_ready);
  entry->second.watch(((what & CURL_POLL_IN) != 0 ? UV_READABLE : 0) |
                      ((what & CURL_POLL_OUT) != 0 ? UV_WRITABLE : 0));
}

void Http::Client::act(curl_socket_t socket, int events) {
  int running = 0;
  must(curl_multi_socket_action(multi_, socket, events, &running));
  answer_one();
}

/// Answers one ended transfer, and comes back for the next by the timer: `Done` may destroy us.
void Http::Client::answer_one() {
  int left = 0;
  const CURLMsg* message = curl_multi_info_read(multi_, &left);
  if (message == nullptr) return;
  const CURLcode result = message->data.result;
  CURL* const easy = message->easy_handle;
  must(curl_multi_remove_handle(multi_, easy));
  const auto ended =
      std::find_if(transfers_.begin(), transfers_.end(),
                   [&](const Transfer& transfer) { return transfer.easy() == easy; });
  Response response = ended->finish(result);
  const Done done = ended->take_done();
  transfers_.erase(ended);
  if (left > 0) again_.start(std::chrono::milliseconds{0});
  done(std::move(response));
}

Http::Http(uv::Loop& loop, HttpSettings settings)
    : client_(std::make_unique<Client>(loop, std::move(settings))) {}
Http::~Http() = default;
void Http::send(HttpRequest request, Done done) {
  client_->send(std::move(request), std::move(done));
}
void Http::cancel() {
  client_->cancel();
}

}  // namespace tally
