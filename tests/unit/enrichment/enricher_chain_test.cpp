// Derived fields: the order of sources, where each came from, and that a failing enricher loses nothing.
#include <catch2/catch_test_macros.hpp>
#include <stdexcept>
#include <string>

#include "models/enrichment/enricher_chain.hpp"

using namespace pulse;

namespace {

constexpr std::string_view countries = R"({"3166-1":[
  {"alpha_2":"GB","alpha_3":"GBR","name":"United Kingdom","numeric":"826","official_name":"United Kingdom of Great Britain and Northern Ireland"},
  {"alpha_2":"DE","alpha_3":"DEU","name":"Germany","numeric":"276","official_name":"Federal Republic of Germany"},
  {"alpha_2":"KR","alpha_3":"KOR","name":"Korea, Republic of","common_name":"South Korea","numeric":"410"}]})";

constexpr std::string_view geo4 =
    "# a comment\n16777216,16777471,AU\n3405803776,3405804031,FR\n3405804032,3405804287,??\n";
constexpr std::string_view geo6 = "2001:db8::,2001:db8:ffff:ffff:ffff:ffff:ffff:ffff,NL\n";

enrichment_data data() {
  return {std::make_shared<const country_table>(*country_table::load(countries)),
          std::make_shared<const geo_table>(*geo_table::load(geo4, geo6))};
}

struct given {
  std::string properties = "{}";
  std::string context = "{}";
  std::string ip = {};
  std::string socket = {};
  std::string mapping = {};
  std::string agent = {};
};

event enriched(const given& g) {
  event e;
  e.type = "track";
  e.properties = g.properties;
  e.context = g.context;
  e.ip = g.ip;
  e.user_agent = g.agent;
  raw_event raw;
  raw.client_ip = g.socket;
  tenant_enrichment tenant;
  if (!g.mapping.empty())
    tenant.mapping = *compiled_mapping::compile("{\"rules\":[" + g.mapping + "]}");
  enricher_chain(data()).enrich(e, raw, tenant);
  return e;
}

class broken final : public enricher {
public:
  explicit broken(bool throws) : throws_(throws) {
  }

  std::string_view name() const override {
    return "broken";
  }

  result<void> enrich(event&, const enrichment_input&) const override {
    if (throws_)
      throw std::runtime_error("boom");
    return error{ec::internal, "no", ""};
  }

private:
  bool throws_;
};

} // namespace

TEST_CASE("the country comes from the first source that has one", "[enrichment][f:3.2][f:3.5]") {
  given g{R"({"shipping_address":{"country":"germany","city":"Bonn"},"billing_address":{"country":"GB"}})",
          R"({"location":{"country":"KOR"}})",
          "1.0.0.9",
          "203.0.113.9",
          R"({"op":"set","to":"/country","value":"United Kingdom"})",
          ""};
  CHECK(enriched(g).country == "GB");
  CHECK(enriched(g).origins[0] == provenance{"country", "mapping:0"});
  g.mapping.clear();
  CHECK(enriched(g).country == "DE");
  CHECK(enriched(g).city == "Bonn");
  CHECK(enriched(g).origins[0] == provenance{"country", "shipping_address"});
  g.properties = R"({"billing_address":{"country":"gbr"}})";
  CHECK(enriched(g).country == "GB");
  g.properties = "{}";
  CHECK(enriched(g).country == "KR");
  g.context = "{}";
  CHECK(enriched(g).country == "AU");
  g.ip.clear();
  CHECK(enriched(g).country == "FR");
  CHECK(enriched(g).origins[0] == provenance{"country", "geo:socket"});
  g.socket.clear();
  CHECK(enriched(g).country.empty());
}

TEST_CASE("a country that no standard knows stays as it was given", "[enrichment]") {
  CHECK(enriched({R"({"shipping_address":{"country":"Channel Islands"}})"}).country == "Channel Islands");
  CHECK(enriched({R"({"shipping_address":{"country":" eire "}})"}).country == "IE");
  CHECK(enriched({R"({"shipping_address":{"country":"South Korea"}})"}).country == "KR");
  CHECK_FALSE(country_table::load("{}").ok());
}

