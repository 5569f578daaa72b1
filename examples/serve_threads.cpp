// serve_threads MODEL_FOLDER SENTENCE…: one model, a thread for each sentence.
#include <heed/heed.h>

#include <iostream>
#include <thread>

int main(int argc, char** argv) try {
  if (argc < 3) return 2;
  const heed::Translator translator(argv[1]);
  const std::vector<std::string> sentences(argv + 2, argv + argc);
  std::vector<std::string> translations(sentences.size());
  std::vector<std::jthread> threads;
  for (size_t i = 0; i < sentences.size(); ++i)
    threads.emplace_back([&, i] { translations[i] = translator.translate(sentences[i]); });
  threads.clear();  // waits for them
  for (const std::string& text : translations) std::cout << text << '\n';
} catch (const heed::Exception& e) {
  return std::cerr << e.what() << '\n', 1;
}
