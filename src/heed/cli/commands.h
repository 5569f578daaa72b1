// The functions of the subcommands, one file each, in the order of main.cpp's table. Each returns an exit code and
// throws the library's exceptions.
#pragma once

#include "heed/cli/command.h"

namespace heed::cli {

int run_train_translation(Command& command);
int run_train_classification(Command& command);
int run_train_image_classification(Command& command);
int run_train_tagging(Command& command);
int run_train_question_answering(Command& command);
int run_train_language_model(Command& command);
int run_train_masked_lm(Command& command);
int run_train_denoise(Command& command);
int run_train_summarization(Command& command);
int run_translate(Command& command);
int run_summarize(Command& command);
int run_generate(Command& command);
int run_perplexity(Command& command);
int run_score(Command& command);
int run_evaluate_translation(Command& command);
int run_evaluate_classification(Command& command);
int run_evaluate_image_classification(Command& command);
int run_evaluate_tagging(Command& command);
int run_evaluate_question_answering(Command& command);
int run_evaluate_language_model(Command& command);
int run_evaluate_masked_lm(Command& command);
int run_evaluate_denoise(Command& command);
int run_evaluate_summarization(Command& command);
int run_classify(Command& command);
int run_tag(Command& command);
int run_answer(Command& command);
int run_fill_mask(Command& command);
int run_embed(Command& command);
int run_classify_image(Command& command);
int run_metric_bleu(Command& command);
int run_metric_chrf(Command& command);
int run_metric_rouge(Command& command);
int run_metric_entities(Command& command);
int run_metric_classes(Command& command);
int run_tokenizer_train(Command& command);
int run_tokenizer_encode(Command& command);
int run_tokenizer_decode(Command& command);
int run_average(Command& command);
int run_attention(Command& command);
int run_curves(Command& command);
int run_convert(Command& command);
int run_info(Command& command);
int run_verify(Command& command);
int run_bench_train(Command& command);
int run_bench_attention(Command& command);
int run_bench_translate(Command& command);
int run_demo_corpus(Command& command);

}  // namespace heed::cli
