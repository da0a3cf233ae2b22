// Device class, browser, system and bot from the user agent, in a first form: well-known words, in the order in which
// they hide each other (Edge says Chrome, Chrome says Safari, everyone says Mozilla).
#include <algorithm>
#include <functional>
#include <vector>

#include "models/enrichment/enricher.hpp"

namespace pulse {

namespace {

struct word {
  std::string_view needle;
  std::string_view name;
};

/// In lower case, as the user agent is before it is searched.
constexpr word bots[] = {
    {"bot", ""},
    {"crawl", ""},
    {"spider", ""},
    {"slurp", ""},
    {"facebookexternalhit", ""},
    {"headlesschrome", ""},
    {"curl/", ""},
    {"wget/", ""},
    {"python-requests", ""},
    {"go-http-client", ""},
    {"java/", ""},
    {"scrapy", ""},
    {"lighthouse", ""},
    {"preview", ""},
    {"monitor", ""},
    {"phantomjs", ""},
};

constexpr word browsers[] = {
    {"edg/", "Edge"},
    {"edge/", "Edge"},
    {"edga/", "Edge"},
    {"edgios/", "Edge"},
    {"opr/", "Opera"},
    {"opera", "Opera"},
    {"samsungbrowser/", "Samsung Internet"},
    {"yabrowser/", "Yandex"},
    {"ucbrowser/", "UC Browser"},
    {"vivaldi/", "Vivaldi"},
    {"fxios/", "Firefox"},
    {"firefox/", "Firefox"},
    {"crios/", "Chrome"},
    {"chrome/", "Chrome"},
    {"chromium/", "Chrome"},
    {"msie ", "Internet Explorer"},
    {"trident/", "Internet Explorer"},
    {"safari/", "Safari"},
};

constexpr word systems[] = {
    {"windows phone", "Windows Phone"},
    {"android", "Android"},
    {"iphone", "iOS"},
    {"ipad", "iPadOS"},
    {"ipod", "iOS"},
    {"windows", "Windows"},
    {"mac os x", "macOS"},
    {"macintosh", "macOS"},
    {"cros ", "ChromeOS"},
    {"tizen", "Tizen"},
    {"web0s", "webOS"},
    {"webos", "webOS"},
    {"linux", "Linux"},
};

template <std::size_t N>
const word* first_of(std::string_view agent, const word (&words)[N]) {
  const auto found = std::find_if(std::begin(words), std::end(words),
                                  [agent](const word& w) { return agent.find(w.needle) != std::string_view::npos; });
  return found == std::end(words) ? nullptr : found;
}

std::string_view device_of(std::string_view agent) {
  const auto has = [agent](std::string_view w) {
    return agent.find(w) != std::string_view::npos;
  };
  if (has("smart-tv") || has("smarttv") || has("appletv") || has("googletv") || has("hbbtv") || has("tizen") ||
      has("web0s") || has("roku") || has("; aft"))
    return "tv";
  if (has("ipad") || has("tablet") || has("kindle") || has("silk/") || (has("android") && !has("mobile")))
    return "tablet";
  if (has("mobi") || has("iphone") || has("ipod") || has("windows phone"))
    return "mobile";
  if (has("windows nt") || has("macintosh") || has("x11") || has("cros ") || has("linux"))
    return "desktop";
  return {};
}

struct agent_facts {
  std::string_view device;
  std::string_view browser;
  std::string_view os;
  bool bot = false;
};

agent_facts read_agent(std::string_view given) {
  std::string agent(given);
  std::transform(agent.begin(), agent.end(), agent.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  agent_facts out;
  out.bot = first_of(agent, bots) != nullptr;
  out.device = out.bot ? "bot" : device_of(agent);
  if (const auto found = first_of(agent, browsers); found != nullptr)
    out.browser = found->name;
  if (const auto found = first_of(agent, systems); found != nullptr)
    out.os = found->name;
  return out;
}

/// Many events say the same few user agents. A place per hash, so that it never grows; what it gives is what reading
/// again would give.
const agent_facts& cached_agent(std::string_view agent) {
  struct place {
    std::string agent;
    agent_facts facts;
  };

  thread_local std::vector<place> places(512);
  auto& p = places[std::hash<std::string_view>{}(agent) % places.size()];
  if (p.agent != agent) {
    p.agent = agent;
    p.facts = read_agent(agent);
  }
  return p.facts;
}

class device_enricher final : public enricher {
public:
  std::string_view name() const override {
    return "device";
  }

  result<void> enrich(event& e, const enrichment_input& input) const override {
    const auto facts = cached_agent(std::string_view(e.user_agent).substr(0, 1024));
    if (facts.bot) {
      e.bot = true;
      e.origins.push_back({"bot", "user_agent"});
    }
    fill_field(e, &event::device, "device", facts.device, "user_agent");
    fill_field(e, &event::browser, "browser", facts.browser, "user_agent");
    fill_field(e, &event::os, "os", facts.os, "user_agent");
    from_context(e, input);
    return {};
  }

private:
  /// Mobile libraries have no user agent, but say what they run on.
  static void from_context(event& e, const enrichment_input& input) {
    if (const auto os = input.context.at({"os", "name"}); has_text(os))
      fill_field(e, &event::os, "os", os->text, "context.os");
    const auto type = input.context.at({"device", "type"});
    if (!has_text(type))
      return;
    for (std::string_view known : {"desktop", "mobile", "tablet", "tv"})
      if (type->text == known)
        fill_field(e, &event::device, "device", known, "context.device");
    if (type->text == "ios" || type->text == "android")
      fill_field(e, &event::device, "device", "mobile", "context.device");
  }
};

} // namespace

std::unique_ptr<enricher> make_device_enricher() {
  return std::make_unique<device_enricher>();
}

} // namespace pulse
