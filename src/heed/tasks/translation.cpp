#include "heed/tasks/translation.h"

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <span>
#include <thread>

#include "heed/base/log.h"
#include "heed/base/threads.h"
#include "heed/data/length_groups.h"
#include "heed/io/model_folder.h"
#include "heed/models/registry.h"

namespace heed::tasks {
namespace {

// Lines of one window: the ids of their parts, and which parts are whose.
struct Window {
  std::vector<std::vector<int32_t>> ids;  // of the parts
  std::vector<uint64_t> examples;         // number them for the random draws
  std::vector<uint32_t> begins{0};        // line l has the parts [begins[l], begins[l + 1]); an empty line has none

  size_t lines() const { return begins.size() - 1; }
};

void append_line(const SourceEncoder& encode, const std::string& line, Window& window, TranslateReport& report) {
  EncodedSource source = encode(line);
  const uint64_t number = report.lines++;
  report.empty += source.parts.empty();
  report.cut += source.cut;
  report.split += source.parts.size() > 1;
  for (uint64_t part = 0; part < source.parts.size(); ++part) {
    report.source_tokens += source.parts[part].size();
    window.ids.push_back(std::move(source.parts[part]));
    window.examples.push_back(number + (part << 40));
  }
  window.begins.push_back(static_cast<uint32_t>(window.ids.size()));
}

Translation to_translation(const TranslationModel& m, decode::Hypothesis&& h) {
  if (!h.ids.empty() && h.finished) h.ids.pop_back();
  return {m.tokenizer->decode(h.ids), h.score, h.sum_log_prob, std::move(h.ids), std::move(h.token_log_probs)};
}

// Decodes one group of a window's parts.
void translate_group(const TranslationModel& m, const decode::Options& options, const Window& window,
                     const std::vector<uint32_t>& group, std::vector<std::vector<Translation>>& results) {
  Ragged sources;
  std::vector<uint64_t> examples;
  for (const uint32_t i : group) {
    sources.append(window.ids[i]);
    examples.push_back(window.examples[i]);
  }
  auto decoded = decode::decode_batch(*m.model, sources, options, examples);
  for (size_t k = 0; k < group.size(); ++k)
    for (auto& hypothesis : decoded[k]) results[group[k]].push_back(to_translation(m, std::move(hypothesis)));
}

// All parts of a window, by `workers` threads that take the next group as they become free.
std::vector<std::vector<Translation>> translate_parts(const TranslationModel& m, const TranslateOptions& options,
                                                      const Window& window) {
  std::vector<std::vector<Translation>> results(window.ids.size());
  std::vector<uint32_t> lengths;
  for (const auto& ids : window.ids) lengths.push_back(static_cast<uint32_t>(ids.size()));
  const auto groups = data::length_groups(lengths, options.batch_size);
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

// The n-best lists of a line's parts as one: the first of each joined, then the second of each, …
std::vector<Translation> joined(std::span<std::vector<Translation>> parts) {
  if (parts.empty()) return {Translation{}};
  if (parts.size() == 1) return std::move(parts[0]);
  size_t count = parts[0].size();
  for (const auto& part : parts) count = std::min(count, part.size());
  std::vector<Translation> result(count);
  for (size_t n = 0; n < count; ++n) {
    Translation& whole = result[n];
    for (const auto& part : parts) {
      const Translation& t = part[n];
      if (!whole.text.empty() && !t.text.empty()) whole.text += ' ';
      whole.text += t.text;
      whole.score += t.score / static_cast<float>(parts.size());
      whole.sum_log_prob += t.sum_log_prob;
      whole.ids.insert(whole.ids.end(), t.ids.begin(), t.ids.end());
      whole.token_log_probs.insert(whole.token_log_probs.end(), t.token_log_probs.begin(), t.token_log_probs.end());
    }
  }
  return result;
}

// What a source may hold: what is asked for, as far as the model has positions.
SourceLimits limits_of(const TranslationModel& m, SourceLimits limits) {
  const auto positions = static_cast<size_t>(m.model->max_length());
  limits.max_tokens = limits.max_tokens == 0 ? positions : std::min(limits.max_tokens, positions);
  return limits;
}

}  // namespace

TranslationModel TranslationModel::load(const std::filesystem::path& path, const models::LoadOptions& options) {
  const io::ModelFolder folder = io::ModelFolder::open(path);
  std::shared_ptr<const models::Seq2SeqModel> model = models::load_seq2seq(folder, options);
  std::shared_ptr<const text::Tokenizer> tokenizer = text::load_tokenizer(folder.path());
  check<FormatError>(tokenizer->vocab_size() <= model->vocab_size(),
                     "{}: the tokenizer has {} target tokens, the model only {}", path.string(),
                     tokenizer->vocab_size(), model->vocab_size());
  return {std::move(model), std::move(tokenizer)};
}

TranslateReport translate_stream(const TranslationModel& model, const TranslateOptions& options,
                                 const std::function<std::optional<std::string>()>& next_line,
                                 const std::function<void(std::vector<Translation>&&)>& write) {
  TranslateReport report;
  const SourceLimits limits = limits_of(model, options.source);
  const SourceEncoder encode(*model.tokenizer, limits);
  for (bool more = true; more;) {
    Window window;
    while (window.lines() < options.window) {
      const std::optional<std::string> line = next_line();
      if (!line) {
        more = false;
        break;
      }
      append_line(encode, *line, window, report);
    }
    auto parts = translate_parts(model, options, window);
    for (size_t l = 0; l < window.lines(); ++l) {
      auto translations = joined(std::span(parts).subspan(window.begins[l], window.begins[l + 1] - window.begins[l]));
      report.target_tokens += translations.at(0).ids.size();
      write(std::move(translations));
    }
  }
  if (report.cut > 0)
    log().warn("{} of {} lines were cut to {} tokens: {}", report.cut, report.lines, limits.max_tokens,
               limits.max_tokens < static_cast<size_t>(model.model->max_length()) ? "no more are asked for"
                                                                                  : "the model has no more positions");
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
                                   const std::vector<std::string>& targets, size_t batch_size,
                                   const std::string& prefix) {
  check<DataError>(sources.size() == targets.size(), "{} source lines and {} target lines", sources.size(),
                   targets.size());
  const auto most = static_cast<size_t>(m.model->max_length());
  const NoGrad no_grad;
  std::vector<PairScore> scores(sources.size());
  for (size_t begin = 0; begin < sources.size(); begin += batch_size) {
    const size_t end = std::min(begin + batch_size, sources.size());
    models::Seq2SeqBatch batch;
    for (size_t i = begin; i < end; ++i) {
      const auto source = m.tokenizer->encode(prefix + sources[i]), target = m.tokenizer->encode_target(targets[i]);
      for (const auto& [name, ids] : {std::pair("source", &source), {"target", &target}})
        check<DataError>(ids->size() <= most, "line {}: a {} of {} tokens, where the model has {} positions", i + 1,
                         name, ids->size(), most);
      batch.source.append(source);
      batch.target.append(target);
    }
    const std::vector<float> nll = m.model->loss(batch, {0, 1, {}}).nll.to_vector<float>();
    for (size_t i = begin; i < end; ++i) {
      const auto first = static_cast<size_t>(batch.target.offsets[i - begin]);
      const auto last = static_cast<size_t>(batch.target.offsets[i - begin + 1]);
      for (size_t at = first; at < last; ++at) {
        scores[i].token_log_probs.push_back(-nll[at]);
        scores[i].sum_log_prob -= nll[at];
        scores[i].tokens.push_back(m.tokenizer->token(batch.target.ids[at]));
      }
    }
  }
  return scores;
}

}  // namespace heed::tasks
