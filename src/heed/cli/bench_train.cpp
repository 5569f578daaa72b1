// heed bench train: the speed of one training step, forward, backward and Adam.
#include <chrono>
#include <cmath>

#include "heed/base/threads.h"
#include "heed/cli/bench_model.h"
#include "heed/cli/commands.h"
#include "heed/cli/train_options.h"
#include "heed/optim/optimizer.h"
#include "heed/tensor/backends.h"

namespace heed::cli {
namespace {

double seconds_since(std::chrono::steady_clock::time_point begin) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

}  // namespace

int run_bench_train(Command& command) {
  BenchModel bench;
  int steps = 10, warm_up = 3;
  float smoothing = 0.1f;
  std::string dtype = "auto";
  command.about(
      "Measures training steps (forward, backward, Adam) on random sentences at the given shapes. Tokens are real\n"
      "target tokens; the floor is what the matrix products alone would take at this machine's measured rate in f32.");
  command.example("heed bench train --preset tiny --sentences 315 --length 13 --jitter 2 --json", "");
  command.example("heed bench train --preset decoder --vocab 50257 --sentences 32 --length 1024 --device cuda", "");
  bench.add_to(command, true);
  command.options().add("steps", steps, "Steps measured").range(1, 100000);
  command.options().add("warm-up", warm_up, "Steps before").range(0, 1000);
  command.options().add("label-smoothing", smoothing, "Of the loss").range(0, 0.99);
  add_dtype(command.options(), dtype);
  command.parse();

  Random random(command.common().seed);
  const BenchTraining training = bench.training(command, random);
  nn::ParameterStore& parameters = training.model->parameters();
  const Device device = command.common().device;
  const DType product = product_dtype(dtype, device);
  parameters.compute_in(product);
  optim::Optimizer adam(parameters, {0, 0.9f, 0.98f, 1e-9f, 0, true, 1, 0});
  const auto tokens = static_cast<double>(training.targets);
  Backend& on = backend(device);
  std::vector<double> step_times, forward_times, backward_times, cpu_times;
  float loss = 0;
  for (int i = 0; i < warm_up + steps; ++i) {
    const auto begin = std::chrono::steady_clock::now();
    const double cpu_begin = cpu_seconds();
    parameters.clear_gradients();
    const auto result = training.loss({smoothing, tokens, {true, static_cast<uint64_t>(i), nullptr}});
    const double forward = seconds_since(begin);
    backward(result.loss);
    const double both = seconds_since(begin);
    parameters.complete_gradients();
    const double norm = std::sqrt(on.sum_of_squares(parameters.gradients().view()));
    adam.step(parameters, 1e-4, std::isfinite(norm) ? 1.0f : 0.0f);
    loss = result.loss.item();
    on.synchronize();
    if (i < warm_up) continue;
    step_times.push_back(seconds_since(begin));
    cpu_times.push_back(cpu_seconds() - cpu_begin);
    forward_times.push_back(forward);
    backward_times.push_back(both - forward);
  }
  const Summary step = summarise(step_times);
  const double operations = 6 * training.forward_products;
  const double floor = operations / matrix_product_peak(device);
  Json report{{"what", "train_step"},
              {"device", name_of(device)},
              {"preset", bench.preset()},
              {"dtype", name_of(product)},
              {"threads", thread_count()},
              {"parameters", parameters.count()},
              {"sentences", bench.sentence_count()},
              {"target_tokens", training.targets},
              {"tokens_per_s", tokens / step.median},
              {"ms_per_step", step.median * 1e3},
              {"ms_min", step.low * 1e3},
              {"ms_max", step.high * 1e3},
              {"cpu_ms_min", summarise(cpu_times).low * 1e3},
              {"gflop", operations / 1e9},
              {"share_of_floor", floor / step.median},
              {"peak_bytes", peak_memory()},
              {"loss", loss}};
  if (device.is_host()) {
    report["forward_ms"] = summarise(forward_times).median * 1e3;
    report["backward_ms"] = summarise(backward_times).median * 1e3;
  } else {  // where both only launch what is computed later
    report["device_bytes"] = memory_taken(device);
  }
  if (command.common().json) command.output().line(report.dump());
  else
    command.output().line(fmt::format(
        "{} in {}: {} ({:.1f} ms a step, {:.1f} to {:.1f}), {:.0f} % of f32 matrix products' rate, {} at most",
        bench.preset(), product_dtype_text(product, device), format_rate(tokens / step.median, "target tokens"),
        step.median * 1e3, step.low * 1e3, step.high * 1e3, 100 * floor / step.median, format_bytes(peak_memory())));
  return kOk;
}

}  // namespace heed::cli
