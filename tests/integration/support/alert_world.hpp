// A tenant with candidates, endpoints and receivers in a real database: what the tests of alerting start from.
#pragma once

#include <catch2/catch_test_macros.hpp>
#include <condition_variable>
#include <fmt/format.h>

#include "models/alert/candidate.hpp"
#include "postgres/alert_store.hpp"
#include "tests/integration/support/database.hpp"
#include "tests/support/test_receiver.hpp"

namespace pulse::test {

template <class T>
T must(result<T> r) {
  if (!r)
    FAIL(r.err().detail);
  return std::move(r).value();
}

inline std::string http_answer(const std::string& status) {
  return "HTTP/1.1 " + status + "\r\nContent-Length: 0\r\n\r\n";
}

/// The value of a header of a raw request; empty when it is absent.
inline std::string header_of(const std::string& request, const std::string& name) {
  const auto at = request.find("\r\n" + name + ": ");
  if (at == std::string::npos)
    return {};
  const auto from = at + name.size() + 4;
  return request.substr(from, request.find("\r\n", from) - from);
}

inline std::string body_of(const std::string& request) {
  return request.substr(request.find("\r\n\r\n") + 4);
}

/// Requests in the order they came; waits with a deadline.
class request_box {
public:
  void put(const std::string& request) {
    const std::lock_guard lock(mutex_);
    all_.push_back(request);
    arrived_.notify_all();
  }

  std::vector<std::string> wait(std::size_t n, std::chrono::seconds limit = std::chrono::seconds(20)) {
    std::unique_lock lock(mutex_);
    arrived_.wait_for(lock, limit, [&] { return all_.size() >= n; });
    REQUIRE(all_.size() >= n);
    return all_;
  }

  std::size_t count() {
    const std::lock_guard lock(mutex_);
    return all_.size();
  }

private:
  std::mutex mutex_;
  std::condition_variable arrived_;
  std::vector<std::string> all_;
};

/// A candidate as the slot's transaction writes it; its alert id.
inline uuid add_candidate(database& db, tenant_id tenant, double risk = 92, const std::string& type = "event.flagged") {
  const auto event = system_random().next_uuid();
  const auto id = alert::alert_id(tenant, event.str(), type);
  db.sql(
      fmt::format("INSERT INTO alert (tenant_id, alert_id, type, event_id, severity, title, summary, data, trace_id) "
                  "VALUES ({0}, '{1}', '{2}', '{3}', '{4}', 't', 's', "
                  "'{{\"tenant\":\"{0}\",\"risk\":{{\"score\":{5}}},\"title\":\"an odd order\"}}', '{3}')",
                  tenant.value, id.str(), type, event.str(), risk >= 97 ? "critical" : "warning", risk));
  db.sql(fmt::format("INSERT INTO due (tenant_id, kind, at) VALUES ({}, 'alert', now()) ON CONFLICT (tenant_id, kind) "
                     "DO UPDATE SET at = least(due.at, excluded.at)",
                     tenant.value));
  return id;
}

inline const alert::webhook_secret& test_secret() {
  static const auto secret = alert::webhook_secret::make(system_random());
  return secret;
}

inline uuid add_endpoint(database& db, tenant_id tenant, const std::string& url, const std::string& types = "{}") {
  const auto id = system_random().next_uuid();
  db.sql(fmt::format("INSERT INTO endpoint (tenant_id, endpoint_id, kind, url, types, secret) VALUES ({}, '{}', "
                     "'webhook', '{}', '{}', '{}')",
                     tenant.value, id.str(), url, types, test_secret().str()));
  return id;
}

inline bool is_due(database& db, tenant_id tenant) {
  return db.one(fmt::format("SELECT count(*) FROM due WHERE tenant_id = {} AND kind = 'alert'", tenant.value)) == "1";
}

} // namespace pulse::test
