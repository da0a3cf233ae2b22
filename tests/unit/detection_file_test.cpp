// The model file: exact there and back, and no broken file is taken.
#include <catch2/catch_test_macros.hpp>

#include "base/encoding.hpp"
#include "models/binary/bytes.hpp"
#include "models/detection/model_data.hpp"
#include "models/detection/random.hpp"

using namespace pulse;
using namespace pulse::detection;

namespace {

model small_model(model_kind kind) {
  random_stream random(3, 0);
  std::vector<double> values(300 * 3);
  for (auto& x : values)
    x = random.uniform();
  return fit({values, 300, 3}, {"amount", "with,comma", "n"},
             {.kind = kind, .n_estimators = 8, .one_sided = {false, true, false}})
      .value();
}

/// The same file with another checksum: what only the checks behind it can refuse.
std::string sealed_again(std::string_view file) {
  const auto payload = file.substr(10, file.size() - 26);
  return binary::seal(model_magic, model_version_of_numbers, payload);
}

} // namespace

TEST_CASE("a saved model loads to the same bytes, id and scores", "[detection][f:5.2]") {
  for (auto kind : {model_kind::forest, model_kind::bundle}) {
    const auto m = small_model(kind);
    const auto file = m.save();
    const auto back = model::load(file);
    REQUIRE(back.ok());
    CHECK(back->save() == file);
    CHECK(back->id() == m.id());
    CHECK(m.id() == to_hex(sha256(file)).substr(0, 32));
    CHECK(back->features() == m.features());
    for (const std::vector<double>& row : {std::vector<double>{0.3, 0.9, 2}, {0.3, -5, 0.5}}) {
      CHECK(back->score(row).raw == m.score(row).raw);
      CHECK(back->score(row).risk == m.score(row).risk);
      CHECK(back->explain(row)[0].total() == m.explain(row)[0].total());
    }
  }
}

TEST_CASE("a cut or changed file is refused with the reason", "[detection][f:5.2]") {
  const auto file = small_model(model_kind::bundle).save();
  for (std::size_t size = 0; size < file.size(); size += 1 + size / 7) {
    const auto cut = model::load(std::string_view(file).substr(0, size));
    REQUIRE_FALSE(cut.ok());
    CHECK(cut.err().code == ec::corrupt);
    CHECK_FALSE(cut.err().detail.empty());
  }
  for (std::size_t i = 0; i < file.size(); i += 97) {
    auto changed = file;
    changed[i] = static_cast<char>(changed[i] ^ 0x10);
    CHECK_FALSE(model::load(changed).ok());
  }
  CHECK(model::load("not a model at all").err().detail.find("PULSEMDL") != std::string::npos);
}

TEST_CASE("a file of another version is refused", "[detection][f:5.2]") {
  const auto file = small_model(model_kind::bundle).save();
  CHECK(model::load(sealed_again(file)).ok());
  const auto payload = file.substr(10, file.size() - 26);
  for (auto other : {model_version_without_floors - 1, model_version + 1})
    CHECK_FALSE(model::load(binary::seal(model_magic, static_cast<std::uint16_t>(other), payload)).ok());
}

TEST_CASE("a model without floors is written as programs from before floors read it", "[detection][f:5.2][f:11.10]") {
  random_stream random(5, 0);
  std::vector<double> values(300 * 2);
  for (auto& x : values)
    x = random.uniform();
  const auto m = fit({values, 300, 2}, {"a", "b"}, {.kind = model_kind::forest, .n_estimators = 8}).value();
  const auto file = m.save();
  const auto payload = binary::unseal(model_magic, model_version_without_floors, file);
  REQUIRE(payload.ok());
  const auto back = model::load(file);
  REQUIRE(back.ok());
  CHECK(back->save() == file);
  CHECK(back->id() == m.id());
  const std::vector<double> row{0.1, 7};
  CHECK(back->score(row).raw == m.score(row).raw);
  for (auto other : {model_version_of_numbers, model_version})
    CHECK_FALSE(model::load(binary::seal(model_magic, other, *payload)).ok());
  CHECK(binary::unseal(model_magic, model_version_of_numbers, small_model(model_kind::bundle).save()).ok());
}

TEST_CASE("a model with columns of words is written with them, and as a version of its own", "[detection][f:5.2]") {
  random_stream random(6, 0);
  std::vector<double> values;
  for (int i = 0; i < 400; ++i)
    values.insert(values.end(), {random.uniform(), static_cast<double>(random.below(3))});
  fit_options options{.n_estimators = 8};
  options.categories = {{1, {"red", "green", "blue"}}};
  const auto m = fit({values, 400, 2}, {"x", "colour"}, options).value();
  const auto file = m.save();
  const auto payload = binary::unseal(model_magic, model_version, file);
  REQUIRE(payload.ok());
  const auto back = model::load(file);
  REQUIRE(back.ok());
  CHECK(back->save() == file);
  REQUIRE(back->levels(1) != nullptr);
  CHECK(*back->levels(1) == std::vector<std::string>{"red", "green", "blue"});
  CHECK(back->levels(0) == nullptr);
  for (const std::vector<double>& row : {std::vector<double>{0.3, 1}, {0.3, -1}, {0.5, NAN}}) {
    CHECK(back->score(row).raw == m.score(row).raw);
    CHECK(back->score(row).risk == m.score(row).risk);
  }
  // An older program does not take it for one of its own.
  for (auto older : {model_version_without_floors, model_version_of_numbers})
    CHECK_FALSE(model::load(binary::seal(model_magic, older, *payload)).ok());
  for (std::size_t size = 0; size < file.size(); size += 1 + size / 7)
    CHECK_FALSE(model::load(std::string_view(file).substr(0, size)).ok());
}

TEST_CASE("a file with a good checksum and nonsense inside is refused or loads to something safe",
          "[detection][f:5.2]") {
  const auto file = small_model(model_kind::bundle).save();
  random_stream random(99, 0);
  for (int k = 0; k < 400; ++k) {
    auto changed = file;
    for (int flips = 0; flips < 3; ++flips) {
      const auto at = 10 + random.below(static_cast<std::uint32_t>(k % 2 == 0 ? 400 : file.size() - 26));
      changed[at] = static_cast<char>(random.next());
    }
    const auto m = model::load(sealed_again(changed));
    if (!m)
      continue;
    const std::vector<double> row(m->features().size(), 0.5);
    const auto s = m->score(row);
    CHECK((s.raw > 0 && s.raw < 1));
  }
}
