// ParameterStore: the parameters of a model under their checkpoint names, in one flat buffer.
//
// Modules create their parameters as leaves and register them; flatten() then lays all leaves end to end in one
// storage, and their gradients in another, so that the optimizer, clipping and communication work on whole buffers. A
// leaf may carry several names (query, key and value weights are rows of one joint matrix).
//
// For inference alone there are no gradients, and each matrix has memory of its own, f32 or bf16, so that it can be
// given up when it has been packed (ops/weight.h).
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "heed/base/random.h"
#include "heed/ops/weight.h"
#include "heed/tensor/tensor.h"

namespace heed::nn {

struct NamedTensor {
  std::string name;
  Tensor tensor;
};

// A linear map under the name of its module: columns [first, first + count) of what its weight gives.
struct LinearMap {
  std::string name;
  int64_t first = 0, count = 0;
  ops::Weight weight;
};

class ParameterStore {
 public:
  // A new leaf of this shape, uninitialised, under one name, or under several names that share its rows: `rows` of
  // each, or, if empty, equally.
  Tensor create(const std::vector<std::string>& names, Shape shape, const std::vector<int64_t>& rows = {});
  // A constant that checkpoints hold under a name (such as final_logits_bias): saved and loaded, not trained.
  Tensor create_constant(const std::string& name, Shape shape);

  // Lets an unnamed constant, such as a table of positions, go where the parameters go (see move_to).
  void keep(const Tensor& constant) { kept_.push_back(constant); }

  // Notes which linear maps a weight is; `rows` as in create().
  void add_linear_maps(const std::vector<std::string>& names, const ops::Weight& weight,
                       const std::vector<int64_t>& rows);
  const std::vector<LinearMap>& linear_maps() const { return linear_maps_; }
  // Notes the weight of an output over the vocabulary, and whether it is the table of embeddings, too.
  void add_output(const ops::Weight& weight, bool tied) { outputs_.push_back({weight, tied}); }

  // Says that all leaves will be loaded: flatten() then leaves their memory untouched, so that it costs nothing until
  // values are put there. Constants are zero as ever.
  void leave_uninitialised() { uninitialised_ = true; }
  // Moves all leaves into flat buffers, after the model is built; tensors handed out before stay valid.
  // The gradients' memory is not touched before a backward pass writes there.
  void flatten();
  // Moves parameters and constants to another device, after flatten() and, if the store is laid out for inference,
  // before anything is packed; tensors handed out before see them there. Gradients are forgotten. One of both devices
  // must be the CPU.
  void move_to(Device device);
  // Lets further leaves be added to a model; flatten() must follow.
  void reopen();
  // Lays the leaves out for inference, after flatten(): matrices each in memory of their own, of the type (f32 or bf16)
  // that dtype_of gives for their names (f32 where it gives several), the rest in f32. Their values are lost: this is
  // for who loads them. No gradient can be taken any more, nor values() be asked for. Linear maps and outputs are given
  // up when they are packed, in their own memory where they lie [out, in]; outputs that are tied, if they are large,
  // because looking rows up then takes longer.
  void lay_out_for_inference(const std::function<DType(const std::string& name)>& dtype_of);

  // Every name with its part of a leaf, in order of creation; constants included.
  const std::vector<NamedTensor>& named() const { return named_; }
  int64_t count() const;  // trainable numbers

  const Tensor& values() const { return flat(values_); }        // [count], all leaves
  const Tensor& gradients() const { return flat(gradients_); }  // [count]
  // Forgets the gradients: the next backward writes over them.
  void clear_gradients();
  // Zeroes the gradients of leaves that no backward reached; call before the gradients are read as a whole.
  void complete_gradients();
  // What training rounds the factors of products with the matrices among them to: f32 (nothing is rounded) or bf16.
  // Attention may round those of its own products likewise. The parameters themselves, their gradients and all else
  // stay f32.
  void compute_in(DType dtype);
  // Says that values() changed, so that packed weights are made again.
  void values_changed();

  // How quickly leaves learn, each by the factor of its names (which must agree), 1 until this is called. A leaf of
  // factor 0 is frozen: no gradient of it is computed.
  void set_rates(const std::function<double(const std::string& name)>& factor_of);
  // The flat buffers in parts of one factor, in order; what lies between them is frozen.
  struct RatePart {
    int64_t begin = 0, count = 0;
    double factor = 1;
  };
  const std::vector<RatePart>& rates() const { return rates_; }

 private:
  const Tensor& flat(const Tensor& buffer) const;  // throws Error after lay_out_for_inference()
  void zero_gaps(const Tensor& flat) const;
  void move_storages(Device device);

  std::vector<NamedTensor> named_;
  std::vector<Tensor> leaves_, kept_;
  std::vector<LinearMap> linear_maps_;
  struct Output {
    ops::Weight weight;
    bool tied;
  };
  std::vector<Output> outputs_;
  bool for_inference_ = false;
  bool uninitialised_ = false;
  bool gradient_gaps_zeroed_ = false;
  Tensor values_, gradients_;
  std::vector<RatePart> rates_;
};

// What building a model needs: where parameters go, where their initial values come from, and the next free dropout
// site.
struct Builder {
  ParameterStore& store;
  std::optional<Random> random;  // nothing: parameters are left as they are, because they will be loaded
  double deviation = 0;          // of new linear maps' normally distributed weights; 0: Glorot's uniform ones
  uint32_t next_site = 0;

  Builder(ParameterStore& parameters, std::optional<uint64_t> seed) : store(parameters) {
    if (seed) random.emplace(*seed);
    else parameters.leave_uninitialised();
  }
  uint32_t take_sites(int count) { return (next_site += static_cast<uint32_t>(count)) - static_cast<uint32_t>(count); }
};

}  // namespace heed::nn
