// Campaign: what the library read out of the page's address (context.campaign.name), else utm_campaign from the
// address itself. Referrer: the host that the visitor came from.
#include <algorithm>

#include "models/enrichment/enricher.hpp"

namespace pulse {

namespace {

int hex_digit(char c) {
  return c >= '0' && c <= '9'   ? c - '0'
         : c >= 'a' && c <= 'f' ? c - 'a' + 10
         : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                : -1;
}

/// WHATWG URL, application/x-www-form-urlencoded parsing; control characters become blanks.
std::string decode_component(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    char c = text[i] == '+' ? ' ' : text[i];
    if (c == '%' && i + 2 < text.size() && hex_digit(text[i + 1]) >= 0 && hex_digit(text[i + 2]) >= 0) {
      c = static_cast<char>(hex_digit(text[i + 1]) * 16 + hex_digit(text[i + 2]));
      i += 2;
    }
    out.push_back(static_cast<unsigned char>(c) < 0x20 ? ' ' : c);
  }
  // Decoded bytes may be no UTF-8, which no store takes.
  std::string checked;
  append_json_string(checked, out);
  if (checked.find("\xef\xbf\xbd") == std::string::npos)
    return out;
  out.erase(std::remove_if(out.begin(), out.end(), [](char c) { return static_cast<unsigned char>(c) >= 0x80; }),
            out.end());
  return out;
}

/// A parameter of a query that stands behind `?` or alone; empty for none.
std::string query_value(std::string_view url, std::string_view key) {
  if (const auto mark = url.find('?'); mark != std::string_view::npos)
    url.remove_prefix(mark + 1);
  url = url.substr(0, url.find('#'));
  while (!url.empty()) {
    const auto stop = std::min(url.find('&'), url.size());
    const auto pair = url.substr(0, stop);
    url.remove_prefix(std::min(stop + 1, url.size()));
    if (pair.size() > key.size() && pair.starts_with(key) && pair[key.size()] == '=')
      return decode_component(pair.substr(key.size() + 1));
  }
  return {};
}

/// Host of an address in lower case, without `www.` and port; empty for what has none.
std::string host_of(std::string_view url) {
  const auto scheme = url.find("://");
  if (scheme == std::string_view::npos)
    return {};
  url.remove_prefix(scheme + 3);
  url = url.substr(0, url.find_first_of("/?#"));
  if (const auto at = url.rfind('@'); at != std::string_view::npos)
    url.remove_prefix(at + 1);
  if (!url.starts_with('['))
    url = url.substr(0, url.find(':'));
  std::string out(url);
  std::transform(out.begin(), out.end(), out.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  return out.starts_with("www.") ? out.substr(4) : out;
}

class campaign_enricher final : public enricher {
public:
  std::string_view name() const override {
    return "campaign";
  }

  result<void> enrich(event& e, const enrichment_input& input) const override {
    const auto& context = input.context;
    if (const auto name = context.at({"campaign", "name"}); has_text(name))
      fill_field(e, &event::campaign, "campaign", name->text, "context.campaign");
    for (auto node : {context.at({"page", "search"}), context.at({"page", "url"}), input.properties.at({"search"}),
                      input.properties.at({"url"})})
      if (has_text(node))
        fill_field(e, &event::campaign, "campaign", query_value(node->text, "utm_campaign"), "utm");
    for (auto node :
         {context.at({"page", "referrer"}), context.at({"referrer", "url"}), input.properties.at({"referrer"})})
      if (has_text(node))
        fill_field(e, &event::referrer, "referrer", host_of(node->text), "page");
    return {};
  }
};

} // namespace

std::unique_ptr<enricher> make_campaign_enricher() {
  return std::make_unique<campaign_enricher>();
}

} // namespace pulse
