// The one real broker of these tests, as scripts/kafka has it: killed, stopped, resumed, brought back.
#pragma once

#include <catch2/catch_test_macros.hpp>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <string>

namespace pulse::testing {

class kafka_broker {
public:
  kafka_broker() {
    if (std::getenv("PULSE_KAFKA_DIR") == nullptr)
      SKIP("PULSE_KAFKA_DIR names no Kafka that a test may kill: scripts/test makes one");
  }

  ~kafka_broker() {
    if (stopped_)
      resume();
    if (killed_)
      start();
  }

  nlohmann::json status() const {
    const auto text = output("status --json");
    REQUIRE(nlohmann::json::accept(text));
    return nlohmann::json::parse(text);
  }

  void kill() {
    output("kill 1");
    killed_ = true;
  }

  void start() {
    output("start");
    killed_ = false;
  }

  /// SIGSTOP: connections stay, nobody answers.
  void stop() {
    REQUIRE(::kill(pid(), SIGSTOP) == 0);
    stopped_ = true;
  }

  void resume() {
    ::kill(pid(), SIGCONT);
    stopped_ = false;
  }

private:
  pid_t pid() const {
    return status().at("nodes").at(0).at("pid").get<pid_t>();
  }

  static std::string output(const std::string& arguments) {
    const auto command = std::string(PULSE_SOURCE_DIR "/scripts/kafka ") + arguments;
    FILE* pipe = ::popen(command.c_str(), "r");
    REQUIRE(pipe != nullptr);
    std::string out;
    char piece[512];
    for (std::size_t n = 0; (n = std::fread(piece, 1, sizeof piece, pipe)) > 0;)
      out.append(piece, n);
    INFO(command << ": " << out);
    REQUIRE(::pclose(pipe) == 0);
    return out;
  }

  bool killed_ = false;
  bool stopped_ = false;
};

} // namespace pulse::testing
