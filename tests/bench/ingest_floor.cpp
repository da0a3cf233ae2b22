// The floor that ingestion is measured against: rows that are ready to be sent go into the same tables by COPY into a
// stage and INSERT … SELECT, with the same rollups, batch size, number of connections and commits, and nothing else:
// no HTTP, no log, no parsing, no enrichment, no scoring, no deduplication window, no ledger.
//
// bench_ingest_floor POSTGRES_URL EVENTS_FILE GENERATION SLOTS BATCH: EVENTS_FILE has a line `tenant<TAB>event JSON` an
// event. Prepares all rows, prints `ready N`, waits for a line on standard input, loads, prints `cpu SECONDS wall
// SECONDS`.
#include <chrono>
#include <cstdlib>
#include <fmt/format.h>
#include <fstream>
#include <iostream>
#include <map>
#include <sys/resource.h>
#include <thread>

#include "base/embedded.hpp"
#include "models/event/raw_codec.hpp"
#include "models/event/request_parser.hpp"
#include "models/risk/pooled.hpp"
#include "models/risk/sample.hpp"
#include "models/slot/shared_data.hpp"
#include "models/slot/stages.hpp"
#include "postgres/connection.hpp"
#include "postgres/event_rows.hpp"

using namespace pulse;

namespace {

[[noreturn]] void fail(const std::string& why) {
  fmt::print(stderr, "error: {}\n", why);
  std::exit(1);
}

double cpu_seconds() {
  rusage u{};
  getrusage(RUSAGE_SELF, &u);
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6;
  };
  return seconds(u.ru_utime) + seconds(u.ru_stime);
}

struct ready_batch {
  std::string tenants;
  std::string events;
  std::string rollups;
  std::int64_t from = 0;
  std::int64_t to = 0;
};

using tenant_rows = std::map<tenant_id, std::vector<slot::processed>>;

/// What the program itself would store of these events, without anything that the store's transaction does.
tenant_rows process(const std::string& path, const std::shared_ptr<const slot::shared_data>& shared) {
  std::ifstream in(path);
  std::map<tenant_id, slot::part> parts;
  std::string line;
  request_context context;
  context.received_at = system_clock().now();
  context.horizon = time_ms{context.received_at.value - 700 * day_ms};
  context.random = &system_random();
  while (std::getline(in, line)) {
    const auto tab = line.find('\t');
    context.tenant = tenant_id{std::stoi(line.substr(0, tab))};
    auto body = line.substr(tab + 1);
    auto parsed = parse_request(body, request_shape::events, context);
    if (!parsed)
      fail(parsed.err().detail);
    auto& part = parts[context.tenant];
    part.tenant = context.tenant;
    for (auto& e : parsed->events)
      part.items.push_back({log_offset{static_cast<std::int64_t>(part.items.size())}, context.tenant,
                            std::make_shared<const std::string>(encode(e.raw)), false});
  }
  tenant_rows out;
  for (auto& [tenant, part] : parts) {
    slot::stage_start start;
    start.tenant = tenant;
    start.settings.currency = "GBP";
    slot::enrichment_stage enrichment(start, shared);
    slot::scoring_stage scoring(start, shared);
    out[tenant] = scoring.work(enrichment.work(std::move(part))).results;
  }
  return out;
}

ready_batch make_batch(const std::vector<slot::processed>& rows, slot_id slot, std::int64_t from) {
  ready_batch b;
  b.from = from;
  b.to = from + static_cast<std::int64_t>(rows.size());
  postgres::copy_rows events, rollups;
  rollup::batch_sums sums;
  std::map<tenant_id, int> tenants;
  for (const auto& p : rows) {
    postgres::write_event(events, p, {"floor", slot});
    sums.add(p.event);
    ++tenants[p.tenant];
  }
  for (const auto& [tenant, n] : tenants)
    b.tenants += (b.tenants.empty() ? "" : ",") + std::to_string(tenant.value);
  for (const auto& [key, m] : sums.minutes())
    postgres::write_rollup(rollups, rollup::grain::minute, key, m);
  for (const auto& [key, m] : sums.quarters())
    postgres::write_rollup(rollups, rollup::grain::quarter, key, m);
  b.events = std::move(events).finish();
  b.rollups = std::move(rollups).finish();
  return b;
}

/// By slot; a batch mixes the slot's tenants as they come.
std::vector<std::vector<ready_batch>> make_batches(tenant_rows rows, int slots, std::size_t batch_max) {
  std::vector<std::vector<ready_batch>> out(static_cast<std::size_t>(slots));
  for (int s = 0; s < slots; ++s) {
    std::vector<slot::processed> mixed;
    for (auto& [tenant, of_tenant] : rows)
      if (tenant.value % slots == s)
        std::move(of_tenant.begin(), of_tenant.end(), std::back_inserter(mixed));
    std::int64_t offset = 0;
    for (auto& p : mixed)
      p.offset = log_offset{offset++};
    for (std::size_t i = 0; i < mixed.size(); i += batch_max) {
      const auto end = std::min(i + batch_max, mixed.size());
      out[static_cast<std::size_t>(s)].push_back(
          make_batch({mixed.begin() + static_cast<std::ptrdiff_t>(i), mixed.begin() + static_cast<std::ptrdiff_t>(end)},
                     slot_id{s}, static_cast<std::int64_t>(i)));
    }
  }
  return out;
}

