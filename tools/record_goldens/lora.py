#!/usr/bin/env python3
"""Records adapters as PEFT writes them, and what models give with them, from the small models of the tests.

    lora.py MODELS OUTPUT            writes OUTPUT/NAME/{adapter_config.json,adapter_model.safetensors,outputs.safetensors}
    lora.py --check MODEL ADAPTER OUTPUTS    the other way round: an adapter that Heed wrote, loaded by PEFT on MODEL,
                                             against recorded inputs and logits; prints the largest difference

MODELS is tests/golden/models. Needs torch, transformers and peft; Heed itself needs none of them.
"""
import json
import os
import shutil
import sys

import torch
import transformers
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors.torch import load_file, save_file

# Model, and what is adapted; the rest of the settings vary so that each is met.
CASES = {
    "bert_several_labels": dict(target_modules=["query", "value"], task_type="SEQ_CLS", r=3, lora_alpha=8),
    "distilbert_tag": dict(target_modules=["q_lin", "v_lin", "lin1"], task_type="TOKEN_CLS", r=2, lora_alpha=5,
                           use_rslora=True),
    "gpt2_unscaled_untied": dict(target_modules=["c_attn", "c_proj"], task_type="CAUSAL_LM", r=2, fan_in_fan_out=True),
    "llama_rope_linear_v4": dict(target_modules="all-linear", task_type="CAUSAL_LM", r=2,
                                 alpha_pattern={"down_proj": 3}, rank_pattern={"up_proj": 3}),
    "t5_gated_silu": dict(target_modules=["q", "k", "wi_1", "wo"], task_type="SEQ_2_SEQ_LM", r=2),
    "bart_uneven_sharded": dict(target_modules=["k_proj", "v_proj", "fc1"], task_type="SEQ_2_SEQ_LM", r=2),
    "vit_no_qkv_bias": dict(target_modules=["q_proj", "v_proj"], modules_to_save=["classifier"], r=2),
    "marian_separate": dict(target_modules=["q_proj", "v_proj", "fc2"], r=2),
}


def load(folder):
    config = transformers.AutoConfig.from_pretrained(folder)
    model = getattr(transformers, config.architectures[0]).from_pretrained(folder, dtype=torch.float32)
    return model.eval()


def inputs_of(model):
    """One row without padding."""
    config, draw = model.config, torch.Generator().manual_seed(5)
    if config.model_type == "vit":
        size = config.image_size if isinstance(config.image_size, (list, tuple)) else [config.image_size] * 2
        return {"pixel_values": torch.rand(1, config.num_channels, *size, generator=draw)}
    ids = torch.randint(5, config.vocab_size, (1, 7), generator=draw)
    inputs = {"input_ids": ids}
    if config.is_encoder_decoder:
        targets = getattr(config, "decoder_vocab_size", None) or config.vocab_size
        inputs["labels"] = torch.randint(5, targets, (1, 5), generator=draw)
    return inputs


def logits_of(model, inputs):
    with torch.no_grad():
        return model(**inputs).logits.float().contiguous()


def record(models, output):
    for name, settings in CASES.items():
        torch.manual_seed(7)
        folder = os.path.join(models, name)
        base = load(folder)
        inputs = inputs_of(base)
        plain = logits_of(base, inputs)
        model = get_peft_model(base, LoraConfig(**settings)).eval()
        for parameter_name, parameter in model.named_parameters():
            if ".lora_B." in parameter_name:
                parameter.data.normal_(0, 0.3)
            elif parameter.requires_grad and ".lora_" not in parameter_name:
                parameter.data.add_(torch.randn_like(parameter) * 0.1)
        with_adapter = logits_of(model, inputs)
        assert (with_adapter - plain).abs().max() > 1e-2, name
        target = os.path.join(output, name)
        shutil.rmtree(target, ignore_errors=True)
        model.save_pretrained(target)
        os.remove(os.path.join(target, "README.md"))
        tensors = {k: v.contiguous() for k, v in inputs.items()}
        save_file({**tensors, "logits": with_adapter}, os.path.join(target, "outputs.safetensors"))
        config_path = os.path.join(target, "adapter_config.json")
        with open(config_path) as file:
            config = json.load(file)
        config["base_model_name_or_path"] = name
        with open(config_path, "w") as file:
            json.dump(config, file, indent=1, sort_keys=True)
            file.write("\n")
        print(name, sorted(load_file(os.path.join(target, "adapter_model.safetensors")))[:2])


def check(folder, adapter, outputs):
    recorded = load_file(outputs)
    expected = recorded.pop("logits")
    model = PeftModel.from_pretrained(load(folder), adapter).eval()
    print(float((logits_of(model, recorded) - expected).abs().max()))


if __name__ == "__main__":
    if sys.argv[1] == "--check":
        check(*sys.argv[2:])
    else:
        record(*sys.argv[1:])
