// What the steps of alerting share inside a transaction.
#pragma once

#include <vector>

#include "postgres/pool.hpp"

namespace pulse::postgres {

/// Throws `refused` when it is none.
uuid to_uuid(const pqxx::field& f);

/// `{…}` of PostgreSQL's array text.
std::string uuid_array(const std::vector<uuid>& ids);

/// Puts `due` at the earliest thing to do. The row is locked first and what is left is counted by a later statement:
/// a candidate that the slot's transaction adds meanwhile is either seen here, or moves the row after us.
void settle_due(pqxx::work& tx, tenant_id tenant);

/// Something was added that can be done now.
void make_due(pqxx::work& tx, tenant_id tenant);

error no_endpoint(const uuid& id);

void note_audit(pqxx::work& tx, tenant_id tenant, const std::string& actor, const std::string& action,
                const uuid& subject);

} // namespace pulse::postgres
