// heed metric bleu, heed metric chrf: scores of translations on standard input against files of references, with the
// digits that sacreBLEU prints.
#include <optional>

#include "heed/base/json.h"
#include "heed/cli/commands.h"
#include "heed/cli/files.h"
#include "heed/metrics/bleu.h"
#include "heed/metrics/chrf.h"

namespace heed::cli {
namespace {

// What both metrics are given, and how they report.
class Scoring {
 public:
  explicit Scoring(Command& command) : command_(command) {
    Options& options = command.options();
    options.add("reference", reference_files_, "Reference translation, a line for each").required();
    options.add("input", input_, "Translations to score, plain, gzip or zstd; - is standard input");
    options.add("baseline", baseline_, "Translations of another system: is the difference by chance?")
        .value_name("FILE");
  }

  // Call after the metric's own options.
  void add_reporting() {
    Options& options = command_.options();
    options.section("Report");
    options.add("width", width_, "Decimals of the score").range(0, 15);
    options.add("confidence", confidence_, "Also the 95 % interval, by bootstrap resampling");
    options.add("samples", bootstrap_.samples, "Samples of the bootstrap").range(2, 1000000);
    options.add("seed", bootstrap_.seed, "Seed of the bootstrap");
    options.add("sentence-level", by_sentence_, "A score for each line instead of one for all");
    command_.use_json();
  }

  void read() {
    check<UsageError>(!by_sentence_ || (!confidence_ && !baseline_),
                      "--sentence-level goes with neither --confidence nor --baseline");
    std::vector<std::vector<std::string>> files;
    for (const std::filesystem::path& file : reference_files_) files.push_back(read_lines(file));
    references_ = metrics::references_by_segment(files);
    hypotheses_ = read_lines(input_);
    if (baseline_) baseline_lines_ = read_lines(*baseline_);
  }

  const std::vector<std::string>& hypotheses() const { return hypotheses_; }
  const metrics::References& references() const { return references_; }
  // Set if an interval is wanted.
  std::optional<metrics::BootstrapOptions> bootstrap() const {
    return confidence_ || baseline_ ? std::optional(bootstrap_) : std::nullopt;
  }
  bool by_sentence() const { return by_sentence_; }

  // Prints a number for each line.
  template <class ScoreOf>
  void report_sentences(const char* key, const ScoreOf& score_of) {
    for (size_t i = 0; i < hypotheses_.size(); ++i) {
      const double score = score_of(hypotheses_[i], references_[i]);
      const bool json = command_.common().json;
      command_.output().line(json ? Json{{key, score}}.dump() : fmt::format("{:.{}f}", score, width_));
    }
  }

  // Prints the score of all lines: `line` as sacreBLEU does, or `json`, which holds the score and its details.
  // `paired` compares with the baseline.
  template <class Score, class Paired>
  void report(const Score& score, const std::string& signature, Json json, const Paired& paired) {
    json["signature"] = signature;
    json["lines"] = hypotheses_.size();
    if (score.confidence)
      json["confidence"] = {{"mean", score.confidence->mean}, {"half_width", score.confidence->half_width}};
    std::optional<metrics::PairedResult> result;
    if (baseline_) {
      result = paired(baseline_lines_, hypotheses_);
      json["baseline"] = {{"score", result->baseline_score}, {"p_value", result->p_value}};
    }
    if (command_.common().json) return command_.output().line(json.dump());
    command_.output().line(score.format(width_, signature));
    if (result)
      command_.output().line(fmt::format("baseline = {:.{}f}, difference = {:+.{}f}, p = {:.4f}",
                                         result->baseline_score, width_, result->system_score - result->baseline_score,
                                         width_, result->p_value));
  }

  const metrics::BootstrapOptions& bootstrap_options() const { return bootstrap_; }

