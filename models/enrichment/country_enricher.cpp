// Country: the mapping's value, the shipping or billing address, the client's location, the geo table by the client's
// address, and by the socket's address for publishable keys only (a server's own address says nothing).
#include "models/enrichment/enricher.hpp"

namespace pulse {

namespace {

class country_enricher final : public enricher {
public:
  std::string_view name() const override {
    return "country";
  }

  result<void> enrich(event& e, const enrichment_input& input) const override {
    if (!e.country.empty()) {
      e.country = normal(e.country, input);
      return {};
    }
    if (from_address(e, input)) {
      if (input.data.geo != nullptr && !e.ip.empty())
        e.payment.ip_country = input.data.geo->find(e.ip);
      return {};
    }
    if (from_location(e, input) || input.data.geo == nullptr)
      return {};
    if (!fill_field(e, &event::country, "country", input.data.geo->find(e.ip), "geo"))
      fill_field(e, &event::country, "country", input.data.geo->find(input.raw.client_ip), "geo:socket");
    return {};
  }

private:
  /// A name that no standard knows stays as it was given.
  static std::string normal(std::string_view given, const enrichment_input& input) {
    const auto code = input.data.countries == nullptr ? std::string_view{} : input.data.countries->find(given);
    return std::string(code.empty() ? given : code);
  }

  static bool from_node(event& e, const enrichment_input& input, const json_index& index, const json_node* place,
                        std::string_view rule) {
    for (auto key : {"country_code", "countryCode", "country"})
      if (const auto node = index.find(place, key); has_text(node))
        return fill_field(e, &event::country, "country", normal(node->text, input), rule);
    return false;
  }

  static bool from_address(event& e, const enrichment_input& input) {
    static constexpr std::pair<std::string_view, std::string_view> places[] = {
        {"shipping_address", "shipping_address"},
        {"shippingAddress", "shipping_address"},
        {"shipping", "shipping_address"},
        {"billing_address", "billing_address"},
        {"billingAddress", "billing_address"},
        {"billing", "billing_address"},
        {"address", "address"},
    };
    for (const auto& [key, rule] : places) {
      const auto place = input.properties.at({key});
      if (from_node(e, input, input.properties, place, rule)) {
        const auto text = [&](std::string_view field) {
          const auto node = input.properties.find(place, field);
          return has_text(node) ? node->text : std::string_view{};
        };
        fill_field(e, &event::region, "region", text("state"), rule);
        fill_field(e, &event::city, "city", text("city"), rule);
        return true;
      }
    }
    return false;
  }

  static bool from_location(event& e, const enrichment_input& input) {
    const auto place = input.context.at({"location"});
    if (!from_node(e, input, input.context, place, "context.location"))
      return false;
    if (const auto region = input.context.find(place, "region"); has_text(region))
      fill_field(e, &event::region, "region", region->text, "context.location");
    if (const auto city = input.context.find(place, "city"); has_text(city))
      fill_field(e, &event::city, "city", city->text, "context.location");
    return true;
  }
};

} // namespace

std::unique_ptr<enricher> make_country_enricher() {
  return std::make_unique<country_enricher>();
}

} // namespace pulse
