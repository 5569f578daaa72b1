// The checks that every family of decoders alone passes against its golden folder.
#pragma once

#include <memory>
#include <string>

#include "heed/io/model_folder.h"
#include "heed/models/interface.h"
#include "models/golden.h"
#include "shared_files.h"

namespace heed::testing {

class CausalGolden {
 public:
  explicit CausalGolden(const std::filesystem::path& folder);

  void outputs() const;             // logits, hidden states and attentions, with and without gradients
  void loss_and_gradients() const;  // every one
  void training(const std::vector<Ragged>& batches) const;  // losses and gradient norms, step k takes batch k mod size
  void generation() const;                                  // ids exactly, scores
  void written_back() const;                                // the folder, tensor for tensor

  const std::filesystem::path& folder() const { return folder_; }

 private:
  std::unique_ptr<models::CausalModel> load() const;

  std::filesystem::path folder_;
  io::SafeTensors golden_;
  models::TextBatch batch_;
  std::vector<int32_t> targets_;
  double divisor_ = 0;
};

// [rows, time] of i64 ids, whole.
Ragged whole_rows(const TensorView& ids);

// The batches of tests/golden/train_batches/NAME.json.
std::vector<Ragged> recorded_batches(const std::string& name);

// The name of a key for which `change` of the folder's configuration is refused, or "" if it loads.
std::string refusal(const std::filesystem::path& folder, const std::string& key, const Json& value);

}  // namespace heed::testing
