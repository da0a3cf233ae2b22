// `pulse`: one program, its verbs below runtime/node/cli.
#include <caf/io/all.hpp>
#include <caf/openssl/all.hpp>
#include <CLI/CLI.hpp>

#include "actors/message_types.hpp"
#include "node/cli/cluster_verbs.hpp"
#include "node/cli/model_verbs.hpp"
#include "node/cli/series_verbs.hpp"
#include "node/cli/verbs.hpp"

int main(int argc, char** argv) {
  pulse::register_message_types();
  caf::io::middleman::init_global_meta_objects();
  caf::openssl::manager::init_global_meta_objects();
  CLI::App program("PulseEcom: takes shops' events, scores them, counts them, and tells what is out of the ordinary.",
                   "pulse");
  program.require_subcommand(1);
  program.footer("start here: scripts/run");
  pulse::cli::add_serve_verbs(program);
  pulse::cli::add_tenant_verbs(program);
  pulse::cli::add_event_verbs(program);
  pulse::cli::add_version_verbs(program);
  pulse::cli::add_alert_verbs(program);
  pulse::cli::add_backtest_verb(program);
  pulse::cli::add_source_verbs(program);
  pulse::cli::add_cluster_verbs(program);
  auto* model = program.add_subcommand("model", "models: fit and score without a server");
  model->require_subcommand(1);
  pulse::add_model_verbs(*model);
  pulse::cli::add_tenant_model_verbs(*model);
  auto* series = program.add_subcommand("series", "metric series: detect and forecast without a server");
  series->require_subcommand(1);
  pulse::add_series_verbs(*series);
  try {
    program.parse(argc, argv);
  } catch (const CLI::RuntimeError& e) {
    return e.get_exit_code();
  } catch (const CLI::ParseError& e) {
    // 0 for --help; everything else is wrong use.
    return program.exit(e) == 0 ? 0 : 2;
  }
  return 0;
}
