#include "heed/cli/train_options.h"

#include "heed/tensor/backends.h"

namespace heed::cli {
namespace {

constexpr const char* kOfRecipe = "the recipe's";
constexpr double kMost = 1e15;

bool made_by_amd() {
#if defined(__x86_64__)
  return __builtin_cpu_is("amd") != 0;
#else
  return false;
#endif
}

}  // namespace

void add_dtype(Options& o, std::string& dtype) {
  o.add("dtype", dtype, "Of matrix products; weights stay f32. auto: bf16 where that is faster")
      .choices({"auto", "f32", "bf16"});
}

DType product_dtype(const std::string& name, Device device) {
  if (name != "auto") return dtype_from_name(name);
  const std::string_view instructions = backend(device).bf16_instructions();
  if (instructions.empty()) return DType::kF32;
  // Without AMX, bf16 takes 1.7 times as long as f32 on Intel's Emerald Rapids, 0.6 times on AMD's Zen 4.
  return instructions != "AVX512_BF16" || made_by_amd() ? DType::kBF16 : DType::kF32;
}

std::string product_dtype_text(DType dtype, Device device) {
  if (dtype != DType::kBF16) return std::string(name_of(dtype));
  const std::string_view instructions = backend(device).bf16_instructions();
  return fmt::format("bf16 ({})", instructions.empty() ? "emulated: slower than f32" : instructions);
}

void TrainingOptions::add_to(Command& command) {
  Options& o = command.options();
  add_optimizer(o);
  add_course(o);
  command.use_device();
  command.use_threads();
  command.use_seed();
  command.use_json();
}

void TrainingOptions::add_optimizer(Options& o) {
  o.section("Optimizer");
  o.add("optimizer", optimizer_,
        "adam: decay is added to the gradient; adamw: taken off the weights; muon: as adamw, and the matrices within "
        "layers by orthogonal steps")
      .choices({"adam", "adamw", "muon"})
      .default_text(kOfRecipe);
  o.add("learning-rate", learning_rate_, "Highest rate; of the paper's schedule: a factor").default_text(kOfRecipe);
  o.add("schedule", schedule_, "How the rate falls after the warm-up")
      .choices({"inverse-sqrt", "paper", "cosine", "linear", "constant"})
      .default_text(kOfRecipe);
  o.add("warmup", warmup_, "Steps in which the rate rises").range(0, kMost).default_text(kOfRecipe);
  o.add("min-learning-rate", min_learning_rate_, "Where cosine and linear end").at_least(0).default_text(kOfRecipe);
  o.add("beta1", beta1_, "Of Adam").range(0, 0.99999).default_text("0.9");
  o.add("beta2", beta2_, "Of Adam").range(0, 0.99999).default_text(kOfRecipe);
  o.add("momentum", momentum_, "Of Muon").range(0, 0.99999);
  o.add("epsilon", epsilon_, "Of Adam").range(1e-30, 1).default_text(kOfRecipe);
  o.add("weight-decay", weight_decay_, "Of matrices").at_least(0).default_text(kOfRecipe);
  o.add("decay-all", decay_all_, "Weight decay of biases and norms, too");
  o.add("clip-norm", clip_norm_, "Longest gradient; 0: any").at_least(0).default_text("1");
  o.add("checkpoint-activations", recompute_, "Keep only each layer's input and compute it again: less memory, slower");
  o.add("memory-limit", memory_limit_, "In place of the batch's size: the largest whose steps stay below, such as 4GB")
      .value_name("SIZE");
  o.add("shard-optimizer", shard_optimizer_,
        "Where processes train together: each keeps the optimizer's memory of its share of the weights alone");
  o.add("accumulate", accumulate_, "Batches per step").range(1, 1 << 20);
}

void TrainingOptions::add_course(Options& o) {
  o.section("Course");
  o.add("output", output_, "Folder of the model").required();
  // Whether this run begins or goes on says nothing about the next one.
  o.add_for_one_run("resume", resume_, "Go on with the training in --output, if there is one");
  o.add("max-steps", max_steps_, "Steps; 0: any")
      .range(0, kMost)
      .default_text("the recipe's, unless it ends otherwise");
  o.add("max-minutes", max_minutes_, "Minutes, of all runs of this training together; 0: any").at_least(0);
  o.add("max-epochs", max_epochs_, "Passes over the text; 0: any");
  o.add("shuffle", shuffle_, "Draw the order of examples anew in each epoch");
  o.add("patience", patience_, "Validations in a row without a better score before it ends; 0: any").at_least(0);
  o.add("valid-every", valid_every_, "Steps between validations; 0: at the end")
      .range(0, kMost)
      .default_text(kOfRecipe);
  o.add("save-every", save_every_, "Steps between checkpoints; 0: at the end").range(0, kMost).default_text(kOfRecipe);
  o.add("keep-last", keep_last_, "Newest checkpoints to keep").range(1, 1 << 20);
  o.add("keep-best", keep_best_, "Best checkpoints to keep besides").range(0, 1 << 20);
  o.add("average", average_, "At the end, try the mean of so many snapshots; 0: no")
      .range(0, 1000)
      .default_text(kOfRecipe);
  o.add("snapshot-every", snapshot_every_, "Steps between snapshots").range(1, kMost).default_text(kOfRecipe);
  o.add("ema", ema_, "Keep the exponential moving average of the weights with this decay instead; 0: no")
      .range(0, 0.999999);
  add_dtype(o, dtype_);
  o.add("log-every", log_every_, "Steps per record of metrics.jsonl").range(1, kMost);
}

train::TrainOptions TrainingOptions::resolve(Command& command, const train::Recipe& recipe, int64_t d_model) const {
  train::TrainOptions t = recipe.train;
  t.output = output_;
  t.resume = resume_;
  t.seed = command.common().seed;
  t.device = command.common().device;
  t.dtype = product_dtype(dtype_, t.device);
  t.max_epochs = max_epochs_;
  t.max_minutes = max_minutes_;
  t.patience = patience_;
  // The preset's number of steps is for who names no end.
  const int64_t default_steps = max_epochs_ > 0 || max_minutes_ > 0 ? 0 : t.max_steps;
  t.max_steps = max_steps_.value_or(default_steps);
  t.shuffle = shuffle_;
  t.accumulate = accumulate_;
  t.shard_optimizer = shard_optimizer_;
  t.recompute = recompute_;
  if (schedule_) t.schedule.kind = optim::schedule_from_name(*schedule_);
  const bool paper = t.schedule.kind == optim::ScheduleKind::kPaper;
  t.schedule.peak = learning_rate_.value_or(paper ? 1.0 : t.schedule.peak);
  t.schedule.warmup = warmup_.value_or(t.schedule.warmup);
  t.schedule.floor = min_learning_rate_.value_or(recipe.floor_share * t.schedule.peak);
  t.schedule.total = t.max_steps;
  t.schedule.d_model = d_model;
  if (optimizer_) {
    t.adam.decoupled = *optimizer_ != "adam";
    t.muon = *optimizer_ == "muon";
  }
  const Options& o = command.options();
  check<UsageError>(t.muon || !o.given("momentum"), "--momentum is of --optimizer muon");
  check<UsageError>(optim::has_end(t.schedule.kind) || !o.given("min-learning-rate"),
                    "--min-learning-rate is of --schedule cosine and linear");
  t.momentum = momentum_;
  t.adam.beta1 = beta1_.value_or(t.adam.beta1);
  t.adam.beta2 = beta2_.value_or(t.adam.beta2);
  t.adam.epsilon = epsilon_.value_or(t.adam.epsilon);
  t.adam.weight_decay = weight_decay_.value_or(t.adam.weight_decay);
  t.decay_all = decay_all_;
  t.clip_norm = clip_norm_.value_or(t.clip_norm);
  t.ema = ema_;
  t.average = average_.value_or(ema_ > 0 ? 0 : t.average);
  t.valid_every = valid_every_.value_or(t.valid_every);
  t.save_every = save_every_.value_or(t.save_every);
  t.snapshot_every = snapshot_every_.value_or(t.snapshot_every);
  t.log_every = log_every_;
  t.keep_last = keep_last_;
  t.keep_best = keep_best_;
  return t;
}

}  // namespace heed::cli
