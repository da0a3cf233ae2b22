// tenant, key
#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <memory>

#include "node/cli/verbs.hpp"

namespace pulse::cli {

namespace {

struct tenant_options : common_options {
  std::string tenant;
  std::string currency;
  std::string timezone = "UTC";
  std::optional<std::int64_t> rate;
  std::optional<std::int64_t> burst;
};

struct key_options : common_options {
  std::string tenant;
  std::string key;
  std::vector<std::string> scopes;
  std::string expires;
  bool test = false;
};

void print_tenant(const json& t) {
  fmt::print("{:>6}  {:<24} {:<4} {:<20} {:>8}/s burst {}\n", text_of(t, "id"), text_of(t, "name"),
             text_of(t, "currency"), text_of(t, "timezone"), t.at("limits").at("rate").dump(),
             t.at("limits").at("burst").dump());
}

void add_tenant_changes(CLI::App& group) {
  auto o = std::make_shared<tenant_options>();
  auto* create = group.add_subcommand("create", "make a tenant");
  create->add_option("name", o->tenant, "its name")->required();
  create->add_option("--currency", o->currency, "ISO 4217; without it that of the first money event");
  create->add_option("--timezone", o->timezone, "IANA name");
  create->footer("example: pulse tenant create shop --currency EUR --timezone Europe/Paris");
  add_common(*create, *o);
  create->callback([o] {
    json body = {{"name", o->tenant}, {"timezone", o->timezone}};
    if (!o->currency.empty())
      body["currency"] = o->currency;
    const auto made = ask(*o, "POST", "/admin/v1/tenants", body);
    show(*o, json{{"id", made.at("id")}, {"name", made.at("name")}}, [&] {
      fmt::print("tenant {} is made\n  next: pulse key create --tenant {} --scopes ingest,read\n", text_of(made, "id"),
                 text_of(made, "id"));
    });
  });
  auto l = std::make_shared<tenant_options>();
  auto* limits = group.add_subcommand("limits", "show or set how much a tenant may send");
  limits->add_option("tenant", l->tenant, "number or name")->required();
  limits->add_option("--rate", l->rate, "events a second; 0: no limit");
  limits->add_option("--burst", l->burst, "events at once");
  limits->footer("example: pulse tenant limits shop --rate 500 --burst 2000");
  add_common(*limits, *l);
  limits->callback([l] {
    const auto path = "/admin/v1/tenants/" + l->tenant;
    json answer;
    if (l->rate || l->burst) {
      json body = json::object();
      if (l->rate)
        body["rate"] = *l->rate;
      if (l->burst)
        body["burst"] = *l->burst;
      answer = ask(*l, "PUT", path + "/limits", body);
    } else {
      answer = ask(*l, "GET", path).at("limits");
    }
    show(*l, answer, [&] { fmt::print("rate {}/s, burst {}\n", answer.at("rate").dump(), answer.at("burst").dump()); });
  });
  auto d = std::make_shared<tenant_options>();
  auto* remove = group.add_subcommand("delete", "make a tenant a tombstone: its keys stop working");
  remove->add_option("tenant", d->tenant, "number or name")->required();
  remove->footer("example: pulse tenant delete shop");
  add_common(*remove, *d);
  remove->callback([d] {
    ask(*d, "DELETE", "/admin/v1/tenants/" + d->tenant);
    show(*d, json{{"deleted", d->tenant}}, [&] { fmt::print("tenant {} is deleted\n", d->tenant); });
  });
}

void add_tenant(CLI::App& program) {
  auto* group = program.add_subcommand("tenant", "tenants");
  group->require_subcommand(1);
  add_tenant_changes(*group);
  auto l = std::make_shared<tenant_options>();
  auto* list = group->add_subcommand("list", "all tenants");
  list->footer("example: pulse tenant list --json");
  add_common(*list, *l);
  list->callback([l] {
    const auto all = ask(*l, "GET", "/admin/v1/tenants");
    show(*l, all, [&] {
      if (all.at("data").empty())
        fmt::print("no tenants yet\n  next: pulse tenant create NAME\n");
      for (const auto& t : all.at("data"))
        print_tenant(t);
    });
  });
  auto s = std::make_shared<tenant_options>();
  auto* one = group->add_subcommand("show", "one tenant");
  one->add_option("tenant", s->tenant, "number or name")->required();
  one->footer("example: pulse tenant show demo");
  add_common(*one, *s);
  one->callback([s] {
    const auto t = ask(*s, "GET", "/admin/v1/tenants/" + s->tenant);
    show(*s, t, [&] { print_tenant(t); });
  });
}

void add_key_create(CLI::App& group) {
  auto o = std::make_shared<key_options>();
  auto* create = group.add_subcommand("create", "make a key; it is shown this once");
  create->add_option("--tenant", o->tenant, "number or name")->required();
  create->add_option("--scopes", o->scopes, "ingest, read, admin, publishable")->required()->delimiter(',');
  create->add_flag("--test", o->test, "a pe_test_ key: events are scored, never counted or alerted");
  create->add_option("--expires", o->expires, "RFC 3339");
  create->footer("example: pulse key create --tenant shop --scopes ingest,read --json");
  add_common(*create, *o);
  create->callback([o] {
    json body = {{"tenant", o->tenant}, {"scopes", o->scopes}, {"test", o->test}};
    if (!o->expires.empty())
      body["expires"] = o->expires;
    const auto made = ask(*o, "POST", "/admin/v1/keys", body);
    show(*o, made, [&] { fmt::print("{}\n", text_of(made, "key")); });
  });
}

void add_key(CLI::App& program) {
  auto* group = program.add_subcommand("key", "API keys");
  group->require_subcommand(1);
  add_key_create(*group);
  auto l = std::make_shared<key_options>();
  auto* list = group->add_subcommand("list", "a tenant's keys, without their secret");
  list->add_option("--tenant", l->tenant, "number or name")->required();
  list->footer("example: pulse key list --tenant shop");
  add_common(*list, *l);
  list->callback([l] {
    const auto all = ask(*l, "GET", "/admin/v1/tenants/" + l->tenant + "/keys");
    show(*l, all, [&] {
      for (const auto& k : all.at("data"))
        fmt::print("{:>6}  {}…  {:<24} {}\n", text_of(k, "id"), text_of(k, "prefix"), text_of(k, "scopes"),
                   k.at("revoked_at").is_null() ? "" : "revoked " + text_of(k, "revoked_at"));
    });
  });
  auto r = std::make_shared<key_options>();
  auto* revoke = group->add_subcommand("revoke", "a key stops working within 5 s");
  revoke->add_option("--tenant", r->tenant, "number or name")->required();
  revoke->add_option("key", r->key, "its number, as in key list")->required();
  revoke->footer("example: pulse key revoke --tenant shop 3");
  add_common(*revoke, *r);
  revoke->callback([r] {
    ask(*r, "DELETE", "/admin/v1/tenants/" + r->tenant + "/keys/" + r->key);
    show(*r, json{{"revoked", r->key}}, [&] { fmt::print("key {} is revoked\n", r->key); });
  });
}

} // namespace

void add_tenant_verbs(CLI::App& program) {
  add_tenant(program);
  add_key(program);
}

} // namespace pulse::cli
