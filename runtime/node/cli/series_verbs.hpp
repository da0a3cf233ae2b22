// `pulse series detect` and `pulse series forecast`: the metric detector and the forecasters over CSV files, without a
// server.
#pragma once

namespace CLI {
class App;
} // namespace CLI

namespace pulse {

/// Adds `detect` and `forecast` below the `series` command. Their callbacks end in CLI::RuntimeError(1) when the work
/// fails; wrong use is CLI11's own ParseError.
void add_series_verbs(CLI::App& series_command);

} // namespace pulse
