#!/usr/bin/env python3
"""Makes the tiny random models under tests/golden/models/ and records their goldens (record.py).

They cover what the larger goldens do not: RoPE variants, grouped heads, sharded and half-precision folders, other heads,
legacy names, odd options. Every parameter is drawn at random, biases and norms too, so that none can be ignored
unnoticed. `make_models.py [NAME ...]` makes all of them, or the named ones; needs torch and transformers.
"""
import json
import os
import shutil
import sys

import torch
import transformers as t
from safetensors.torch import load_file, save_file

import record as recorder

# Those that are also trained for some steps; and those whose gradients others cover, which saves their space.
TRAINED = ["bart_forced_bos", "bert_several_labels", "bert_regression", "distilbert_answer", "gpt2_inverse_layer_idx",
           "llama_head_dim_biases_tied", "marian_separate", "bart_answer", "roberta_classify", "t5_untied_gated", "vit_oblong_grey"]
WITHOUT_GRADIENTS = ["gpt2_legacy_names", "bert_legacy_names", "llama_inv_freq", "llama_one_kv_head_f16",
                     "llama_sharded_bf16", "bart_uneven_sharded", "roberta_regression",
                     "roberta_tag", "marian_unscaled_bf16", "distilbert_tag", "llama_rope_linear_v4",
                     "llama_rope_yarn_v4"]
ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../tests/golden/models")

LLAMA = dict(vocab_size=40, hidden_size=16, intermediate_size=24, num_hidden_layers=1, num_attention_heads=4,
             num_key_value_heads=2, max_position_embeddings=24, bos_token_id=1, eos_token_id=2, pad_token_id=None)
GPT2 = dict(vocab_size=40, n_embd=16, n_layer=2, n_head=4, n_positions=24, n_inner=24, bos_token_id=0, eos_token_id=0)
BERT = dict(vocab_size=40, hidden_size=16, num_hidden_layers=1, num_attention_heads=4, intermediate_size=24,
            max_position_embeddings=16, type_vocab_size=2, pad_token_id=0)
ROBERTA = dict(vocab_size=40, hidden_size=16, num_hidden_layers=1, num_attention_heads=4, intermediate_size=24,
               max_position_embeddings=18, type_vocab_size=1, pad_token_id=1, bos_token_id=0, eos_token_id=2)
DISTIL = dict(vocab_size=40, dim=16, n_layers=1, n_heads=4, hidden_dim=24, max_position_embeddings=16, pad_token_id=0)
T5 = dict(vocab_size=40, d_model=12, d_kv=4, d_ff=16, num_layers=1, num_heads=3, pad_token_id=0, eos_token_id=1,
          decoder_start_token_id=0)
BART = dict(vocab_size=40, d_model=12, encoder_layers=1, decoder_layers=1, encoder_attention_heads=3,
            decoder_attention_heads=3, encoder_ffn_dim=16, decoder_ffn_dim=16, max_position_embeddings=24,
            pad_token_id=1, bos_token_id=0, eos_token_id=2, decoder_start_token_id=2, forced_eos_token_id=2)
MARIAN = dict(vocab_size=40, d_model=12, encoder_layers=1, decoder_layers=1, encoder_attention_heads=3,
              decoder_attention_heads=3, encoder_ffn_dim=16, decoder_ffn_dim=16, max_position_embeddings=24,
              pad_token_id=0, eos_token_id=1, bos_token_id=None, decoder_start_token_id=0, forced_eos_token_id=1)
VIT = dict(hidden_size=16, num_hidden_layers=1, num_attention_heads=4, intermediate_size=24)


def rope(kind, **more):
    return dict(rope_parameters=dict(rope_theta=10000.0, rope_type=kind, **more))


def v4_rope(folder):
    """The same as transformers 4 wrote it."""
    def change(config):
        parameters = config.pop("rope_parameters")
        config["rope_theta"] = parameters.pop("rope_theta")
        parameters["type"] = parameters.pop("rope_type")
        config["rope_scaling"] = parameters
        config["torch_dtype"] = config.pop("dtype")
        config["transformers_version"] = "4.40.0"
    edit_config(folder, change)


def edit_config(folder, change):
    path = os.path.join(folder, "config.json")
    with open(path) as f:
        config = json.load(f)
    change(config)
    with open(path, "w") as f:
        json.dump(config, f, indent=2, sort_keys=True)
        f.write("\n")


def edit_tensors(folder, change):
    path = os.path.join(folder, "model.safetensors")
    tensors = load_file(path)
    save_file(change(tensors), path, {"format": "pt"})


