#!/usr/bin/env python3
"""Makes small models of random configurations, of every family and head, and records them (record.py).

    random_models.py FOLDER [--count 50] [--seed 1]
    for model in FOLDER/*; do heed verify "$model" > /dev/null || echo "$model"; done

The seed decides everything. What transformers itself cannot build or run is named and left out. Needs torch and
transformers.
"""
import argparse
import json
import os
import random

import torch
import transformers as t

import record as recorder

ACTIVATIONS = ["gelu", "relu", "gelu_new", "silu", "gelu_pytorch_tanh", "gelu_fast", "tanh", "swish"]
ROPE = [
    None,
    {"rope_type": "linear", "factor": 4.0},
    {"rope_type": "dynamic", "factor": 2.0},
    {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 16},
    {"rope_type": "yarn", "factor": 2.0, "original_max_position_embeddings": 16, "attention_factor": 1.3,
     "beta_fast": 16, "beta_slow": 2},
    {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
     "original_max_position_embeddings": 16},
]
HEADS = ["ForMaskedLM", "ForSequenceClassification", "ForTokenClassification", "ForQuestionAnswering", "Model"]


class Drawer:
    """Draws configurations. yes(): one of two; one(...): one of those."""

    def __init__(self, seed):
        self.random = random.Random(seed)

    def one(self, *choices):
        return self.random.choice(choices)

    def yes(self):
        return self.one(True, False)

    def number(self, low, high):
        return self.random.randint(low, high)

    def activation(self):
        return self.one(*ACTIVATIONS)

    def encoder(self, family):
        heads, head = self.one(1, 2, 3, 4), self.one(*HEADS)
        c = dict(vocab_size=self.number(40, 90), hidden_size=heads * self.one(4, 6, 8, 10),
                 num_hidden_layers=self.number(1, 3), num_attention_heads=heads, intermediate_size=self.number(5, 50),
                 hidden_act=self.activation(), max_position_embeddings=self.one(40, 64, 70),
                 type_vocab_size=self.number(1, 3), layer_norm_eps=self.one(1e-12, 1e-5, 1e-3),
                 pad_token_id=self.number(0, 1), num_labels=2 if head == HEADS[3] else self.one(2, 3, 5))
        if family == "Roberta":
            c.update(pad_token_id=1, bos_token_id=0, eos_token_id=2)
        if head == "ForMaskedLM":
            c["tie_word_embeddings"] = self.yes()
        if head == "ForSequenceClassification":
            c["problem_type"] = self.one(None, "regression", "multi_label_classification")
            if c["problem_type"] == "regression":
                c["num_labels"] = self.one(1, 3)
        return getattr(t, family + head)(getattr(t, family + "Config")(**c))

    def bert(self):
        return self.encoder("Bert")

    def roberta(self):
        return self.encoder("Roberta")

    def distilbert(self):
        heads = self.one(1, 2, 4)
        return getattr(t, "DistilBert" + self.one(*HEADS))(t.DistilBertConfig(
            vocab_size=self.number(40, 90), dim=heads * self.one(4, 6, 8), n_layers=self.number(1, 3), n_heads=heads,
            hidden_dim=self.number(5, 50), activation=self.one("gelu", "relu"), max_position_embeddings=64,
            sinusoidal_pos_embds=self.yes(), pad_token_id=0, num_labels=2))

    def gpt2(self):
        heads = self.one(1, 2, 4)
        return t.GPT2LMHeadModel(t.GPT2Config(
            vocab_size=self.number(40, 90), n_positions=64, n_embd=heads * self.one(4, 6, 8), n_layer=self.number(1, 3),
            n_head=heads, n_inner=self.one(None, 7, 30), activation_function=self.activation(),
            layer_norm_epsilon=self.one(1e-5, 1e-3), scale_attn_weights=self.yes(),
            scale_attn_by_inverse_layer_idx=self.yes(), reorder_and_upcast_attn=self.yes(),
            tie_word_embeddings=self.yes(), bos_token_id=0, eos_token_id=self.number(0, 1),
            pad_token_id=self.one(None, 0, 3)))

    def llama(self):
        groups, head_dim, rope = self.number(1, 2), self.one(4, 6, 8), self.one(*ROPE)
        heads = groups * self.number(1, 3)
        c = dict(vocab_size=self.number(40, 90), hidden_size=heads * self.one(4, 6, head_dim),
                 intermediate_size=self.number(5, 40), num_hidden_layers=self.number(1, 3), num_attention_heads=heads,
                 num_key_value_heads=groups, head_dim=head_dim, max_position_embeddings=64,
                 hidden_act=self.one("silu", "gelu", "relu", "gelu_pytorch_tanh"),
                 rms_norm_eps=self.one(1e-6, 1e-5, 1e-3), tie_word_embeddings=self.yes(), attention_bias=self.yes(),
                 mlp_bias=self.yes(), bos_token_id=1, eos_token_id=self.one(2, [2, 3]), pad_token_id=self.one(None, 0))
        if rope:
            c["rope_parameters"] = dict(rope, rope_theta=self.one(10000.0, 500.0))
        return t.LlamaForCausalLM(t.LlamaConfig(**c))

    def t5(self):
        # transformers' cache of keys and values knows no more decoder layers than encoder layers.
        layers = self.number(1, 3)
        return t.T5ForConditionalGeneration(t.T5Config(
            vocab_size=self.number(40, 90), d_model=self.one(12, 16, 20), d_kv=self.one(4, 5, 8),
            d_ff=self.number(5, 40), num_layers=layers, num_decoder_layers=self.number(1, layers),
            num_heads=self.number(1, 3), relative_attention_num_buckets=self.one(8, 16, 32),
            relative_attention_max_distance=self.one(20, 64, 128), layer_norm_epsilon=self.one(1e-6, 1e-3),
            feed_forward_proj=self.one("relu", "gated-gelu", "gated-silu", "gelu", "silu"),
            tie_word_embeddings=self.yes(), pad_token_id=0, eos_token_id=1, decoder_start_token_id=0))

    def encoder_decoder(self):
        return dict(vocab_size=self.number(40, 90), d_model=self.one(8, 16, 24), encoder_layers=self.number(1, 3),
                    decoder_layers=self.number(1, 3), encoder_attention_heads=self.one(1, 2, 4),
                    decoder_attention_heads=self.one(1, 2, 4), encoder_ffn_dim=self.number(5, 40),
                    decoder_ffn_dim=self.number(5, 40), activation_function=self.activation(),
                    max_position_embeddings=64, scale_embedding=self.yes(), init_std=self.one(0.02, 0.3))

    def bart(self):
        return t.BartForConditionalGeneration(t.BartConfig(
            pad_token_id=1, bos_token_id=0, eos_token_id=2, decoder_start_token_id=2,
            forced_eos_token_id=self.one(None, 2), forced_bos_token_id=self.one(None, 0), **self.encoder_decoder()))

    def marian(self):
        c = self.encoder_decoder()
        shared = self.yes()
        c.update(share_encoder_decoder_embeddings=shared, pad_token_id=39, eos_token_id=0, decoder_start_token_id=39,
                 forced_eos_token_id=self.one(None, 0))
        if not shared:
            c.update(decoder_vocab_size=self.number(40, 90), tie_word_embeddings=False)
        return t.MarianMTModel(t.MarianConfig(**c))

    def vit(self):
        heads, patch = self.one(1, 2, 4), self.one(4, 7, 8)
        return t.ViTForImageClassification(t.ViTConfig(
            hidden_size=heads * self.one(4, 6, 8), num_hidden_layers=self.number(1, 3), num_attention_heads=heads,
            intermediate_size=self.number(5, 40), hidden_act=self.activation(), layer_norm_eps=self.one(1e-12, 1e-4),
            image_size=self.one(patch * 2, (patch * 2, patch * 3)), patch_size=patch, num_channels=self.one(1, 3),
            qkv_bias=self.yes(), num_labels=self.one(1, 3, 4)))


