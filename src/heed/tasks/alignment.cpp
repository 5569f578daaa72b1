#include "heed/tasks/alignment.h"

namespace heed::tasks {

Alignment align(const TranslationModel& m, const std::string& source, const std::string& target, int layer, int head,
                const std::string& prefix) {
  const auto most = static_cast<size_t>(m.model->max_length());
  EncodedSource encoded = SourceEncoder(*m.tokenizer, {.prefix = prefix, .max_tokens = most})(source);
  models::Seq2SeqBatch batch;
  batch.source.append(encoded.parts.empty() ? m.tokenizer->encode(prefix) : encoded.parts.front());
  batch.target.append(m.tokenizer->encode_target(target));
  check<DataError>(batch.target.ids.size() <= most, "a translation of {} tokens, where the model has {} positions",
                   batch.target.ids.size(), most);
  nn::Trace trace;
  nn::Pass pass;
  pass.trace = &trace;
  const NoGrad no_grad;
  m.model->logits(batch, pass);
  const int layers = static_cast<int>(trace.cross_attentions.size());
  check<UsageError>(layer >= -1 && layer < layers, "layer {}; the decoder has layers 0 to {}", layer, layers - 1);
  const auto& heads = trace.cross_attentions[static_cast<size_t>(layer < 0 ? layers - 1 : layer)];
  check<UsageError>(head >= -1 && head < static_cast<int>(heads.size()), "head {}; a layer has heads 0 to {}", head,
                    heads.size() - 1);
  Alignment result;
  for (const int32_t id : batch.source.ids) result.source_tokens.push_back(m.tokenizer->source_token(id));
  for (const int32_t id : batch.target.ids) result.target_tokens.push_back(m.tokenizer->token(id));
  result.weights.assign(batch.target.ids.size(), std::vector<float>(batch.source.ids.size()));
  for (size_t h = 0; h < heads.size(); ++h) {
    if (head >= 0 && static_cast<int>(h) != head) continue;
    const float share = head >= 0 ? 1.0f : 1.0f / static_cast<float>(heads.size());
    const auto p = heads[h].to_vector<float>();  // [target tokens, source tokens]
    for (size_t i = 0; i < p.size(); ++i)
      result.weights[i / batch.source.ids.size()][i % batch.source.ids.size()] += share * p[i];
  }
  return result;
}

}  // namespace heed::tasks