def renamed(*pairs):
    def change(tensors):
        result = {}
        for name, value in tensors.items():
            for old, new in pairs:
                name = new + name[len(old):] if old.endswith(".") and name.startswith(old) else name.replace(old, new)
            result[name] = value.contiguous().clone()
        return result
    return lambda folder: edit_tensors(folder, change)


def legacy_gpt2(folder):
    """As the first GPT-2 files are: no prefix, and the causal mask among the tensors."""
    def change(tensors):
        result = {k.removeprefix("transformer."): v.contiguous().clone() for k, v in tensors.items()}
        for i in range(2):
            result[f"h.{i}.attn.bias"] = torch.ones(24, 24).tril().view(1, 1, 24, 24)
            result[f"h.{i}.attn.masked_bias"] = torch.tensor(-1e4)
        return result
    edit_tensors(folder, change)


def legacy_llama(folder):
    def change(tensors):
        result = {k: v.contiguous().clone() for k, v in tensors.items()}
        for i in range(1):
            result[f"model.layers.{i}.self_attn.rotary_emb.inv_freq"] = 1 / 10000 ** (torch.arange(0, 4, 2) / 4)
        return result
    edit_tensors(folder, change)


def drop_keys(*keys):
    def change(config):
        for key in keys:
            config.pop(key, None)
    return lambda folder: edit_config(folder, change)


labels = lambda n: dict(id2label={i: f"L{i}" for i in range(n)}, label2id={f"L{i}": i for i in range(n)})