def write_preprocessor(model, folder):
    size, n = model.config.image_size, model.config.num_channels
    height, width = (size, size) if isinstance(size, int) else size
    with open(os.path.join(folder, "preprocessor_config.json"), "w") as f:
        json.dump({"image_processor_type": "ViTImageProcessor", "do_resize": True, "resample": 2,
                   "size": {"height": height, "width": width}, "do_rescale": True, "rescale_factor": 1 / 255,
                   "do_normalize": True, "image_mean": [0.5] * n, "image_std": [0.5] * n}, f)


def make(draw, family, number, root):
    model = getattr(draw, family)()
    for _, parameter in model.named_parameters():
        if parameter.dim() == 1:  # biases and norms are not what they begin as
            parameter.data.add_(torch.randn_like(parameter) * 0.1)
    if family == "marian":
        model.final_logits_bias.normal_(0, 0.3)
    folder = os.path.join(root, f"{number:03d}_{type(model).__name__}")
    model.save_pretrained(folder)
    if family == "vit":
        write_preprocessor(model, folder)
    return folder


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("folder", help="where the models' folders are made")
    p.add_argument("--count", type=int, default=50)
    p.add_argument("--seed", type=int, default=1)
    args = p.parse_args()
    draw = Drawer(args.seed)
    families = ["bert", "roberta", "distilbert", "gpt2", "llama", "t5", "bart", "marian", "vit"]
    recording = recorder.parser().parse_args([args.folder, "--length", "20", "--new-tokens", "10", "--train", "3"])
    for number in range(args.count):
        family = draw.one(*families)
        torch.manual_seed(args.seed * 1000 + number)
        try:
            recorder.record(make(draw, family, number, args.folder), recording)
        except (ValueError, IndexError, RuntimeError) as e:
            print(f"random_models.py: {number} ({family}) is left out: {e}")


if __name__ == "__main__":
    main()
