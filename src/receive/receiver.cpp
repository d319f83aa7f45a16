#include "receiver.hpp"

#include <cerrno>

namespace tally {

Receiver::Receiver(std::size_t datagram_bytes)
    : datagram_bytes_(datagram_bytes),
      // Not make_unique: that would clear, and so touch, 4 MiB.
      memory_(std::make_unique_for_overwrite<char[]>(batch_max * stride())),
      slices_(batch_max),
      names_(batch_max),
      headers_(batch_max),
      datagrams_(batch_max) {
  for (std::size_t i = 0; i < batch_max; ++i) {
    slices_[i] = {memory_.get() + i * stride(), datagram_bytes_};
    headers_[i].msg_hdr.msg_iov = &slices_[i];
    headers_[i].msg_hdr.msg_iovlen = 1;
    headers_[i].msg_hdr.msg_name = &names_[i];
    headers_[i].msg_hdr.msg_namelen = sizeof names_[i];
  }
}

Receiver::Received Receiver::receive(int fd) {
  int count = 0;
  do {
    count = recvmmsg(fd, headers_.data(), batch_max, MSG_DONTWAIT, nullptr);
  } while (count < 0 && errno == EINTR);
  if (count < 0) return {.datagrams = {}, .from = {}, .error = errno == EAGAIN ? 0 : errno};

  // Only the first `count`: what stands in the other buffers is of an earlier batch.
  const auto received = static_cast<std::size_t>(count);
  for (std::size_t i = 0; i < received; ++i) {
    msghdr& header = headers_[i].msg_hdr;
    if (header.msg_namelen == 0) names_[i].ss_family = AF_UNSPEC;
    header.msg_namelen = sizeof names_[i];  // the kernel wrote how much it used
    datagrams_[i] = {.bytes = {memory_.get() + i * stride(), headers_[i].msg_len},
                     .is_truncated = (header.msg_flags & MSG_TRUNC) != 0};
  }
  return {.datagrams = std::span(datagrams_).first(received),
          .from = std::span(names_).first(received)};
}

}  // namespace tally
