// Fuzzes what reads a detector's file: the bytes stand behind a good seal, so that the checks behind the checksum are
// what is tried. Whatever loads must score and explain without harm, and be written back as it was.
#include <cmath>
#include <cstdlib>
#include <limits>

#include "models/binary/bytes.hpp"
#include "models/detection/model_data.hpp"

using namespace pulse;

namespace {

void try_file(std::string_view file) {
  const auto m = detection::model::load(file);
  if (!m)
    return;
  for (const auto x : {0.0, 1e300, std::numeric_limits<double>::quiet_NaN()}) {
    const std::vector<double> row(m->features().size(), x);
    const auto s = m->score(row);
    if (!(s.raw > 0 && s.raw < 1 && s.tail > 0 && s.tail <= 1))
      std::abort();
    for (const auto& c : m->explain(row))
      if (!std::isfinite(c.total()))
        std::abort();
    (void)m->explain_local(row);
  }
  if (!detection::model::load(m->save()))
    std::abort();
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view payload(reinterpret_cast<const char*>(data), size);
  (void)detection::model::load(payload);
  for (const auto version :
       {detection::model_version, detection::model_version_of_numbers, detection::model_version_without_floors})
    try_file(binary::seal(detection::model_magic, version, payload));
  return 0;
}
