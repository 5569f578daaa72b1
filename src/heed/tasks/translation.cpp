#include "heed/tasks/translation.h"

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <thread>

#include "heed/base/log.h"
#include "heed/base/threads.h"
#include "heed/data/length_groups.h"
#include "heed/io/config_reader.h"
#include "heed/io/model_folder.h"
#include "heed/models/registry.h"

namespace heed::tasks {
namespace {

// Lines of one window: their ids, and where their translations go.
struct Window {
  uint64_t first_line = 0;
  std::vector<std::vector<int32_t>> ids;  // empty for an empty line
};

// The ids of a line, cut to the positions that the model has (its end token stays).
std::vector<int32_t> encode_line(const TranslationModel& m, const std::string& line, TranslateReport& report) {
  ++report.lines;
  if (line.find_first_not_of(" \t\r\n\v\f") == std::string::npos) {
    ++report.empty;
    return {};
  }
  std::vector<int32_t> ids = m.tokenizer.encode_source(line);
  const auto most = static_cast<size_t>(m.model->max_length());
  if (ids.size() > most) {
    ++report.cut;
    ids[most - 1] = ids.back();
    ids.resize(most);
  }
  report.source_tokens += ids.size();
  return ids;
}

Translation to_translation(const TranslationModel& m, decode::Hypothesis&& h) {
  if (!h.ids.empty() && h.finished) h.ids.pop_back();
  return {m.tokenizer.decode_target(h.ids), h.score, h.sum_log_prob, std::move(h.ids), std::move(h.token_log_probs)};
}

// Decodes one group of a window's lines.
void translate_group(const TranslationModel& m, const decode::Options& options, const Window& window,
                     const std::vector<uint32_t>& group, std::vector<std::vector<Translation>>& results) {
  Ragged sources;
  std::vector<uint64_t> lines;
  for (const uint32_t i : group) {
    sources.append(window.ids[i]);
    lines.push_back(window.first_line + i);
  }
  auto decoded = decode::decode_batch(*m.model, sources, options, lines);
  for (size_t k = 0; k < group.size(); ++k)
    for (auto& hypothesis : decoded[k]) results[group[k]].push_back(to_translation(m, std::move(hypothesis)));
}

// All groups of a window, by `workers` threads that take the next group as they become free.
std::vector<std::vector<Translation>> translate_window(const TranslationModel& m, const TranslateOptions& options,
                                                       const Window& window) {
  std::vector<std::vector<Translation>> results(window.ids.size());
  std::vector<uint32_t> lengths, line_of;
  for (uint32_t i = 0; i < window.ids.size(); ++i) {
    if (window.ids[i].empty()) {
      results[i].push_back({});
      continue;
    }
    lengths.push_back(static_cast<uint32_t>(window.ids[i].size()));
    line_of.push_back(i);
  }
  auto groups = data::length_groups(lengths, options.batch_size);
  for (auto& group : groups)
    for (uint32_t& i : group) i = line_of[i];
  std::mutex mutex;
  size_t next = 0;
  std::exception_ptr error;
  const auto work = [&] {
    set_thread_count(options.threads_per_worker);
    for (;;) {
      size_t mine;
      {
        const std::lock_guard lock(mutex);
        if (next >= groups.size() || error) return;
        mine = next++;
      }
      try {
        translate_group(m, options.decode, window, groups[mine], results);
      } catch (...) {
        const std::lock_guard lock(mutex);
        if (!error) error = std::current_exception();
      }
    }
  };
  const int before = thread_count();
  std::vector<std::jthread> others;
  for (int i = 1; i < std::min<int>(options.workers, static_cast<int>(groups.size())); ++i) others.emplace_back(work);
  work();
  others.clear();
  set_thread_count(before);
  if (error) std::rethrow_exception(error);
  return results;
}

}  // namespace

TranslationModel TranslationModel::load(const std::filesystem::path& path) {
  const io::ModelFolder folder = io::ModelFolder::open(path);
  std::shared_ptr<const models::Seq2SeqModel> model = models::load_seq2seq(folder);
  text::MarianTokenizer tokenizer = text::MarianTokenizer::load(path);
  check<FormatError>(tokenizer.target_vocab_size() <= model->vocab_size(),
                     "{}: the tokenizer has {} target tokens, the model only {}", path.string(),
                     tokenizer.target_vocab_size(), model->vocab_size());
  return {std::move(model), std::move(tokenizer)};
}

decode::Options generation_defaults(const models::Seq2SeqModel& model) {
  Json merged = model.config();
  if (model.generation_config()) merged.update(*model.generation_config());
  const io::ConfigReader r(merged, "generation_config.json");
  const int vocab = model.vocab_size();
  decode::Options o;
  o.beam = r.get_or<int>("num_beams", 1, 1, 1024);
  o.length_penalty = r.get_or<double>("length_penalty", 1.0, -100, 100);
  o.max_length = r.get_or<int>("max_length", 0, 0, io::kMaxPositions);
  o.max_new_tokens = r.get_or<int>("max_new_tokens", 0, 0, io::kMaxPositions);
  o.min_length = r.get_or<int>("min_length", 0, 0, io::kMaxPositions);
  o.do_sample = r.get_or("do_sample", false);
  o.temperature = r.get_or<float>("temperature", 1.0f, 0, 1e6);
  o.top_k = r.get_or<int>("top_k", 50, 0, io::kMaxVocab);
  o.top_p = r.get_or<double>("top_p", 1.0, 0, 1);
  o.repetition_penalty = r.get_or<float>("repetition_penalty", 1.0f, 1e-6, 1e6);
  o.no_repeat_ngram_size = r.get_or<int>("no_repeat_ngram_size", 0, 0, 1024);
  for (const auto& word : r.id_lists("bad_words_ids")) o.bad_words_ids.emplace_back(word.begin(), word.end());
  for (const int id : r.ids("suppress_tokens")) o.suppress_tokens.push_back(id);
  o.forced_bos = r.get_or<int>("forced_bos_token_id", -1, 0, vocab - 1);
  for (const int id : r.ids("forced_eos_token_id")) o.forced_eos.push_back(id);
  for (const int id : r.ids("eos_token_id")) o.eos.push_back(id);
  if (o.eos.empty()) o.eos.push_back(model.eos_id());
  // Padding is no word: a folder that says nothing of it means that too.
  if (o.bad_words_ids.empty() && model.pad_id() >= 0) o.bad_words_ids.push_back({model.pad_id()});
  if (o.max_length == 0) o.max_length = model.max_length();
  return o;
}

TranslateReport translate_stream(const TranslationModel& model, const TranslateOptions& options,
                                 const std::function<std::optional<std::string>()>& next_line,
                                 const std::function<void(std::vector<Translation>&&)>& write) {
  TranslateReport report;
  for (bool more = true; more;) {
    Window window;
    window.first_line = report.lines;
    while (window.ids.size() < options.window) {
      const std::optional<std::string> line = next_line();
      if (!line) {
        more = false;
        break;
      }
      window.ids.push_back(encode_line(model, *line, report));
    }
    for (auto& translations : translate_window(model, options, window)) {
      report.target_tokens += translations.at(0).ids.size();
      write(std::move(translations));
    }
  }
  if (report.cut > 0)
    log().warn("{} of {} lines were cut to the {} positions that the model has", report.cut, report.lines,
               model.model->max_length());
  return report;
}

std::vector<std::string> translate_lines(const TranslationModel& model, const TranslateOptions& options,
                                         const std::vector<std::string>& lines) {
  std::vector<std::string> results;
  size_t next = 0;
  translate_stream(
      model, options,
      [&]() -> std::optional<std::string> {
        if (next == lines.size()) return std::nullopt;
        return lines[next++];
      },
      [&](std::vector<Translation>&& t) { results.push_back(std::move(t.at(0).text)); });
  return results;
}

std::vector<PairScore> score_pairs(const TranslationModel& m, const std::vector<std::string>& sources,
                                   const std::vector<std::string>& targets, size_t batch_size) {
  check<DataError>(sources.size() == targets.size(), "{} source lines and {} target lines", sources.size(),
                   targets.size());
  const NoGrad no_grad;
  std::vector<PairScore> scores(sources.size());
  for (size_t begin = 0; begin < sources.size(); begin += batch_size) {
    const size_t end = std::min(begin + batch_size, sources.size());
    models::Seq2SeqBatch batch;
    for (size_t i = begin; i < end; ++i) {
      batch.source.append(m.tokenizer.encode_source(sources[i]));
      batch.target.append(m.tokenizer.encode_target(targets[i]));
    }
    const auto result = m.model->loss(batch, {0, 1, {}});
    for (size_t i = begin; i < end; ++i) {
      const int row = static_cast<int>(i - begin);
      for (int t = 0; t < batch.target.length(row); ++t) {
        const int32_t at = batch.target.offsets[static_cast<size_t>(row)] + t;
        scores[i].token_log_probs.push_back(-result.nll.data<float>()[at]);
        scores[i].sum_log_prob -= result.nll.data<float>()[at];
        scores[i].tokens.push_back(m.tokenizer.target_token(batch.target.ids[static_cast<size_t>(at)]));
      }
    }
  }
  return scores;
}

}  // namespace heed::tasks