TEST_CASE("addresses are found in their ranges, the borders included", "[enrichment]") {
  const auto table = *geo_table::load(geo4, geo6);
  CHECK(table.find("1.0.0.0") == "AU");
  CHECK(table.find("1.0.0.255") == "AU");
  CHECK(table.find("1.0.1.0").empty());
  CHECK(table.find("0.255.255.255").empty());
  CHECK(table.find("203.0.114.5").empty());
  CHECK(table.find("::ffff:1.0.0.1") == "AU");
  CHECK(table.find("2001:db8::1") == "NL");
  CHECK(table.find("2001:db9::1").empty());
  for (auto text : {"", "x", "1.0.0", "1.0.0.256", "1.0.0.1:80"})
    CHECK(table.find(text).empty());
  CHECK(geo_table::load("1,2\n", "").err().code == ec::malformed);
  CHECK(geo_table::load("", "a,b,CC\n").err().code == ec::malformed);
}

TEST_CASE("the user agent tells device, browser, system and bots", "[enrichment][f:3.2]") {
  const auto seen = [](std::string agent) {
    const auto e = enriched({"{}", "{}", "", "", "", std::move(agent)});
    return e.device + "/" + e.browser + "/" + e.os + (e.bot ? "/bot" : "");
  };
  CHECK(seen("Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0 "
             "Safari/537.36 Edg/120.0") == "desktop/Edge/Windows");
  CHECK(seen("Mozilla/5.0 (iPhone; CPU iPhone OS 17_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
             "Version/17.1 Mobile/15E148 Safari/604.1") == "mobile/Safari/iOS");
  CHECK(seen("Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0 Mobile "
             "Safari/537.36") == "mobile/Chrome/Android");
  CHECK(seen("Mozilla/5.0 (Linux; Android 13; SM-X700) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0 "
             "Safari/537.36") == "tablet/Chrome/Android");
  CHECK(seen("Mozilla/5.0 (X11; Linux x86_64; rv:120.0) Gecko/20100101 Firefox/120.0") == "desktop/Firefox/Linux");
  CHECK(seen("Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.0 "
             "Safari/605.1.15") == "desktop/Safari/macOS");
  CHECK(seen("Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)") == "bot///bot");
  CHECK(seen("") == "//");
  const auto e = enriched({"{}", R"({"os":{"name":"iOS"},"device":{"type":"ios"}})"});
  CHECK(e.device == "mobile");
  CHECK(e.os == "iOS");
}

TEST_CASE("campaign, referrer and store are found where clients put them", "[enrichment][f:3.2]") {
  CHECK(enriched({"{}", R"({"campaign":{"name":"spring"},"page":{"search":"?utm_campaign=x"}})"}).campaign == "spring");
  CHECK(enriched({"{}", R"({"campaign":{"source":"mail"},"page":{"search":"?a=1&utm_campaign=summer+sale%21"}})"})
            .campaign == "summer sale!");
  CHECK(enriched({R"({"url":"https://x/y?utm_campaign=b&z=1#f"})"}).campaign == "b");
  CHECK(enriched({R"({"url":"https://x/y?utm_campaign=%ff%00b"})"}).campaign == " b");
  CHECK(enriched({"{}", R"({"page":{"referrer":"https://www.Google.com:443/search?q=1"}})"}).referrer == "google.com");
  CHECK(enriched({R"({"affiliation":"Google Store"})"}).store == "Google Store");
  CHECK(enriched({R"({"affiliation":"A","store":3})"}).store == "3");
  CHECK(enriched({"{}", R"({"store":{"name":"Berlin"}})"}).store == "Berlin");
}

TEST_CASE("a failing enricher leaves its field empty and a note, and the others go on", "[enrichment][f:3.4]") {
  for (bool throws : {false, true}) {
    std::vector<std::unique_ptr<enricher>> list;
    list.push_back(std::make_unique<broken>(throws));
    list.push_back(make_store_enricher());
    event e;
    e.properties = R"({"store":"s"})";
    enricher_chain({}, std::move(list)).enrich(e, {}, {});
    CHECK(e.store == "s");
    REQUIRE(e.notes.size() == 1);
    CHECK(e.notes[0].code == "enrichment_failed");
  }
}
