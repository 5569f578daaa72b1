// What trainings on examples in memory have in common, whatever the model: a ModelStart gives it, and its batches are
// ExampleBatches. A task derives from it, sets these members in its constructor, and says what a batch's loss is and
// how good the model is.
#pragma once

#include <memory>
#include <string>

#include "heed/tasks/example_batches.h"
#include "heed/tasks/model_start.h"

namespace heed::tasks {

class StartedTraining : public TrainingTask {
 public:
  nn::ParameterStore& parameters() override { return started_.model->parameters(); }
  std::string report() const override { return report_; }
  TrainingBatches& batches() const override { return *batches_; }
  io::ModelContent content() override { return started_.content(); }

 protected:
  // What every identity() begins with.
  Json common_identity(const ModelStart& start) const {
    Json json = identity_of(start);
    json[batches_->option()] = batches_->size();
    return json;
  }

  StartedModel started_;
  std::unique_ptr<ExampleBatches> batches_;
  std::string report_;
};

}  // namespace heed::tasks
