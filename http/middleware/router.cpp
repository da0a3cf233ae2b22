#include "http/middleware/router.hpp"

#include <algorithm>

#include "base/assert.hpp"
#include "http/middleware/url.hpp"

namespace pulse::http {

namespace {

constexpr std::size_t segments_max = 16;

std::vector<std::string_view> split(std::string_view path) {
  std::vector<std::string_view> out;
  path.remove_prefix(1);
  while (out.size() <= segments_max) {
    const auto slash = path.find('/');
    out.push_back(path.substr(0, slash));
    if (slash == std::string_view::npos)
      break;
    path.remove_prefix(slash + 1);
  }
  return out;
}

bool is_parameter(std::string_view segment) {
  return segment.starts_with('{');
}

} // namespace

router::router(std::vector<route> routes) : routes_(std::move(routes)) {
  for (std::size_t i = 0; i < routes_.size(); ++i) {
    PULSE_ASSERT(routes_[i].pattern.starts_with('/'), "a route's pattern begins with a slash");
    std::vector<std::string> segments;
    for (auto s : split(routes_[i].pattern))
      segments.emplace_back(s);
    auto& list = places_[segments.size()];
    auto at = std::find_if(list.begin(), list.end(), [&](const place& p) { return p.segments == segments; });
    if (at == list.end())
      at = list.insert(list.end(), {segments, {}});
    for (auto other : at->routes)
      PULSE_ASSERT(routes_[other].method != routes_[i].method, "two routes with one method and pattern");
    at->routes.push_back(i);
  }
  const auto shape = [](const place& p) {
    std::string out;
    for (const auto& s : p.segments)
      out.push_back(is_parameter(s) ? '1' : '0');
    return out;
  };
  for (auto& [n, list] : places_)
    std::stable_sort(list.begin(), list.end(), [&](const place& a, const place& b) { return shape(a) < shape(b); });
}

const router::place* router::find_place(const std::vector<std::string_view>& segments) const {
  const auto list = places_.find(segments.size());
  if (list == places_.end())
    return nullptr;
  for (const auto& p : list->second) {
    const bool fits = std::equal(
        p.segments.begin(), p.segments.end(), segments.begin(),
        [](std::string_view want, std::string_view have) { return is_parameter(want) ? !have.empty() : want == have; });
    if (fits)
      return &p;
  }
  return nullptr;
}

router::match router::find(std::string_view method, std::string_view raw_path) const {
  match out;
  if (!raw_path.starts_with('/'))
    return out;
  const auto segments = split(raw_path);
  const auto* p = find_place(segments);
  if (p == nullptr)
    return out;
  for (auto i : p->routes) {
    const auto& r = routes_[i];
    out.cors = out.cors || r.cors;
    out.allow += r.method + ", ";
    if (r.method == "GET")
      out.allow += "HEAD, ";
    if (r.method == method || (method == "HEAD" && r.method == "GET" && out.found == nullptr))
      out.found = &r;
  }
  out.allow += "OPTIONS";
  for (std::size_t i = 0; i < segments.size(); ++i)
    if (const std::string_view name = p->segments[i]; is_parameter(name)) {
      auto value = percent_decode(segments[i], false);
      out.params.emplace_back(name.substr(1, name.size() - 2), value ? std::move(*value) : std::string());
    }
  return out;
}

} // namespace pulse::http
