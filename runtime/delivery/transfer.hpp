// One post on libcurl: its options, its address check, its result. Internal to runtime/delivery.
#pragma once

#include <curl/curl.h>
#include <memory>
#include <string>
#include <vector>

#include "ports/notifier.hpp"

namespace pulse::delivery {

class transfer {
public:
  /// `allow` and what the post allows are added up; `allow` outlives the transfer.
  transfer(http_post post, notifier::done d, const std::vector<cidr>& allow, std::size_t reply_bytes_max);
  transfer(const transfer&) = delete;
  transfer& operator=(const transfer&) = delete;

  /// Null when libcurl has no memory.
  CURL* handle() const {
    return easy_.get();
  }

  const std::string& lane() const {
    return post_.lane;
  }

  /// Calls the owner back; after it was taken out of the multi handle. True when the receiver answered.
  bool finish(CURLcode code);
  void fail(error e);

private:
  static curl_socket_t open_socket(void* self, curlsocktype purpose, curl_sockaddr* address);
  static std::size_t take_body(char* data, std::size_t size, std::size_t n, void* self);

  void set_options();
  error error_of(CURLcode code) const;

  struct slist_free {
    void operator()(curl_slist* list) const {
      curl_slist_free_all(list);
    }
  };

  http_post post_;
  notifier::done done_;
  const std::vector<cidr>& allow_;
  std::size_t reply_bytes_max_;
  std::size_t reply_bytes_ = 0;
  std::string reply_;
  bool opened_ = false;
  /// The last address that was refused.
  std::string refused_;
  std::unique_ptr<curl_slist, slist_free> headers_;
  // Last, so that it is cleaned up before what it points to.
  std::unique_ptr<CURL, void (*)(CURL*)> easy_;
};

} // namespace pulse::delivery
