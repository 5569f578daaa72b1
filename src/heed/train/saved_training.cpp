#include "heed/train/saved_training.h"

#include "heed/base/error.h"
#include "heed/base/log.h"
#include "heed/base/threads.h"
#include "heed/models/weights.h"
#include "heed/tensor/backends.h"

namespace heed::train {
namespace {

constexpr const char* kModel = "model";
constexpr const char* kOptimizer = "optimizer";
constexpr const char* kEma = "ema";

// `to` = the elements of a tensor of this shape from `first` on.
void restore_part(const io::SafeTensors& from, const std::string& name, const Shape& shape, int64_t first,
                  const Tensor& to) {
  check<FormatError>(from.contains(name), "{}: has no tensor \"{}\"", from.path().string(), name);
  const TensorView view = from.view(name);
  check<FormatError>(view.dtype == DType::kF32 && view.shape == shape,
                     "{}: tensor \"{}\" has shape {}, expected f32 {}", from.path().string(), name,
                     view.shape.to_string(), shape.to_string());
  backend(to.device())
      .to_device(view.as<float>() + first, static_cast<size_t>(to.numel()) * sizeof(float), to.view().data);
}

void restore(const io::SafeTensors& from, const std::string& name, const Tensor& to) {
  restore_part(from, name, to.shape(), 0, to);
}

}  // namespace

std::filesystem::path save_training(const std::filesystem::path& checkpoints, const TrainState& state,
                                    const nn::ParameterStore& parameters, const Stepper& stepper,
                                    const Stepper::Moments& moments) {
  io::CheckpointWriter writer(checkpoints, state.step);
  writer.add(kModel, models::named_views(parameters));
  writer.add(kOptimizer,
             {models::named_view("first_moment", moments.first), models::named_view("second_moment", moments.second)});
  if (stepper.ema().defined()) writer.add(kEma, {models::named_view("values", stepper.ema())});
  Json json = state.json();
  json["threads"] = thread_count();
  writer.set_state(std::move(json));
  if (state.validated == state.step && state.validated_score) writer.set_score(*state.validated_score);
  return writer.write();
}

TrainState restore_training(const io::CheckpointReader& checkpoint, nn::ParameterStore& parameters, Stepper& stepper) {
  const std::string name = (checkpoint.path() / "state.json").string();
  TrainState state = TrainState::from_json(checkpoint.state(), name);
  const io::SafeTensors& model = checkpoint.tensors(kModel);
  for (const auto& [tensor_name, tensor] : parameters.named()) restore(model, tensor_name, tensor);
  parameters.values_changed();
  const io::SafeTensors& optimizer = checkpoint.tensors(kOptimizer);
  const Shape& all = parameters.values().shape();
  const int64_t first = stepper.optimizer().share().begin;
  restore_part(optimizer, "first_moment", all, first, stepper.optimizer().first_moment());
  restore_part(optimizer, "second_moment", all, first, stepper.optimizer().second_moment());
  stepper.optimizer().restore_steps(state.updates);
  if (stepper.ema().defined()) restore(checkpoint.tensors(kEma), "values", stepper.ema());
  if (const int threads = checkpoint.state().value("threads", 0); threads != thread_count())
    log().warn("{}: was written by a training on {} threads; on {} the losses will differ by rounding", name, threads,
               thread_count());
  return state;
}

}  // namespace heed::train
