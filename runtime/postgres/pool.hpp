// A connection that comes back by itself, and transactions under a role with their tenant set. libpqxx; one thread.
#pragma once

#include <functional>
#include <memory>
#include <pqxx/pqxx>
#include <string>

#include "base/error.hpp"
#include "base/ids.hpp"
#include "postgres/connection.hpp"

namespace pulse::postgres {

/// libpqxx' exceptions end here: what `work` throws becomes an error. A broken connection is opened anew at the next
/// call.
class session {
public:
  session(const std::string& url, role as, const std::string& application_name);

  /// Runs `work` in a transaction; it commits when `work` returns, and rolls back when it throws.
  template <class Work>
  auto run(std::string_view where, Work&& work) -> result<decltype(work(std::declval<pqxx::work&>()))>;

  /// The same with one tenant set: the only one that the reader sees and the writer may touch.
  template <class Work>
  auto run_for(tenant_id tenant, std::string_view where, Work&& work) {
    return run(where, [&](pqxx::work& tx) {
      const auto id = std::to_string(tenant.value);
      tx.exec("SELECT set_config('app.tenant', $1, true), set_config('app.tenants', $1, true)", pqxx::params{id});
      return work(tx);
    });
  }

private:
  /// A connection that broke while it was idle shows so at BEGIN: nothing was asked yet, so a new one is tried at once.
  std::unique_ptr<pqxx::work> begin();
  static error to_error(std::string_view where, const std::exception& e);

  std::string info_;
  std::unique_ptr<pqxx::connection> db_;
};

/// Thrown inside `work` to end it with an error of ours.
struct refused : std::runtime_error {
  explicit refused(error e) : std::runtime_error(e.detail), why(std::move(e)) {
  }

  error why;
};

template <class Work>
auto session::run(std::string_view where, Work&& work) -> result<decltype(work(std::declval<pqxx::work&>()))> {
  using value = decltype(work(std::declval<pqxx::work&>()));
  try {
    const auto tx = begin();
    if constexpr (std::is_void_v<value>) {
      work(*tx);
      tx->commit();
      return {};
    } else {
      auto out = work(*tx);
      tx->commit();
      return out;
    }
  } catch (const std::exception& e) {
    if (dynamic_cast<const pqxx::broken_connection*>(&e) != nullptr)
      db_.reset();
    return to_error(where, e);
  }
}

} // namespace pulse::postgres
