#include "models/alert/endpoint_url.hpp"

#include <algorithm>
#include <string>

namespace pulse::alert {

namespace {

constexpr std::size_t url_bytes_max = 2048;

error bad(std::string detail) {
  return {ec::invalid, std::move(detail), "/url"};
}

bool starts_with_no_case(std::string_view text, std::string_view prefix) {
  return text.size() >= prefix.size() && std::equal(prefix.begin(), prefix.end(), text.begin(), [](char p, char t) {
           return p == (t >= 'A' && t <= 'Z' ? static_cast<char>(t - 'A' + 'a') : t);
         });
}

} // namespace

result<void> check_endpoint_url(std::string_view url) {
  if (url.size() > url_bytes_max)
    return bad("the URL is longer than 2,048 characters");
  if (std::any_of(url.begin(), url.end(), [](char c) {
        const auto u = static_cast<unsigned char>(c);
        return u <= ' ' || u >= 0x7f || c == '\\';
      }))
    return bad("the URL has blanks, backslashes, control characters or characters that must be encoded");
  if (starts_with_no_case(url, "https://"))
    url.remove_prefix(8);
  else if (starts_with_no_case(url, "http://"))
    url.remove_prefix(7);
  else
    return bad("the URL must begin with https:// or http://");
  const auto authority = url.substr(0, url.find_first_of("/?#"));
  if (authority.find('@') != std::string_view::npos)
    return bad("the URL must hold no user name");
  if (authority.empty() || authority.front() == ':')
    return bad("the URL has no host");
  if (url.find('#') != std::string_view::npos)
    return bad("the URL must hold no fragment");
  return {};
}

} // namespace pulse::alert