# name: (class, config, options); options: dtype, shard (most bytes of a file), after (edits the folder), generation (keys
# of generation_config.json), model (further arguments of the class), and no_left_padding as of record.py.
MODELS = {
    # RoPE variants, grouped heads
    "llama_rope_linear_v4": (t.LlamaForCausalLM, t.LlamaConfig(**LLAMA, **rope("linear", factor=2.5)),
                             dict(after=v4_rope)),
    "llama_rope_dynamic": (t.LlamaForCausalLM,
                           t.LlamaConfig(**{**LLAMA, "max_position_embeddings": 8}, **rope("dynamic", factor=2.0)),
                           dict(no_left_padding=True)),
    "llama_rope_yarn": (t.LlamaForCausalLM,
                        t.LlamaConfig(**{**LLAMA, "head_dim": 8}, **rope("yarn", factor=4.0,
                                                                       original_max_position_embeddings=8)), {}),
    "llama_rope_yarn_v4": (t.LlamaForCausalLM,
                           t.LlamaConfig(**{**LLAMA, "head_dim": 8},
                                         **rope("yarn", factor=4.0, original_max_position_embeddings=8,
                                                attention_factor=0.8, beta_fast=16.0, beta_slow=2.0)),
                           dict(dtype=torch.bfloat16, after=v4_rope)),
    "llama_rope_llama3": (t.LlamaForCausalLM,
                          t.LlamaConfig(**{**LLAMA, "head_dim": 8},
                                        **rope("llama3", factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0,
                                               original_max_position_embeddings=8)), dict(dtype=torch.bfloat16)),
    "llama_head_dim_biases_tied": (t.LlamaForCausalLM,
                                   t.LlamaConfig(**{**LLAMA, "head_dim": 6, "num_hidden_layers": 2}, **rope("default"),
                                                 attention_bias=True, mlp_bias=True, tie_word_embeddings=True,
                                                 rms_norm_eps=1e-5, hidden_act="gelu"), {}),
    "llama_one_kv_head_f16": (t.LlamaForCausalLM,
                              t.LlamaConfig(**{**LLAMA, "num_key_value_heads": 1}, **rope("default")),
                              dict(dtype=torch.float16)),
    "llama_sharded_bf16": (t.LlamaForCausalLM,
                           t.LlamaConfig(**{**LLAMA, "num_hidden_layers": 2}, **rope("default")),
                           dict(dtype=torch.bfloat16, shard=4000)),
    "llama_inv_freq": (t.LlamaForCausalLM,
                       t.LlamaConfig(**{**LLAMA, "num_key_value_heads": 4, "eos_token_id": [2, 3]},
                                     rope_parameters=dict(rope_theta=500.0, rope_type="default")),
                       dict(after=legacy_llama)),
    # GPT-2
    "gpt2_inverse_layer_idx": (t.GPT2LMHeadModel,
                               t.GPT2Config(**GPT2, scale_attn_by_inverse_layer_idx=True,
                                            reorder_and_upcast_attn=True, activation_function="relu",
                                            layer_norm_epsilon=1e-3), {}),
    "gpt2_unscaled_untied": (t.GPT2LMHeadModel,
                             t.GPT2Config(**{**GPT2, "n_embd": 8, "n_layer": 1, "n_inner": None}, scale_attn_weights=False,
                                          tie_word_embeddings=False), dict(dtype=torch.bfloat16)),
    "gpt2_legacy_names": (t.GPT2LMHeadModel, t.GPT2Config(**GPT2), dict(after=legacy_gpt2)),
    # BERT, RoBERTa, DistilBERT: other heads
    "bert_several_labels": (t.BertForSequenceClassification,
                            t.BertConfig(**BERT, **labels(5), problem_type="multi_label_classification"), {}),
    "bert_regression": (t.BertForSequenceClassification, t.BertConfig(**BERT, **labels(1), hidden_act="relu"), {}),
    "bert_base_pooler": (t.BertModel, t.BertConfig(**BERT, layer_norm_eps=1e-5), dict(dtype=torch.bfloat16)),
    "bert_legacy_names": (t.BertForMaskedLM, t.BertConfig(**BERT),
                          dict(after=renamed(("LayerNorm.weight", "LayerNorm.gamma"), ("LayerNorm.bias", "LayerNorm.beta")))),
    "bert_mlm_untied": (t.BertForMaskedLM, t.BertConfig(**BERT, tie_word_embeddings=False, hidden_act="gelu_new"),
                        dict(dtype=torch.bfloat16)),
    "roberta_classify": (t.RobertaForSequenceClassification, t.RobertaConfig(**ROBERTA, **labels(3)), {}),
    "roberta_regression": (t.RobertaForSequenceClassification,
                           t.RobertaConfig(**ROBERTA, **labels(2), problem_type="regression"),
                           dict(dtype=torch.float16)),
    "roberta_tag": (t.RobertaForTokenClassification, t.RobertaConfig(**ROBERTA, **labels(4)), dict(dtype=torch.bfloat16)),
    "roberta_answer": (t.RobertaForQuestionAnswering, t.RobertaConfig(**ROBERTA, layer_norm_eps=1e-5), dict(dtype=torch.bfloat16)),
    "roberta_base": (t.RobertaModel, t.RobertaConfig(**ROBERTA), dict(dtype=torch.bfloat16)),
    "distilbert_mlm": (t.DistilBertForMaskedLM, t.DistilBertConfig(**DISTIL), {}),
    "distilbert_several_labels": (t.DistilBertForSequenceClassification,
                                  t.DistilBertConfig(**DISTIL, **labels(3), activation="relu",
                                                     problem_type="multi_label_classification"), {}),
    "distilbert_tag": (t.DistilBertForTokenClassification, t.DistilBertConfig(**DISTIL, **labels(3)), dict(dtype=torch.bfloat16)),
    "distilbert_answer": (t.DistilBertForQuestionAnswering,
                          t.DistilBertConfig(**DISTIL, sinusoidal_pos_embds=True), {}),
    "distilbert_base": (t.DistilBertModel, t.DistilBertConfig(**DISTIL), dict(dtype=torch.bfloat16)),
    # T5, BART, Marian
    "t5_untied_gated": (t.T5ForConditionalGeneration,
                        t.T5Config(**T5, tie_word_embeddings=False, feed_forward_proj="gated-gelu"), {}),
    "t5_few_buckets": (t.T5ForConditionalGeneration,
                       t.T5Config(**{**T5, "num_layers": 2}, num_decoder_layers=1, relative_attention_num_buckets=8,
                                  relative_attention_max_distance=10, layer_norm_epsilon=1e-4),
                       dict(dtype=torch.bfloat16, after=drop_keys("scale_decoder_outputs", "dense_act_fn",
                                                                         "is_gated_act"))),
    "t5_gated_silu": (t.T5ForConditionalGeneration,
                      t.T5Config(**{**T5, "d_kv": 5}, feed_forward_proj="gated-silu"), dict(dtype=torch.bfloat16)),
    "bart_forced_bos": (t.BartForConditionalGeneration,
                        t.BartConfig(**BART, scale_embedding=True, activation_function="relu"),
                        dict(generation=dict(forced_bos_token_id=0, num_beams=3, no_repeat_ngram_size=3,
                                             min_length=4))),
    "bart_uneven_sharded": (t.BartForConditionalGeneration,
                            t.BartConfig(**{**BART, "encoder_layers": 2, "encoder_ffn_dim": 20,
                                            "decoder_attention_heads": 2, "activation_function": "gelu_new"}),
                            dict(dtype=torch.float16, shard=6000)),
    "marian_separate": (t.MarianMTModel,
                        t.MarianConfig(**MARIAN, decoder_vocab_size=32, share_encoder_decoder_embeddings=False,
                                       activation_function="relu", scale_embedding=True), {}),
    "marian_unscaled_bf16": (t.MarianMTModel, t.MarianConfig(**MARIAN,
                                                           activation_function="swish"),
                             dict(dtype=torch.bfloat16)),
    # ViT
    "vit_oblong_grey": (t.ViTForImageClassification,
                        t.ViTConfig(**VIT, **labels(3), image_size=[12, 20], patch_size=4, num_channels=1), {}),
    "vit_no_qkv_bias": (t.ViTForImageClassification,
                        t.ViTConfig(**VIT, **labels(4), image_size=12, patch_size=3, qkv_bias=False,
                                    hidden_act="gelu_new", layer_norm_eps=1e-6,
                                    problem_type="multi_label_classification"), dict(dtype=torch.bfloat16)),
    "vit_base_pooler": (t.ViTModel, t.ViTConfig(**VIT, image_size=12, patch_size=[6, 4], hidden_act="relu",
                                                pooler_output_size=6), {}),
    "vit_regression": (t.ViTForImageClassification,
                       t.ViTConfig(**VIT, **labels(1), image_size=8, patch_size=4, hidden_act="silu"), {}),
    # Later ones stand here, so that those above keep their seeds. BART's heads; base models without a pooler.
    "bart_classify": (t.BartForSequenceClassification,
                      t.BartConfig(**BART, **labels(4), scale_embedding=True), dict(dtype=torch.bfloat16)),
    "bart_answer": (t.BartForQuestionAnswering, t.BartConfig(**BART, activation_function="gelu_new"), {}),
    "bart_base": (t.BartModel, t.BartConfig(**BART, activation_function="tanh"), dict(dtype=torch.bfloat16)),
    "bert_no_pooler": (t.BertModel, t.BertConfig(**BERT, hidden_act="gelu_fast"),
                       dict(dtype=torch.bfloat16, model=dict(add_pooling_layer=False))),
    "vit_no_pooler": (t.ViTModel, t.ViTConfig(**VIT, image_size=8, patch_size=4, hidden_act="tanh"),
                      dict(dtype=torch.bfloat16, model=dict(add_pooling_layer=False))),
}


