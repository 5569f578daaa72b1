// Token embedding with scale, positions and dropout (Vaswani et al. 2017, sections 3.4, 3.5 and 5.4), and packed
// batches.
#include <mutex>
#include <numeric>

#include "heed/ops/activations.h"
#include "heed/ops/ops.h"
#include "heed/tensor/backends.h"

namespace heed::ops {
namespace {

Tensor position_ids(const TokenRows& rows, Device device) {
  return device.is_host() ? Tensor::from(rows.position, {rows.tokens()}) : rows.on(device).position;
}

void check_ids(const Tensor& ids, const TokenRowsPtr& rows, int64_t table_rows) {
  check<ShapeError>(rows->tokens() == ids.numel(), "embedding: {} ids for {} rows", ids.numel(), rows->tokens());
  if (!ids.device().is_host()) return;  // a search's own choice
  for (int64_t i = 0; i < ids.numel(); ++i) {
    const int32_t id = ids.data<int32_t>()[i];
    check<ShapeError>(id >= 0 && id < table_rows, "embedding: id {} at token {}; the table has {} rows", id, i,
                      table_rows);
  }
}

}  // namespace

TokenRowsPtr token_rows(const Ragged& batch, const std::vector<uint32_t>& examples) {
  check<ShapeError>(examples.empty() || static_cast<int>(examples.size()) == batch.rows(), "{} examples for {} rows",
                    examples.size(), batch.rows());
  auto rows = std::make_shared<TokenRows>();
  rows->offsets = batch.offsets;
  for (int i = 0; i < batch.rows(); ++i)
    for (int t = 0; t < batch.length(i); ++t) {
      rows->position.push_back(t);
      rows->example.push_back(examples.empty() ? static_cast<uint32_t>(i) : examples[static_cast<size_t>(i)]);
    }
  return rows;
}

SegmentsPtr segments(const TokenRows& queries, const TokenRows& keys) {
  check<ShapeError>(queries.sentences() == keys.sentences(), "attention from {} sentences to {}", queries.sentences(),
                    keys.sentences());
  auto result = std::make_shared<std::vector<Segment>>();
  for (size_t i = 0; i + 1 < queries.offsets.size(); ++i) {
    const int32_t q = queries.offsets[i], k = keys.offsets[i];
    if (queries.offsets[i + 1] == q) continue;
    result->push_back(
        {q, queries.offsets[i + 1] - q, k, keys.offsets[i + 1] - k, 0, queries.example[static_cast<size_t>(q)]});
  }
  return result;
}

const TokenRows::Arrays& TokenRows::on(Device device) const {
  static std::mutex mutex;
  const std::lock_guard lock(mutex);
  if (!elsewhere_ || elsewhere_->position.device() != device)
    elsewhere_ = std::make_shared<const Arrays>(
        Arrays{Tensor::from(position, {tokens()}, device),
               Tensor::from_bytes(std::as_bytes(std::span(example)), {tokens()}, DType::kI32, device)});
  return *elsewhere_;
}

Dropout DropoutSite::on(Device device) const {
  Dropout result = dropout;
  if (device.is_host() || !dropout.active() || !rows) return result;
  const TokenRows::Arrays& arrays = rows->on(device);
  result.position = arrays.position.data<int32_t>();
  result.example = static_cast<const uint32_t*>(arrays.example.view().data);
  return result;
}

DropoutSite dropout_site(float rate, uint64_t key, uint32_t site, const TokenRowsPtr& rows) {
  return {{rate, key, site, rows->example.data(), rows->position.data()}, rows};
}

Tensor embedding(const Tensor& wanted, const Tensor& table, float scale, const TokenRowsPtr& rows,
                 const Tensor& positions, const DropoutSite& site, int32_t padding) {
  check_ids(wanted, rows, table.dim(0));
  Tensor places;
  if (positions.defined()) {
    places = position_ids(*rows, table.device());
    for (const int32_t p : rows->position)
      check<ShapeError>(p < positions.dim(0),
                        "a sequence of more than {} tokens, the longest that the model has "
                        "positions for",
                        positions.dim(0));
  }
  const Device device = table.device();
  const Tensor ids = wanted.to(device);
  const bool grad = needs_grad({&table, &positions});
  check(!grad || wanted.device().is_host(), "embedding: ids on a GPU, which a gradient is not known for");
  const DType dtype = grad ? activation_dtype(table) : DType::kF32;
  Tensor y = Tensor::empty({ids.numel(), table.dim(1)}, dtype, device);
  backend(device).embedding(ids.view(), table.view(), scale, places.view(), positions.view(), site.on(device),
                            y.view());
  // dtable[id] += scale dropout'(dy);  dpositions[place] += dropout'(dy)
  record(y, {&table, &positions}, [wanted, table, scale, rows, positions, site, padding](const Tensor& dy) {
    Backend& on = backend(dy.device());
    const auto scatter = [&](std::span<const int32_t> from, const Tensor& to, float factor, int32_t skip) {
      auto slot = grad_slot(to);
      if (!slot) return;
      if (!slot.accumulate) on.fill(slot.view(), 0);
      on.embedding_backward(from, dy.view(), factor, site.on(dy.device()), skip, slot.view());
    };
    scatter({wanted.data<int32_t>(), static_cast<size_t>(wanted.numel())}, table, scale, padding);
    if (positions.defined()) scatter(rows->position, positions, 1, -1);
  });
  return y;
}

Tensor embedding(const Tensor& ids, const Weight& table, float scale, const TokenRowsPtr& rows, const Tensor& positions,
                 const DropoutSite& site, int32_t padding) {
  const Weight::Rows from = table.rows();
  if (!from.packed) return embedding(ids, from.master, scale, rows, positions, site, padding);
  check_ids(ids, rows, table.out_features());
  const Tensor looked_up = Tensor::empty({ids.numel(), table.in_features()}, DType::kF32, from.device);
  backend(from.device).packed_rows(*from.packed, ids.to(from.device).view(), looked_up.view());
  std::vector<int32_t> in_order(static_cast<size_t>(ids.numel()));
  std::iota(in_order.begin(), in_order.end(), 0);
  return embedding(Tensor::from(in_order, ids.shape()), looked_up, scale, rows, positions, site);
}

}  // namespace heed::ops
