// translate MODEL_FOLDER: translates each line of standard input, three translations each, with their scores.
#include <heed/heed.h>

#include <iostream>

int main(int argc, char** argv) try {
  const heed::Translator translator(argc > 1 ? argv[1] : "model");
  heed::TranslateOptions options;
  options.beam = 5;
  options.n_best = 3;
  options.max_new_tokens = 80;
  for (std::string line; std::getline(std::cin, line);) {
    const auto translations = translator.n_best({line}, options);
    for (const auto& t : translations.front()) std::cout << t.score << '\t' << t.text << '\n';
  }
} catch (const heed::Exception& e) {
  std::cerr << e.what() << '\n';
  return 1;
}
