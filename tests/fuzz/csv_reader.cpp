// Fuzzes what reads tables: any text is a table or a reason why not.
#include <cmath>
#include <cstdlib>

#include "models/csv/table.hpp"

using namespace pulse;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  // Once more with a column of words, whatever it holds.
  std::vector<csv::word_column> words{{"a", {}}};
  if (const auto worded = csv::read_numbers(text, {}, words))
    for (std::size_t i = 0; i < worded->rows; ++i) {
      const auto x = worded->values[i * worded->columns.size() + *worded->find("a")];
      if (!std::isnan(x) && (x < 0 || x >= static_cast<double>(words[0].levels.size())))
        std::abort();
    }
  const auto table = csv::read_numbers(text);
  if (!table) {
    if (table.err().detail.empty())
      std::abort();
    return 0;
  }
  if (table->values.size() != table->rows * table->columns.size())
    std::abort();
  // What was read can be written and read again.
  std::string again;
  for (std::size_t j = 0; j < table->columns.size(); ++j)
    again += (j == 0 ? "" : ",") + csv::quote(table->columns[j]);
  again += "\n";
  for (std::size_t i = 0; i < table->values.size(); ++i)
    again += csv::number(table->values[i]) + ((i + 1) % table->columns.size() == 0 ? "\n" : ",");
  const auto back = csv::read_numbers(again);
  // A single column may hold what looks like empty lines when written: those are skipped.
  if (table->columns.size() > 1 && (!back || back->rows != table->rows))
    std::abort();
  return 0;
}
