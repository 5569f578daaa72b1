// score MODEL_FOLDER SOURCE TARGET: the log-probability of a translation, token by token.
#include <heed/heed.h>

#include <iostream>

int main(int argc, char** argv) try {
  if (argc != 4) return 2;
  const heed::PairScore score = heed::Translator(argv[1]).score({argv[2]}, {argv[3]}).front();
  for (size_t i = 0; i < score.tokens.size(); ++i)
    std::cout << score.token_log_probs[i] << '\t' << score.tokens[i] << '\n';
  std::cout << score.sum_log_prob << "\tall\n";
} catch (const heed::Exception& e) {
  std::cerr << e.what() << '\n';
  return 1;
}
