// The program `heed`: a table from the names of subcommands to their functions. One file per subcommand holds the
// function; what they have in common is in command.h and program.h.
#include <malloc.h>
#include <unistd.h>

#include "heed/cli/commands.h"
#include "heed/cli/program.h"
#include "heed/cli/signals.h"
#include "heed/cli/terminal.h"

namespace {

// Each product of oneDNN takes megabytes of scratch. glibc would return them to the system each time and fetch them
// again, zeroed: 3 % of a training step.
void keep_freed_memory() {
  mallopt(M_MMAP_THRESHOLD, 32 << 20);
  mallopt(M_TRIM_THRESHOLD, 512 << 20);
}

}  // namespace

int main(int argc, char** argv) {
  using namespace heed::cli;
  keep_freed_memory();
  const std::vector<Entry> table = {
      {"train translation", "train a translation model on parallel text", &run_train_translation},
      {"train classification", "train a classifier on labelled texts", &run_train_classification},
      {"train image-classification", "train a classifier on labelled images", &run_train_image_classification},
      {"train tagging", "train a tagger of words (named entities)", &run_train_tagging},
      {"train question-answering", "train a model that finds answers in texts", &run_train_question_answering},
      {"train language-model", "train a language model on running text", &run_train_language_model},
      {"train masked-lm", "train a text encoder to fill in hidden tokens", &run_train_masked_lm},
      {"train denoise", "train an encoder-decoder to restore corrupted text", &run_train_denoise},
      {"train summarization", "train a model on documents with summaries", &run_train_summarization},
      {"translate", "translate lines of text", &run_translate},
      {"summarize", "summarize documents", &run_summarize},
      {"generate", "continue prompts, chat, or answer sources", &run_generate},
      {"perplexity", "how well a language model predicts text", &run_perplexity},
      {"score", "log-probabilities of given translations", &run_score},
      {"evaluate translation", "translate a test set and score it", &run_evaluate_translation},
      {"evaluate classification", "classify labelled texts and score the result", &run_evaluate_classification},
      {"evaluate image-classification", "classify labelled images and score the result",
       &run_evaluate_image_classification},
      {"evaluate tagging", "score a tagger", &run_evaluate_tagging},
      {"evaluate question-answering", "score answers to SQuAD's questions", &run_evaluate_question_answering},
      {"evaluate language-model", "how well a language model predicts text, in training's windows",
       &run_evaluate_language_model},
      {"evaluate masked-lm", "how well an encoder fills in hidden tokens", &run_evaluate_masked_lm},
      {"evaluate summarization", "summarize documents and score the result", &run_evaluate_summarization},
      {"evaluate denoise", "how well an encoder-decoder restores corrupted text", &run_evaluate_denoise},
      {"classify", "labels of texts and of pairs of texts", &run_classify},
      {"tag", "entities in texts", &run_tag},
      {"answer", "answers to questions, out of texts", &run_answer},
      {"fill-mask", "the likeliest tokens in place of a mask", &run_fill_mask},
      {"embed", "a vector for each text", &run_embed},
      {"classify-image", "labels of images", &run_classify_image},
      {"metric bleu", "BLEU of given translations", &run_metric_bleu},
      {"metric chrf", "chrF of given translations", &run_metric_chrf},
      {"metric rouge", "ROUGE of given summaries", &run_metric_rouge},
      {"metric entities", "precision, recall and F1 of tagged text", &run_metric_entities},
      {"metric classes", "accuracy, F1 and correlation of labels", &run_metric_classes},
      {"tokenizer train", "train a tokenizer on text", &run_tokenizer_train},
      {"tokenizer encode", "text to tokens or ids", &run_tokenizer_encode},
      {"tokenizer decode", "tokens or ids to text", &run_tokenizer_decode},
      {"average", "average the weights of models", &run_average},
      {"curves", "draw what trainings did", &run_curves},
      {"attention", "what the decoder looks at, as a picture", &run_attention},
      {"convert", "write a model folder anew: element type, shards", &run_convert},
      {"info", "what a model folder holds", &run_info},
      {"verify", "hold a model against its recordings, or another model", &run_verify},
      {"bench train", "speed of a training step", &run_bench_train},
      {"bench translate", "speed of translation", &run_bench_translate},
      {"bench attention", "speed of attention alone", &run_bench_attention},
      {"demo-corpus", "write a small English-Chinese corpus made from a grammar", &run_demo_corpus},
  };
  ignore_broken_pipes();
  Output output(STDOUT_FILENO);
  Console console(STDERR_FILENO, process_environment());
  return run_program(table, Strings(argv + 1, argv + argc),
                     {output, console, process_environment(), is_terminal(STDIN_FILENO)});
}
