// Trainings' records that the tests of inspect/ make for themselves.
#pragma once

#include <cmath>
#include <string>

#include "heed/base/error.h"
#include "heed/base/files.h"
#include "heed/inspect/training_log.h"
#include "shared_files.h"

namespace heed::inspect {

inline std::string step_line(int step, double loss, bool targets = true) {
  return fmt::format(
      "{{\"step\":{},\"epoch\":{},\"loss\":{},\"learning_rate\":{},\"gradient_norm\":1,"
      "\"targets_per_second\":{},{}\"skipped\":0,\"seconds\":{}}}\n",
      step, step / 100, loss, 0.001 * step / 200, 900 + step % 7,
      targets ? fmt::format("\"targets\":{},", 32 * step) : "", step * 0.5);
}

inline std::string validation_line(int step, double loss, double accuracy, bool best, const char* weights = "current") {
  return fmt::format(
      "{{\"step\":{},\"weights\":\"{}\",\"valid\":{{\"loss\":{},\"perplexity\":{},\"accuracy\":{}}},"
      "\"best\":{},\"seconds\":{}}}\n",
      step, weights, loss, std::exp(loss), accuracy, best, step * 0.5 + 1);
}

// 200 steps: the loss falls from 10 to 0.5, every 50 steps a validation, the third of them the best.
inline std::string run_text() {
  std::string text;
  for (int step = 10; step <= 200; step += 10) {
    text += step_line(step, 0.5 + 95.0 / step);
    if (step % 50 == 0) text += validation_line(step, 1 + 20.0 / step, 0.5 + 0.001 * (step % 200), step <= 150);
  }
  return text + validation_line(200, 1.05, 0.6, false, "average");
}

inline TrainingLog make_run(const testing::TemporaryFolder& folder, const std::string& name,
                            const std::string& text = run_text()) {
  std::filesystem::create_directories(folder / name);
  write_file_atomically(folder / name / "metrics.jsonl", text);
  return read_training_log(folder / name);
}

}  // namespace heed::inspect