def randomise(model, seed):
    random = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, p in list(model.named_parameters()) + [(n, b) for n, b in model.named_buffers()
                                                         if n == "final_logits_bias"]:
            noise = torch.randn(p.shape, generator=random)
            norm = "norm" in name.lower() or ".ln_" in name
            if "inv_freq" in name or "embed_positions" in name and model.config.model_type == "marian":
                continue  # fixed tables
            if norm and name.endswith("weight"):
                p.copy_(1 + 0.2 * noise)
            elif "embed" in name or ".wte" in name or ".wpe" in name or "shared" in name or "token" in name:
                p.copy_(0.7 * noise)
            elif p.dim() > 1 and "bias" not in name:
                p.copy_(noise * 1.2 / p.shape[-1] ** 0.5)
            else:
                p.copy_(0.3 * noise)
    if hasattr(model, "final_logits_bias"):
        model.final_logits_bias[0, 0 if model.config.model_type == "marian" else 1] = 0


def make(name, seed):
    cls, config, options = MODELS[name]
    folder = os.path.join(ROOT, name)
    shutil.rmtree(folder, ignore_errors=True)
    model = cls(config, **options.get("model", {}))
    randomise(model, seed)
    for key, value in options.get("generation", {}).items():
        setattr(model.generation_config, key, value)
    model = model.to(options.get("dtype", torch.float32))
    model.save_pretrained(folder, max_shard_size=options.get("shard", "1GB"))
    if "after" in options:
        options["after"](folder)
    arguments = recorder.parser().parse_args([folder, "--batch", "2", "--length", "10", "--new-tokens", "10", "--train",
                                              "6" if name in TRAINED else "0", "--seed", str(seed)])
    arguments.no_left_padding = options.get("no_left_padding", False)
    recorder.record(folder, arguments)
    if name in WITHOUT_GRADIENTS:
        os.remove(os.path.join(folder, "grads.safetensors"))
    with open(os.path.join(folder, "VERSIONS"), "w") as f:
        f.write(f"made by tools/record_goldens/make_models.py: transformers {t.__version__}, torch {torch.__version__}, "
                f"seed {seed}\n")


if __name__ == "__main__":
    for number, model_name in enumerate(MODELS):
        if not sys.argv[1:] or model_name in sys.argv[1:]:
            make(model_name, 100 + number)
            print(f"made {model_name}")
