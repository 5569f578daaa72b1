// train SOURCE TARGET OUTPUT_FOLDER STEPS: trains a small model, or goes on with it.
#include <heed/heed.h>

#include <iostream>

int main(int argc, char** argv) try {
  if (argc != 5) return 2;
  heed::TrainingOptions options;
  options.source = argv[1], options.target = argv[2], options.output = argv[3];
  options.resume = true;
  options.max_steps = std::stoll(argv[4]);
  heed::TrainingHooks hooks;
  hooks.stepped = [](const heed::TrainingStep& s) { std::cout << s.step << '\t' << s.loss << std::endl; };
  return heed::train_translation(options, hooks).saved ? 0 : 1;
} catch (const std::exception& e) {
  std::cerr << e.what() << '\n';
  return 1;
}
