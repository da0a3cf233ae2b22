// Tables of numbers from CSV: what is read, what is missing, what is refused and where.
#include <cmath>

#include <catch2/catch_test_macros.hpp>

#include "models/csv/table.hpp"
#include "models/detection/score_table.hpp"

using namespace pulse;

TEST_CASE("a table is read with its header, quotes and line ends", "[csv]") {
  const auto t = csv::read_numbers("\xef\xbb\xbf"
                                   "a,\"b,\"\"q\"\"\", c \r\n1,\"2\",3e2\r\n\r\n-4,+5,.5\n")
                     .value();
  CHECK(t.columns == std::vector<std::string>{"a", "b,\"q\"", "c"});
  CHECK(t.rows == 2);
  CHECK(t.values == std::vector<double>{1, 2, 300, -4, 5, 0.5});
  CHECK(t.find("c") == 2u);
  CHECK_FALSE(t.find("d").has_value());
}

TEST_CASE("missing and infinite values are numbers too", "[csv]") {
  const auto t = csv::read_numbers("a,b,c\n,NA,nan\ninf,-Infinity,1e999\n-1e999,1e-999,null\n").value();
  for (auto i : {0, 1, 2, 8})
    CHECK(std::isnan(t.values[static_cast<std::size_t>(i)]));
  CHECK(t.values[3] == INFINITY);
  CHECK(t.values[4] == -INFINITY);
  CHECK(t.values[5] == INFINITY);
  CHECK(t.values[6] == -INFINITY);
  CHECK(t.values[7] == 0);
}

TEST_CASE("a skipped column may hold any text", "[csv]") {
  const auto t =
      csv::read_numbers("a,label,b\n1,fraud,2\n3,\"no\nfraud\",4\n", [](auto name) { return name != "label"; }).value();
  CHECK(t.columns == std::vector<std::string>{"a", "b"});
  CHECK(t.values == std::vector<double>{1, 2, 3, 4});
}

TEST_CASE("what is no table is refused with its line", "[csv]") {
  CHECK_FALSE(csv::read_numbers("").ok());
  CHECK(csv::read_numbers("a,b\n1,2\n3\n").err().detail.starts_with("line 3"));
  CHECK(csv::read_numbers("a\n1\nx1\n").err().detail == "line 3: x1 in column a is no number");
  CHECK(csv::read_numbers("a\n\"1\n").err().detail.starts_with("line 2"));
  CHECK(csv::read_numbers("a\n\"1\"2\n").err().code == ec::malformed);
  CHECK(csv::read_numbers("a,a\n1,2\n").err().code == ec::invalid);
  CHECK(csv::read_numbers("a\n").value().rows == 0);
}

TEST_CASE("a written number reads back as the same double", "[csv]") {
  for (auto x : {0.1, 1e-300, 123456789.123, -0.0, 1.0 / 3})
    CHECK(*csv::parse_number(csv::number(x)) == x);
  CHECK(csv::number(NAN).empty());
  CHECK(csv::quote("a\"b") == "\"a\"\"b\"");
}

TEST_CASE("a scored table finds its columns by name and keeps the input's order", "[csv][detection][f:5.1]") {
  std::vector<double> values;
  for (int i = 0; i < 300; ++i)
    values.insert(values.end(), {i % 17 * 1.0, i % 5 * 1.0});
  const auto m = detection::fit({values, 300, 2}, {"a", "b,c"}, {.n_estimators = 5}).value();
  const auto t = csv::read_numbers("id,\"b,c\",a\nx,2,3\ny,2,400\n", [](auto name) { return name != "id"; }).value();
  const auto columns = detection::match_columns(m, t).value();
  CHECK(detection::pick_row(t, columns, 1) == std::vector<double>{400, 2});
  CHECK(detection::score_header(2) == "row,score,risk,reason_1,contribution_1,reason_2,contribution_2\n");
  const auto line = detection::score_line(m, 1, detection::pick_row(t, columns, 1), 3);
  CHECK(line.starts_with("1,0."));
  CHECK(line.find(",a,") < line.find(",\"b,c\","));
  CHECK(line.ends_with(",,\n"));
  const auto other = csv::read_numbers("a\n1\n").value();
  CHECK(detection::match_columns(m, other).err().detail.find("\"b,c\"") != std::string::npos);
}

TEST_CASE("a name that begins with a byte order mark is written so that it is read again", "[csv]") {
  const auto written = csv::quote("\xef\xbb\xbfname") + ",b\n1,2\n";
  const auto table = csv::read_numbers(written);
  REQUIRE(table.ok());
  CHECK(table->columns.front() == "\xef\xbb\xbfname");
}

TEST_CASE("a table that semicolons separate is refused by that name", "[csv]") {
  CHECK(csv::read_numbers("a;b\n1;2\n").err().detail.find("by commas") != std::string::npos);
  CHECK(csv::read_numbers("\"a;b\",c\n1,2\n").ok());
}

TEST_CASE("columns of words stand by the places of their words", "[csv][f:5.1]") {
  std::vector<csv::word_column> words{{"country", {}}};
  const auto table = csv::read_numbers("amount,country\n1,DE\n2,\n3, NA \n4,DE\n", {}, words);
  REQUIRE(table.ok());
  CHECK(words[0].levels == std::vector<std::string>{"DE", "NA"});
  CHECK(table->values[1] == 0);
  CHECK(std::isnan(table->values[3]));
  CHECK(table->values[5] == 1);
  CHECK(table->values[7] == 0);
  // Of a model that knows its words no more are taken.
  words[0].closed = true;
  const auto other = csv::read_numbers("country,amount\nFR,1\nNA,2\n", {}, words);
  REQUIRE(other.ok());
  CHECK(other->values[0] == -1);
  CHECK(other->values[2] == 1);
  CHECK(words[0].levels.size() == 2);
  std::vector<csv::word_column> none{{"city", {}}};
  CHECK(csv::read_numbers("amount\n1\n", {}, none).err().detail == "there is no column city: it has amount");
  std::string many = "id\n";
  for (std::size_t i = 0; i <= csv::words_max; ++i)
    many += "n" + std::to_string(i) + "\n";
  std::vector<csv::word_column> id{{"id", {}}};
  CHECK(csv::read_numbers(many, {}, id).err().detail.find("4096 different words") != std::string::npos);
}
