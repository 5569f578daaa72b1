#include "models/causal_golden.h"

#include "heed/base/json.h"
#include "heed/decode/decode.h"
#include "heed/models/registry.h"
#include "heed/models/weights.h"
#include "heed/optim/clipping.h"
#include "heed/tensor/backends.h"

namespace heed::testing {
namespace {

void expect_attentions(const nn::Trace& trace, const io::SafeTensors& golden) {
  for (size_t layer = 0; layer < trace.decoder_attentions.size(); ++layer) {
    const auto& matrices = trace.decoder_attentions[layer];
    const TensorView expected = golden.view(fmt::format("out.attentions.{}", layer));  // [batch, heads, time, time]
    const int64_t time = expected.shape[2];
    ASSERT_EQ(static_cast<int64_t>(matrices.size()), expected.shape[0] * expected.shape[1]);
    for (size_t i = 0; i < matrices.size(); ++i)
      for (int64_t q = 0; q < time; ++q)
        for (int64_t k = 0; k < time; ++k)
          ASSERT_NEAR(matrices[i].data<float>()[q * time + k],
                      expected.row<float>(static_cast<int64_t>(i) * time + q)[k], 2e-4)
              << "layer " << layer;
  }
}

decode::Options options_of(const Json& arguments, const std::vector<int32_t>& eos) {
  decode::Options o;
  o.continues_input = true;
  o.eos = eos;
  for (const auto& [key, value] : arguments.items()) {
    if (key == "num_beams") o.beam = value.get<int>();
    else if (key == "num_return_sequences") o.n_best = value.get<int>();
    else if (key == "max_new_tokens") o.max_new_tokens = value.get<int>();
    else if (key == "repetition_penalty") o.repetition_penalty = value.get<float>();
    else if (key == "no_repeat_ngram_size") o.no_repeat_ngram_size = value.get<int>();
    else EXPECT_TRUE(key == "do_sample" || key == "pad_token_id") << key;
  }
  return o;
}

// The ids of a row whose mask is 1.
std::vector<int32_t> unmasked(const Json& ids, const Json& mask) {
  std::vector<int32_t> row;
  for (size_t t = 0; t < ids.size(); ++t)
    if (mask[t].get<int>() != 0) row.push_back(ids[t].get<int32_t>());
  return row;
}

}  // namespace

Ragged whole_rows(const TensorView& ids) {
  Ragged rows;
  for (int64_t r = 0; r < ids.shape[0]; ++r) {
    const int64_t* row = ids.row<int64_t>(r);
    rows.append(std::vector<int32_t>(row, row + ids.cols()));
  }
  return rows;
}

std::vector<Ragged> recorded_batches(const std::string& name) {
  std::vector<Ragged> batches;
  const Json file = read_json(source_path("tests/golden/train_batches/" + name + ".json"));
  for (const Json& rows : file) {
    Ragged& batch = batches.emplace_back();
    for (const Json& row : rows) batch.append(row.get<std::vector<int32_t>>());
  }
  return batches;
}

CausalGolden::CausalGolden(const std::filesystem::path& folder)
    : folder_(folder), golden_(io::SafeTensors::open(folder_ / "golden.safetensors")) {
  batch_.ids = whole_rows(golden_.view("in.input_ids"));
  const Ragged labels = whole_rows(golden_.view("in.labels"));
  // Label t is the token at t; what is predicted behind it is the next one.
  targets_ = models::next_tokens(labels);
  for (const int32_t t : targets_) divisor_ += t >= 0 ? 1 : 0;
}

std::unique_ptr<models::CausalModel> CausalGolden::load() const {
  return models::load_as<models::CausalModel>(io::ModelFolder::open(folder_));
}

void CausalGolden::outputs() const {
  const auto model = load();
  for (const bool gradients : {false, true}) {
    const auto off = gradients ? nullptr : std::make_unique<NoGrad>();
    nn::Trace trace;
    nn::Pass pass;
    pass.trace = &trace;
    expect_rows(model->logits(batch_, pass), batch_.ids, golden_.view("out.logits"), kOutputBound, "logits");
    for (size_t i = 0; i < trace.decoder_states.size(); ++i) {
      const std::string name = fmt::format("out.hidden_states.{}", i);
      expect_rows(trace.decoder_states[i], batch_.ids, golden_.view(name), kOutputBound, name);
    }
    EXPECT_FALSE(golden_.contains(fmt::format("out.hidden_states.{}", trace.decoder_states.size())));
    EXPECT_FALSE(golden_.contains(fmt::format("out.attentions.{}", trace.decoder_attentions.size())));
    expect_attentions(trace, golden_);
  }
}

void CausalGolden::loss_and_gradients() const {
  const auto model = load();
  const auto grads = io::SafeTensors::open(folder_ / "grads.safetensors");
  const auto loss = model->loss(batch_, targets_, {0, divisor_, {}});
  EXPECT_NEAR(loss.loss.item(), golden_.view("out.loss").as<float>()[0], 2e-4);
  backward(loss.loss);
  model->parameters().complete_gradients();
  int compared = 0;
  for (const auto& [name, tensor] : model->parameters().named()) {
    if (!grads.contains(name)) continue;
    expect_same(tensor.grad().view(), grads.view(name), kGradientBound, name);
    ++compared;
  }
  EXPECT_EQ(compared, static_cast<int>(grads.size()));
}

void CausalGolden::training(const std::vector<Ragged>& batches) const {
  const auto model = load();
  const Json train = read_json(folder_ / "golden.json")["train"];
  replay_adamw(model->parameters(), train, 1e-3, [&](size_t k) {
    models::TextBatch batch;
    batch.ids = batches[k % batches.size()];
    return model
        ->loss(batch, models::next_tokens(batch.ids),
               {0, static_cast<double>(batch.ids.tokens() - batch.ids.rows()), {}})
        .loss;
  });
}

void CausalGolden::generation() const {
  const auto model = load();
  const Json ends = model->config()["eos_token_id"];
  const auto eos = ends.is_array() ? ends.get<std::vector<int32_t>>() : std::vector<int32_t>{ends.get<int32_t>()};
  int cases = 0;
  const Json golden = read_json(folder_ / "golden.json");
  for (const Json& entry : golden["generate"]) {
    const Json &ids = entry["inputs"]["input_ids"], &masks = entry["inputs"]["attention_mask"];
    Ragged prompts;
    for (size_t i = 0; i < ids.size(); ++i) prompts.append(unmasked(ids[i], masks[i]));
    const auto options = options_of(entry["args"], eos);
    const auto results = decode::decode_batch(*model, prompts, options);
    size_t output = 0;
    for (size_t i = 0; i < results.size(); ++i)
      for (const auto& hypothesis : results[i]) {
        std::vector<int32_t> expected = entry["sequences"][output].get<std::vector<int32_t>>();
        expected.erase(expected.begin(), expected.begin() + static_cast<int64_t>(ids[i].size()));
        // A row that ended before the others is padded.
        const auto end = std::find_first_of(expected.begin(), expected.end(), eos.begin(), eos.end());
        if (end != expected.end()) expected.erase(end + 1, expected.end());
        EXPECT_EQ(hypothesis.ids, expected) << entry["args"].dump() << ", output " << output;
        if (entry.contains("sequences_scores")) {
          EXPECT_NEAR(hypothesis.score, entry["sequences_scores"][output].get<double>(), 2e-4);
        }
        ++output;
      }
    EXPECT_EQ(output, entry["sequences"].size());
    ++cases;
  }
  EXPECT_GE(cases, 3);
}

void CausalGolden::written_back() const {
  const auto model = load();
  TemporaryFolder folder;
  io::write_model_folder(folder / "m",
                         {model->config(), model->generation_config(), models::named_views(model->parameters()), {}});
  const auto before = io::ModelFolder::open(folder_), after = io::ModelFolder::open(folder / "m");
  EXPECT_EQ(before.config(), after.config());
  EXPECT_EQ(before.generation_config(), after.generation_config());
  EXPECT_EQ(before.names().size(), after.names().size());
  for (const std::string& name : before.names())
    expect_same(after.load(name).view(), before.load(name).view(), {0, 0}, name);
}

std::string refusal(const std::filesystem::path& from, const std::string& key, const Json& value) {
  TemporaryFolder folder;
  std::filesystem::copy(from / "model.safetensors", folder / "model.safetensors");
  Json config = read_json(from / "config.json");
  config[key] = value;
  write_json(folder / "config.json", config);
  try {
    models::load_model(io::ModelFolder::open(folder.path()));
  } catch (const Error& e) {
    return e.what();
  }
  return "";
}

}  // namespace heed::testing