 private:
  Command& command_;
  std::vector<std::filesystem::path> reference_files_;
  std::filesystem::path input_ = "-";
  std::optional<std::filesystem::path> baseline_;
  bool confidence_ = false, by_sentence_ = false;
  int width_ = 2;
  metrics::BootstrapOptions bootstrap_;
  metrics::References references_;
  std::vector<std::string> hypotheses_, baseline_lines_;
};

}  // namespace

int run_metric_bleu(Command& command) {
  metrics::BleuOptions bleu;
  std::string tokenizer = "13a", smoothing = "exp";
  command.example("heed metric bleu --reference test.de < test.hyp", "BLEU as sacreBLEU prints it");
  command.example("heed metric bleu --reference test.de --confidence --json < test.hyp",
                  "an object with the keys bleu, chrf, signature and details, and the 95 % interval");
  command.example("heed metric bleu --reference test.zh --tokenize zh --baseline other.hyp < test.hyp",
                  "Chinese, and whether the difference to another system is by chance");
  command.about(
      "Scores lines against references by BLEU. Give --reference again for further references of the same lines.");
  Scoring scoring(command);
  Options& options = command.options();
  options.add("tokenize", tokenizer, "How to cut lines into words").choices({"13a", "intl", "char", "zh", "none"});
  options.add("lowercase", bleu.lowercase, "Ignore case");
  options.add("smooth", smoothing, "What an order without a match counts as")
      .choices({"exp", "floor", "add-k", "none"});
  options.add("smooth-value", bleu.smooth_value, "Value of floor and add-k").at_least(0).default_text("0.1 and 1");
  options.add("max-order", bleu.max_order, "Longest n-grams").range(1, 100);
  scoring.add_reporting();
  command.parse();
  bleu.tokenizer = metrics::bleu_tokenizer(tokenizer);
  bleu.smoothing = metrics::bleu_smoothing(smoothing);
  scoring.read();

  if (scoring.by_sentence()) {
    metrics::check_segments("BLEU", scoring.hypotheses().size(), scoring.references());
    bleu.effective_order = true;  // a short sentence has no 4-grams
    scoring.report_sentences("bleu", [&](const std::string& hypothesis, const std::vector<std::string>& references) {
      return metrics::sentence_bleu(hypothesis, references, bleu).score;
    });
    return kOk;
  }
  const auto bootstrap = scoring.bootstrap();
  const auto score = metrics::corpus_bleu(scoring.hypotheses(), scoring.references(), bleu, bootstrap);
  Json json = {{"bleu", score.score}};
  if (command.common().json)
    json.update({{"chrf", metrics::corpus_chrf(scoring.hypotheses(), scoring.references()).score},
                 {"precisions", score.precisions},
                 {"counts", score.counts},
                 {"totals", score.totals},
                 {"brevity_penalty", score.brevity_penalty},
                 {"ratio", score.ratio()},
                 {"hyp_len", score.hyp_len},
                 {"ref_len", score.ref_len}});
  const std::string signature = metrics::bleu_signature(bleu, scoring.references(), bootstrap);
  scoring.report(score, signature, std::move(json), [&](const auto& baseline, const auto& system) {
    return metrics::paired_bleu(baseline, system, scoring.references(), bleu, scoring.bootstrap_options());
  });
  return kOk;
}

int run_metric_chrf(Command& command) {
  metrics::ChrfOptions chrf;
  command.example("heed metric chrf --reference test.de < test.hyp", "chrF2 as sacreBLEU prints it");
  command.example("heed metric chrf --word-order 2 --reference test.de --json < test.hyp", "chrF2++, as JSON");
  command.about("Scores lines against references by chrF, the F-score of character n-grams (and words: chrF++).");
  Scoring scoring(command);
  Options& options = command.options();
  options.add("char-order", chrf.char_order, "Longest character n-grams").range(0, 100);
  options.add("word-order", chrf.word_order, "Longest word n-grams; 2 is chrF++").range(0, 100);
  options.add("beta", chrf.beta, "How many times as important recall is").range(1, 100);
  options.add("lowercase", chrf.lowercase, "Ignore case");
  options.add("whitespace", chrf.whitespace, "White space is part of n-grams");
  options.add("eps-smoothing", chrf.eps_smoothing, "Average over all orders, as chrF++.py, Moses and NLTK do");
  scoring.add_reporting();
  command.parse();
  scoring.read();

  if (scoring.by_sentence()) {
    metrics::check_segments("chrF", scoring.hypotheses().size(), scoring.references());
    scoring.report_sentences("chrf", [&](const std::string& hypothesis, const std::vector<std::string>& references) {
      return metrics::sentence_chrf(hypothesis, references, chrf).score;
    });
    return kOk;
  }
  const auto bootstrap = scoring.bootstrap();
  const auto score = metrics::corpus_chrf(scoring.hypotheses(), scoring.references(), chrf, bootstrap);
  Json json = {{"chrf", score.score}, {"name", score.name}};
  if (command.common().json) json["bleu"] = metrics::corpus_bleu(scoring.hypotheses(), scoring.references()).score;
  const std::string signature = metrics::chrf_signature(chrf, scoring.references(), bootstrap);
  scoring.report(score, signature, std::move(json), [&](const auto& baseline, const auto& system) {
    return metrics::paired_chrf(baseline, system, scoring.references(), chrf, scoring.bootstrap_options());
  });
  return kOk;
}

}  // namespace heed::cli
