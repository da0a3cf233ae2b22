// endpoint, alert
#include <chrono>
#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <memory>
#include <thread>

#include "node/cli/verbs.hpp"

namespace pulse::cli {

namespace {

struct alert_options : one_tenant_options {
  std::string url;
  std::string kind = "webhook";
  std::vector<std::string> types;
  std::string description;
  std::string endpoint;
  std::string from;
  std::string to;
  std::string severity;
  std::string state;
  std::string alert;
  std::string verdict;
  std::string note;
  std::vector<std::string> cidrs;
  bool dry_run = false;
};

void add_endpoint_create(CLI::App& group) {
  auto o = std::make_shared<alert_options>();
  auto* create = add_for_tenant(group, *o, "create", "where alerts are sent; the secret is shown this once",
                                "endpoint create --tenant shop --url https://shop.example/hook");
  create->add_option("--url", o->url, "https://…")->required();
  create->add_option("--kind", o->kind, "webhook");
  create->add_option("--types", o->types, "types of alerts; none: all")->delimiter(',');
  create->add_option("--description", o->description, "for people");
  create->callback([o] {
    const json body = {{"kind", o->kind}, {"url", o->url}, {"types", o->types}, {"description", o->description}};
    const auto made = ask(*o, "POST", tenant_path(*o, "/endpoints"), body);
    show(*o, made, [&] {
      fmt::print("endpoint {} is made\nsecret   {}\n  next: pulse endpoint test --tenant {} {}\n", text_of(made, "id"),
                 text_of(made, "secret"), o->tenant, text_of(made, "id"));
    });
  });
}

/// Asks for a test and waits for its first attempt, at most as long as one may take.
void add_endpoint_test(CLI::App& group) {
  auto o = std::make_shared<alert_options>();
  auto* test = add_for_tenant(group, *o, "test", "sends an endpoint.test alert and shows what came back",
                              "endpoint test --tenant shop 0190…");
  test->add_option("endpoint", o->endpoint, "its id, as in endpoint list")->required();
  test->callback([o] {
    const auto base = tenant_path(*o, "/endpoints/" + o->endpoint);
    const auto alert = ask(*o, "POST", base + "/test", json::object()).value("alert_id", "");
    for (int i = 0; i < 100; ++i) {
      const auto attempts = ask(*o, "GET", base + "/attempts?limit=20");
      for (const auto& a : attempts.at("data")) {
        if (a.value("alert_id", "") != alert)
          continue;
        show(*o, a, [&] {
          fmt::print("{}: status {} in {:.3f} s {}\n", text_of(a, "outcome"), text_of(a, "status"),
                     a.value("seconds", 0.0), a.at("error").is_null() ? "" : text_of(a, "error"));
        });
        if (a.value("outcome", "") != "delivered")
          throw CLI::RuntimeError(1);
        return;
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(200)); // the way of every alert, about a second
    }
    fail({ec::timeout, "no attempt was made within 20 s; see the node's log", ""});
  });
}

void add_endpoint(CLI::App& program) {
  auto* group = program.add_subcommand("endpoint", "where alerts are sent");
  group->require_subcommand(1);
  add_endpoint_create(*group);
  add_endpoint_test(*group);
  auto o = std::make_shared<alert_options>();
  add_for_tenant(*group, *o, "list", "a tenant's endpoints", "endpoint list --tenant shop")->callback([o] {
    const auto all = ask(*o, "GET", tenant_path(*o, "/endpoints"));
    show(*o, all, [&] {
      if (all.at("data").empty())
        fmt::print("no endpoints yet\n  next: pulse endpoint create --tenant {} --url URL\n", o->tenant);
      for (const auto& e : all.at("data"))
        fmt::print("{}  {:<8} {}  {}\n", text_of(e, "id"), e.value("disabled", false) ? "disabled" : "enabled",
                   text_of(e, "url"), e.at("types").empty() ? "all" : text_of(e, "types"));
    });
  });
  auto a = std::make_shared<alert_options>();
  auto* allow = add_for_tenant(*group, *a, "allow",
                               "private networks that the tenant's webhooks and sources may reach; none: no more",
                               "endpoint allow --tenant demo 127.0.0.1/32");
  allow->add_option("cidr", a->cidrs, "such as 10.1.0.0/16");
  allow->callback([a] {
    const auto set = ask(*a, "PUT", tenant_path(*a, "/webhook-allow"), json{{"cidrs", a->cidrs}});
    show(*a, set, [&] { fmt::print("webhooks and sources of {} may reach {}\n", a->tenant, set.at("cidrs").dump()); });
  });
}

void add_alert_feedback(CLI::App& group) {
  auto o = std::make_shared<alert_options>();
  auto* judge = add_for_tenant(group, *o, "feedback", "says whether a metric alert was worth it; the last word counts",
                               "alert feedback --tenant shop 0190… false_alarm --note \"the sale ended\"");
  judge->add_option("alert", o->alert, "its id, as in alert list")->required();
  judge->add_option("verdict", o->verdict, "useful, false_alarm; none takes it back")
      ->required()
      ->check(CLI::IsMember({"useful", "false_alarm", "none"}));
  judge->add_option("--note", o->note, "for people");
  judge->callback([o] {
    json body = {{"verdict", o->verdict == "none" ? json(nullptr) : json(o->verdict)}};
    if (!o->note.empty())
      body["note"] = o->note;
    const auto said = ask(*o, "POST", tenant_path(*o, "/alerts/" + o->alert + "/feedback"), body);
    show(*o, said, [&] {
      const auto& given = said.at("feedback");
      fmt::print("{}: {}\n  next: pulse alert quality --tenant {}\n", text_of(said.at("data"), "title"),
                 given.is_null() ? "no verdict" : text_of(given, "verdict"), o->tenant);
    });
  });
}

/// `3 of 4, 75 % (30 to 95)`.
std::string share_of(const json& hits) {
  const auto& range = hits.at("interval");
  const auto between = fmt::format("{:.0f} to {:.0f}", 100 * range[0].get<double>(), 100 * range[1].get<double>());
  if (hits.at("share").is_null())
    return fmt::format("none of none, nothing is known ({})", between);
  return fmt::format("{} of {}, {:.0f} % ({})", text_of(hits, "count"), text_of(hits, "of"),
                     100 * hits.at("share").get<double>(), between);
}

void add_alert_quality(CLI::App& group) {
  auto o = std::make_shared<alert_options>();
  auto* quality = add_for_tenant(group, *o, "quality", "what feedback did: repeats cut, useful alerts lost",
                                 "alert quality --tenant shop --from 2026-09-01");
  quality->add_option("--from", o->from, "RFC 3339; without it 90 days before --to");
  quality->add_option("--to", o->to, "RFC 3339, exclusive; without it now");
  quality->callback([o] {
    const auto q = ask(*o, "GET", tenant_path(*o, "/alerts/feedback?from=" + o->from + "&to=" + o->to));
    show(*o, q, [&] {
      const auto& judged = q.at("judged");
      const auto& withheld = q.at("withheld_judged");
      fmt::print("judged        {} useful, {} false alarms\nwithheld      {}, of which {} useful and {} false alarms\n",
                 text_of(judged, "useful"), text_of(judged, "false_alarm"), text_of(q, "withheld"),
                 text_of(withheld, "useful"), text_of(withheld, "false_alarm"));
      fmt::print("repeats cut   {}\nrecall lost   {}\n", share_of(q.at("repeats_cut")), share_of(q.at("recall_loss")));
    });
  });
}

void add_alert(CLI::App& program) {
  auto* group = program.add_subcommand("alert", "what was out of the ordinary");
  group->require_subcommand(1);
  auto o = std::make_shared<alert_options>();
  auto* list =
      add_for_tenant(*group, *o, "list", "alerts, newest first", "alert list --tenant shop --severity critical");
  list->add_option("--severity", o->severity, "info, warning, critical");
  list->add_option("--state", o->state, "new, told, held");
  list->callback([o] {
    const auto all =
        ask(*o, "GET", tenant_path(*o, "/alerts?limit=100&severity=" + o->severity + "&state=" + o->state));
    show(*o, all, [&] {
      if (all.at("data").empty())
        fmt::print("no alerts\n");
      for (const auto& a : all.at("data"))
        fmt::print("{}  {}  {:<14} {:<8} {}{}\n", text_of(a, "timestamp"), text_of(a, "id"), text_of(a, "type"),
                   text_of(a.at("data"), "severity"), text_of(a.at("data"), "title"),
                   a.at("held_reason").is_null() ? "" : fmt::format(" (held, {})", text_of(a, "held_reason")));
    });
  });
  add_alert_feedback(*group);
  add_alert_quality(*group);
  auto r = std::make_shared<alert_options>();
  auto* replay = add_for_tenant(*group, *r, "replay", "sends the alerts of a time again under the same ids",
                                "alert replay --tenant shop --from 2026-01-01 --to 2026-01-02 --dry-run");
  replay->add_option("--from", r->from, "RFC 3339")->required();
  replay->add_option("--to", r->to, "RFC 3339, exclusive")->required();
  replay->add_option("--types", r->types, "types of alerts; none: all")->delimiter(',');
  replay->add_option("--endpoint", r->endpoint, "to this one alone");
  replay->add_flag("--dry-run", r->dry_run, "only count");
  replay->callback([r] {
    json body = {{"from", r->from}, {"to", r->to}, {"types", r->types}};
    if (!r->endpoint.empty())
      body["endpoint"] = r->endpoint;
    const auto done =
        ask(*r, "POST", tenant_path(*r, r->dry_run ? "/alerts/replay?dry_run=true" : "/alerts/replay"), body);
    show(*r, done, [&] {
      fmt::print("{} deliveries {}\n", text_of(done, "count"), r->dry_run ? "would be made" : "are on their way");
    });
  });
}

} // namespace

void add_alert_verbs(CLI::App& program) {
  add_endpoint(program);
  add_alert(program);
}

} // namespace pulse::cli
