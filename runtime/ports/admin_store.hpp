// Port: tenants and their keys, as operators see them. All calls block; one object per worker thread.
// Adapter: postgres/admin_store.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "base/ids.hpp"
#include "ports/control_store.hpp"
#include "ports/key_directory.hpp"

namespace pulse {

struct new_tenant {
  std::string name;
  /// ISO 4217; empty: that of the first money event.
  std::string currency;
  /// IANA name.
  std::string timezone = "UTC";
  std::int64_t rate = 0;
  std::int64_t burst = 0;
  int slots = 1;
};

struct listed_tenant {
  tenant_settings settings;
  std::string created_at;
  std::int64_t events = 0;
};

struct new_key {
  tenant_id tenant;
  /// `pe_live_` + 12 characters.
  std::string public_id;
  digest sha256{};
  std::vector<std::string> scopes;
  bool test = false;
  std::optional<time_ms> expires;
};

struct listed_key {
  std::int64_t id = 0;
  std::string public_id;
  std::string scopes;
  bool test = false;
  std::string created_at;
  std::string expires_at;
  std::string revoked_at;
};

class admin_store {
public:
  virtual ~admin_store() = default;

  /// In the slot with the least in it. `conflict` for a name that is taken, `invalid` for an unknown time zone.
  virtual result<tenant_settings> create_tenant(const new_tenant& t, const std::string& actor) = 0;
  virtual result<std::vector<listed_tenant>> tenants(std::int64_t after, std::int64_t limit) = 0;
  /// By number or by name. `not_found`.
  virtual result<listed_tenant> find_tenant(const std::string& id_or_name) = 0;
  virtual result<tenant_settings> set_limits(tenant_id tenant, std::optional<std::int64_t> rate,
                                             std::optional<std::int64_t> burst, const std::string& actor) = 0;
  /// A tombstone: its keys stop working, its records are counted and dropped.
  virtual result<void> delete_tenant(tenant_id tenant, const std::string& actor) = 0;

  /// The key's number.
  virtual result<std::int64_t> create_key(const new_key& k, const std::string& actor) = 0;
  virtual result<std::vector<listed_key>> keys(tenant_id tenant) = 0;
  /// `not_found`; a key that is revoked already stays so.
  virtual result<std::string> revoke_key(tenant_id tenant, std::int64_t key, std::optional<time_ms> at,
                                         const std::string& actor) = 0;
};

} // namespace pulse
