// heed bench translate: the speed of decoding with a key-value cache, at a forced length.
#include <chrono>

#include "heed/base/threads.h"
#include "heed/cli/bench_model.h"
#include "heed/cli/commands.h"
#include "heed/decode/decode.h"

namespace heed::cli {

int run_bench_translate(Command& command) {
  BenchModel bench;
  int beam = 1, runs = 5, new_tokens = 0;
  command.about(
      "Measures the translation of one batch of random sentences into as many tokens as the source has, whatever\n"
      "the model says of its end.");
  command.example("heed bench translate --preset base --sentences 32 --length 25 --beam 4 --json", "");
  command.example("heed bench translate --preset base --sentences 512 --device cuda --dtype bf16", "");
  bench.add_to(command, false);
  command.use_dtype();
  command.options().add("beam", beam, "Width of the beam; 1 is greedy search").range(1, 1024);
  command.options().add("new-tokens", new_tokens, "Tokens of each translation; 0: as --length").range(0, 4096);
  command.options().add("runs", runs, "Runs measured, after one that is not").range(1, 10000);
  command.parse();

  const auto model = bench.load(command);
  Random random(command.common().seed);
  const Ragged sources = bench.sentences(random);
  decode::Options options;
  options.beam = beam;
  options.scores = beam > 1;
  options.max_new_tokens = options.min_new_tokens = new_tokens > 0 ? new_tokens : bench.length();
  options.eos = {model->eos_id()};
  options.ignore_eos = true;
  std::vector<double> times, cpu_times;
  for (int i = 0; i <= runs; ++i) {
    const auto begin = std::chrono::steady_clock::now();
    const double cpu_begin = cpu_seconds();
    const auto result = decode::decode_batch(*model, sources, options);
    if (i > 0) times.push_back(std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count());
    if (i > 0) cpu_times.push_back(cpu_seconds() - cpu_begin);
    check(result.size() == static_cast<size_t>(sources.rows()), "decoding lost sentences");
  }
  const Summary run = summarise(times);
  const double tokens = static_cast<double>(sources.rows()) * options.max_new_tokens;
  const Json report{{"what", "translate"},
                    {"device", name_of(command.common().device)},
                    {"preset", bench.preset()},
                    {"dtype", name_of(command.common().dtype.value_or(DType::kF32))},
                    {"threads", thread_count()},
                    {"sentences", sources.rows()},
                    {"beam", beam},
                    {"new_tokens", options.max_new_tokens},
                    {"ms", run.median * 1e3},
                    {"ms_min", run.low * 1e3},
                    {"ms_max", run.high * 1e3},
                    {"cpu_ms_min", summarise(cpu_times).low * 1e3},
                    {"ms_per_step", run.median * 1e3 / options.max_new_tokens},
                    {"tokens_per_s", tokens / run.median},
                    {"sentences_per_s", sources.rows() / run.median},
                    {"peak_bytes", peak_memory()}};
  if (command.common().json) command.output().line(report.dump());
  else
    command.output().line(fmt::format("{}, {} sentences, beam {}: {} ({:.1f} ms, {:.1f} to {:.1f})", bench.preset(),
                                      sources.rows(), beam, format_rate(tokens / run.median, "target tokens"),
                                      run.median * 1e3, run.low * 1e3, run.high * 1e3));
  return kOk;
}

}  // namespace heed::cli
