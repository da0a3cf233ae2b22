#include "postgres/key_directory.hpp"

#include <algorithm>

namespace pulse::postgres {

pg_key_directory::pg_key_directory(const std::string& url, const std::string& node, worker_pool& pool) : pool_(pool) {
  for (std::size_t i = 0; i < pool.threads(); ++i)
    sessions_.push_back(std::make_unique<session>(url, role::node, "pulse-keys " + node));
}

void pg_key_directory::find(std::string_view key_id, found done) {
  auto shared = std::make_shared<found>(std::move(done));
  const bool taken =
      pool_.post([this, id = std::string(key_id), shared](std::size_t worker) { (*shared)(read(worker, id)); });
  if (!taken)
    (*shared)(error{ec::unavailable, "too many keys are being checked", ""});
}

result<std::optional<key_record>> pg_key_directory::read(std::size_t worker, const std::string& key_id) {
  return sessions_[worker]->run("checking a key", [&](pqxx::work& tx) -> std::optional<key_record> {
    const auto rows = tx.exec("SELECT k.key_id, k.tenant_id, k.scopes, k.test, encode(k.hash, 'hex'), "
                              "(extract(epoch FROM k.expires_at) * 1000)::bigint, (extract(epoch FROM "
                              "least(k.revoked_at, t.deleted_at)) * 1000)::bigint "
                              "FROM api_key k JOIN tenant t USING (tenant_id) WHERE k.public_id = $1",
                              pqxx::params{key_id});
    if (rows.empty())
      return std::nullopt;
    const auto row = rows[0];
    key_record out;
    out.id = row[0].as<std::int64_t>();
    out.tenant = tenant_id{row[1].as<int>()};
    auto scopes = row[2].as<std::string>();
    std::erase_if(scopes, [](char c) { return c == '{' || c == '}' || c == '"'; });
    for (std::size_t at = 0; at < scopes.size();) {
      const auto end = std::min(scopes.find(',', at), scopes.size());
      if (const auto s = parse_scope(scopes.substr(at, end - at)))
        out.scopes.add(*s);
      at = end + 1;
    }
    out.test = row[3].as<bool>();
    if (!from_hex(row[4].as<std::string>(), out.sha256))
      throw refused({ec::corrupt, "a key's hash cannot be read", ""});
    if (!row[5].is_null())
      out.expires = time_ms{row[5].as<std::int64_t>()};
    if (!row[6].is_null())
      out.revoked = time_ms{row[6].as<std::int64_t>()};
    return out;
  });
}

} // namespace pulse::postgres
