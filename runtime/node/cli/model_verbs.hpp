// `pulse model fit` and `pulse model score`: the detector over CSV files, without a server.
#pragma once

namespace CLI {
class App;
} // namespace CLI

namespace pulse {

/// Adds `fit` and `score` below the `model` command. Their callbacks end in CLI::RuntimeError(1) when the work fails;
/// wrong use is CLI11's own ParseError.
void add_model_verbs(CLI::App& model_command);

} // namespace pulse