void must(const std::optional<postgres::sql_error>& problem) {
  if (problem)
    fail(problem->message);
}

void must(const postgres::connection::outcome& done) {
  if (const auto* problem = std::get_if<postgres::sql_error>(&done))
    fail(problem->message);
}

std::string upsert(std::string_view table, bool minute) {
  return fmt::format(
      "INSERT INTO {0} AS r SELECT tenant_id, dim, bucket, value, currency, events, orders, revenue_minor, "
      "refunds_minor, line_micro, anomalies, risk_milli FROM rollup_stage WHERE minute = {1} "
      "ON CONFLICT (tenant_id, dim, bucket, value, currency) DO UPDATE SET events = r.events + excluded.events, "
      "orders = r.orders + excluded.orders, revenue_minor = r.revenue_minor + excluded.revenue_minor, "
      "refunds_minor = r.refunds_minor + excluded.refunds_minor, line_micro = r.line_micro + excluded.line_micro, "
      "anomalies = r.anomalies + excluded.anomalies, risk_milli = r.risk_milli + excluded.risk_milli",
      table, minute);
}

void load(postgres::connection& db, const std::vector<ready_batch>& batches, const std::string& generation, int slot) {
  for (const auto& b : batches) {
    must(db.run_script("BEGIN"));
    must(db.run("SELECT set_config('app.tenants', $1, true)", {b.tenants}));
    must(db.copy_in(fmt::format("COPY event_stage ({},seen_hash) FROM STDIN (FORMAT binary)", postgres::event_columns),
                    b.events));
    must(db.run(fmt::format("INSERT INTO event ({0}) SELECT {0} FROM event_stage ON CONFLICT DO NOTHING",
                            postgres::event_columns)));
    must(db.copy_in("COPY rollup_stage FROM STDIN (FORMAT binary)", b.rollups));
    must(db.run(upsert("rollup_minute", true)));
    must(db.run(upsert("rollup_quarter", false)));
    must(db.run("UPDATE log_position SET next_offset = $3 WHERE generation = $1 AND slot = $2 AND next_offset = $4",
                {generation, std::to_string(slot), std::to_string(b.to), std::to_string(b.from)}));
    must(db.run_script("COMMIT"));
  }
}

} // namespace

int main(int argc, char** argv) {
  if (argc != 6)
    fail("usage: bench_ingest_floor POSTGRES_URL EVENTS_FILE GENERATION SLOTS BATCH");
  const std::string url = argv[1], generation = argv[3];
  const int slots = std::atoi(argv[4]);
  std::ifstream sample(std::string(PULSE_SOURCE_DIR) + "/config/demo_order_lines.csv");
  const std::string lines(std::istreambuf_iterator<char>(sample), {});
  const auto orders = scoring::read_order_lines(lines);
  auto pooled = scoring::fit_pooled(orders.value(), {.random_state = 1});
  const auto shared = std::make_shared<const slot::shared_data>(
      enrichment_data{}, std::make_shared<const detection::model>(std::move(pooled.value())));
  const auto batches = make_batches(process(argv[2], shared), slots, static_cast<std::size_t>(std::atoi(argv[5])));
  std::vector<postgres::connection> connections;
  for (int s = 0; s < slots; ++s) {
    auto& db = connections.emplace_back(postgres::conninfo(url, postgres::role::writer, "ingest-floor"));
    if (auto ok = db.ensure(); !ok)
      fail(ok.err().detail);
    must(db.run_script(std::string(postgres::create_stages)));
    must(db.run("INSERT INTO log_position (generation, slot) VALUES ($1, $2)", {generation, std::to_string(s)}));
  }
  std::size_t n = 0;
  for (const auto& of_slot : batches)
    for (const auto& b : of_slot)
      n += static_cast<std::size_t>(b.to - b.from);
  fmt::print("ready {}\n", n);
  std::fflush(stdout);
  std::string go;
  std::getline(std::cin, go);
  const auto before = cpu_seconds();
  const auto started = std::chrono::steady_clock::now();
  std::vector<std::thread> threads;
  for (int s = 0; s < slots; ++s)
    threads.emplace_back([&, s] {
      load(connections[static_cast<std::size_t>(s)], batches[static_cast<std::size_t>(s)], generation, s);
    });
  for (auto& t : threads)
    t.join();
  const std::chrono::duration<double> wall = std::chrono::steady_clock::now() - started;
  fmt::print("cpu {} wall {}\n", cpu_seconds() - before, wall.count());
  return 0;
}
