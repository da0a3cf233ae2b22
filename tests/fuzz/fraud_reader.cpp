// Fuzzes what reads a fraud model's file, behind a good seal.
#include <cmath>
#include <cstdlib>

#include "models/binary/bytes.hpp"
#include "models/fraud/model.hpp"

using namespace pulse;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view payload(reinterpret_cast<const char*>(data), size);
  const auto m = fraud::model::load(binary::seal("PULSEFRD", 1, payload));
  if (!m)
    return 0;
  const std::vector<float> row(m->features().size(), 0.5f);
  const auto p = m->probability(row);
  if (std::isnan(p) || m->explain(row).size() != row.size() || !fraud::model::load(m->save()))
    std::abort();
  return 0;
}
