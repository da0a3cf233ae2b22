#include "delivery/transfer.hpp"

#include <algorithm>
#include <sys/socket.h>

namespace pulse::delivery {

namespace {

constexpr std::size_t reply_head_max = 4096;

} // namespace

transfer::transfer(http_post post, notifier::done d, const std::vector<cidr>& allow, std::size_t reply_bytes_max) :
  post_(std::move(post)),
  done_(std::move(d)),
  allow_(allow),
  reply_bytes_max_(reply_bytes_max),
  easy_(curl_easy_init(), curl_easy_cleanup) {
  if (easy_)
    set_options();
}

void transfer::set_options() {
  auto* c = easy_.get();
  curl_slist* list = nullptr;
  for (const auto& [name, value] : post_.headers)
    list = curl_slist_append(list, (name + ": " + value).c_str());
  // Without this a large body waits a second for a "100 Continue" that most receivers never send.
  list = curl_slist_append(list, "Expect:");
  headers_.reset(list);
  curl_easy_setopt(c, CURLOPT_URL, post_.url.c_str());
  curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(c, CURLOPT_POST, 1L);
  curl_easy_setopt(c, CURLOPT_POSTFIELDS, post_.body.data());
  curl_easy_setopt(c, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(post_.body.size()));
  curl_easy_setopt(c, CURLOPT_HTTPHEADER, headers_.get());
  curl_easy_setopt(c, CURLOPT_FOLLOWLOCATION, 0L);
  // The empty name switches proxies off, those of the environment too: a proxy would connect where we may not.
  curl_easy_setopt(c, CURLOPT_PROXY, "");
  curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(c, CURLOPT_TIMEOUT_MS, static_cast<long>(post_.timeout_ms));
  curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(post_.connect_timeout_ms));
  // A kept connection was checked against another post's ranges: each one opens, and is checked, anew.
  curl_easy_setopt(c, CURLOPT_FRESH_CONNECT, 1L);
  curl_easy_setopt(c, CURLOPT_FORBID_REUSE, 1L);
  curl_easy_setopt(c, CURLOPT_QUICK_EXIT, 1L);
  curl_easy_setopt(c, CURLOPT_OPENSOCKETFUNCTION, &transfer::open_socket);
  curl_easy_setopt(c, CURLOPT_OPENSOCKETDATA, this);
  curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, &transfer::take_body);
  curl_easy_setopt(c, CURLOPT_WRITEDATA, this);
  curl_easy_setopt(c, CURLOPT_PRIVATE, this);
}

curl_socket_t transfer::open_socket(void* self, curlsocktype, curl_sockaddr* address) {
  auto& t = *static_cast<transfer*>(self);
  const auto to = ip_address::from(address->addr);
  if (!to || !(is_public(*to) || contains(t.post_.allow, *to) || contains(t.allow_, *to))) {
    t.refused_ = to ? to->str() : "an address that is not of the internet";
    return CURL_SOCKET_BAD;
  }
  t.opened_ = true;
  return ::socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

std::size_t transfer::take_body(char* data, std::size_t size, std::size_t n, void* self) {
  auto& t = *static_cast<transfer*>(self);
  const auto bytes = size * n;
  t.reply_.append(data, std::min(bytes, reply_head_max - t.reply_.size()));
  t.reply_bytes_ += bytes;
  return t.reply_bytes_ > t.reply_bytes_max_ ? 0 : bytes;
}

error transfer::error_of(CURLcode code) const {
  const std::string why = curl_easy_strerror(code);
  // libcurl calls an answer that is not HTTP an unsupported protocol too; the URL is only wrong before a socket is
  // open.
  const bool bad_url = code == CURLE_URL_MALFORMAT || (code == CURLE_UNSUPPORTED_PROTOCOL && !opened_);
  if (bad_url)
    return {ec::invalid, "the URL cannot be posted to: " + why, "url"};
  if (code == CURLE_OPERATION_TIMEDOUT)
    return {ec::timeout, "the receiver did not answer in time", ""};
  if (!refused_.empty() && code == CURLE_COULDNT_CONNECT)
    return {ec::forbidden, "the receiver's address " + refused_ + " is not allowed", "url"};
  return {ec::unavailable, why, ""};
}

bool transfer::finish(CURLcode code) {
  long status = 0;
  curl_easy_getinfo(easy_.get(), CURLINFO_RESPONSE_CODE, &status);
  // We ended it ourselves after enough of the answer was seen.
  const bool cut = code == CURLE_WRITE_ERROR && reply_bytes_ > reply_bytes_max_;
  if ((code != CURLE_OK && !cut) || status == 0) {
    done_(error_of(code == CURLE_OK ? CURLE_GOT_NOTHING : code));
    return false;
  }
  http_reply reply;
  reply.status = static_cast<int>(status);
  reply.body_head = std::move(reply_);
  curl_off_t retry_after = 0;
  if (curl_easy_getinfo(easy_.get(), CURLINFO_RETRY_AFTER, &retry_after) == CURLE_OK && retry_after > 0)
    reply.retry_after_s = retry_after;
  curl_off_t us = 0;
  curl_easy_getinfo(easy_.get(), CURLINFO_TOTAL_TIME_T, &us);
  reply.seconds = static_cast<double>(us) / 1e6;
  done_(std::move(reply));
  return true;
}

void transfer::fail(error e) {
  done_(std::move(e));
}

} // namespace pulse::delivery
