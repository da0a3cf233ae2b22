// cluster: who is there, who owns what, who is to go.
#pragma once

namespace CLI {
class App;
} // namespace CLI

namespace pulse::cli {

void add_cluster_verbs(CLI::App& program);

} // namespace pulse::cli
