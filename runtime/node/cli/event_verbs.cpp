// events send|trail|failed
#include <chrono>
#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <fstream>
#include <httplib.h>
#include <iostream>
#include <memory>
#include <thread>
#include <unistd.h>

#include "node/cli/verbs.hpp"

namespace pulse::cli {

namespace {

constexpr std::size_t lines_per_request = 500;
constexpr int tries_max = 60;

struct event_options : common_options {
  std::string key;
  std::string file;
  std::string url;
  std::string id;
  std::string tenant;
  bool replay = false;
};

struct totals {
  std::int64_t accepted = 0;
  std::int64_t duplicates = 0;
  std::int64_t rejected = 0;
};

/// Sends one piece and adds its verdicts; waits as long as it is told to.
void send_piece(httplib::Client& http, const std::string& key, const std::string& piece, std::size_t first_line,
                totals& t) {
  for (int i = 0; i < tries_max; ++i) {
    const auto answer = http.Post("/v1/events", {{"Authorization", "Bearer " + key}}, piece, "application/x-ndjson");
    if (answer && (answer->status == 429 || answer->status == 503)) {
      const auto wait = std::atoi(answer->get_header_value("Retry-After").c_str());
      std::this_thread::sleep_for(std::chrono::seconds(std::clamp(wait, 1, 30))); // as the server asked
      continue;
    }
    if (!answer)
      fail({ec::unavailable, "the node does not answer: " + httplib::to_string(answer.error()), ""});
    const auto body = json::parse(answer->body, nullptr, false);
    if (answer->status >= 400 || !body.is_object())
      fail({ec::invalid,
            fmt::format("{}: {}", answer->status, body.is_object() ? body.value("detail", "") : answer->body), ""});
    t.accepted += body.value("accepted", 0);
    t.duplicates += body.value("duplicates", 0);
    t.rejected += body.value("rejected", 0);
    for (const auto& r : body.at("results"))
      if (r.value("result", "") == "rejected")
        fmt::print(stderr, "line {}: {}: {}\n", first_line + r.value("index", 0U) + 1, r.value("code", ""),
                   r.value("detail", ""));
    return;
  }
  fail({ec::unavailable, "the node asks to wait again and again; the rest was not sent", ""});
}

void send_events(const event_options& o) {
  std::ifstream file;
  if (o.file != "-") {
    file.open(o.file);
    if (!file)
      fail({ec::not_found, o.file + " cannot be read", ""});
  }
  auto& in = o.file == "-" ? std::cin : file;
  auto url = o.url;
  if (url.empty()) {
    const auto node = client::for_data_dir(o.data_dir);
    if (!node)
      fail(node.err());
    url = node->public_url();
  }
  httplib::Client http(url);
  http.set_tcp_nodelay(true);
  http.set_keep_alive(true);
  http.set_read_timeout(60);
  const auto started = std::chrono::steady_clock::now();
  totals t;
  std::string line;
  std::string piece;
  std::size_t lines = 0;
  std::size_t first = 0;
  const auto flush = [&] {
    if (piece.empty())
      return;
    send_piece(http, o.key, piece, first, t);
    piece.clear();
    first = lines;
    if (::isatty(2) != 0)
      fmt::print(stderr, "\r{} events sent", lines);
  };
  while (std::getline(in, line)) {
    ++lines;
    piece += line + "\n";
    if (lines - first >= lines_per_request || piece.size() > (2U << 20))
      flush();
  }
  flush();
  if (::isatty(2) != 0)
    fmt::print(stderr, "\n");
  const auto seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - started).count();
  show(o, json{{"accepted", t.accepted}, {"duplicates", t.duplicates}, {"rejected", t.rejected}, {"seconds", seconds}},
       [&] {
         fmt::print("{} accepted, {} duplicates, {} rejected in {:.1f} s\n", t.accepted, t.duplicates, t.rejected,
                    seconds);
       });
}

void add_looking(CLI::App& group) {
  auto t = std::make_shared<event_options>();
  auto* trail = group.add_subcommand("trail", "what happened to an event, step by step");
  trail->add_option("id", t->id, "event id or message id")->required();
  trail->add_option("--tenant", t->tenant, "number or name")->required();
  trail->footer("example: pulse events trail --tenant shop my-message-1");
  add_common(*trail, *t);
  trail->callback([t] {
    const auto found =
        ask(*t, "GET", "/admin/v1/tenants/" + tenant_number(*t, t->tenant) + "/events/" + t->id + "/trail");
    show(*t, found, [&] {
      for (const auto& step : found.at("steps"))
        fmt::print("{:<26} {:<10} {:<14} {}\n", step.value("at", ""), step.value("stage", ""),
                   step.value("decision", ""),
                   step.contains("detail") && step["detail"].is_string() ? step["detail"].get<std::string>() : "");
    });
  });
  auto f = std::make_shared<event_options>();
  auto* failed = group.add_subcommand("failed", "events that were set aside, and why");
  failed->add_option("--tenant", f->tenant, "number or name")->required();
  failed->add_flag("--replay", f->replay, "send them again");
  failed->footer("example: pulse events failed --tenant shop");
  add_common(*failed, *f);
  failed->callback([f] {
    const auto own = "/admin/v1/tenants/" + tenant_number(*f, f->tenant) + "/failed-events";
    const auto found = f->replay ? ask(*f, "POST", own + "/replay", json::object()) : ask(*f, "GET", own);
    show(*f, found, [&] {
      if (f->replay) {
        fmt::print("{}\n", found.dump());
        return;
      }
      if (found.at("data").empty())
        fmt::print("no failed events\n");
      for (const auto& e : found.at("data"))
        fmt::print("{:<26} {:<12} {:<20} {}\n", e.value("received_at", ""), e.value("stage", ""), e.value("code", ""),
                   e.value("detail", ""));
    });
  });
}

} // namespace

void add_event_verbs(CLI::App& program) {
  auto* group = program.add_subcommand("events", "send events, look after them");
  group->require_subcommand(1);
  auto o = std::make_shared<event_options>();
  auto* send = group->add_subcommand("send", "send a file of events, one JSON object a line");
  send->add_option("file", o->file, "NDJSON; - for standard input")->required();
  send->add_option("--key", o->key, "API key with scope ingest (PULSE_KEY)")->required()->envname("PULSE_KEY");
  send->add_option("--url", o->url, "the public listener; without it the node of the data directory");
  send->footer("example: pulse events send --key \"$(cat .pulse/demo-key)\" events.ndjson");
  add_common(*send, *o);
  send->callback([o] { send_events(*o); });
  add_looking(*group);
}

} // namespace pulse::cli
