// Which route a request goes to. Pure; made once at start, then read by all threads.
#pragma once

#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "http/middleware/message.hpp"

namespace pulse::http {

class router {
public:
  struct match {
    /// Null: no route for the method (see `allow`) or for the path (`allow` empty).
    const route* found = nullptr;
    name_values params;
    /// Methods of the path, as in `Allow`: with HEAD beside GET, and OPTIONS.
    std::string allow;
    /// Any route of the path allows other sites' browsers.
    bool cors = false;
  };

  router() = default;
  /// Ends the program on two routes with the same method and pattern, and on a pattern without a leading slash.
  explicit router(std::vector<route> routes);

  /// `raw_path` is still percent-encoded, so that an encoded slash stays inside its segment. Literal segments win
  /// over parameters. An empty segment fits no parameter.
  match find(std::string_view method, std::string_view raw_path) const;

  const std::vector<route>& routes() const {
    return routes_;
  }

private:
  struct place {
    std::vector<std::string> segments;
    std::vector<std::size_t> routes;
  };

  const place* find_place(const std::vector<std::string_view>& segments) const;

  std::vector<route> routes_;
  /// By number of segments; those with more literals in front come first.
  std::unordered_map<std::size_t, std::vector<place>> places_;
};

} // namespace pulse::http
