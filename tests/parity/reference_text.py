"""The official text path with random weights: Gemma 3 of transformers, ltx_core's feature extractor and connector."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers
from ltx_core.text_encoders.gemma.embeddings_connector import Embeddings1DConnectorConfigurator
from ltx_core.text_encoders.gemma.embeddings_processor import EmbeddingsProcessor
from ltx_core.text_encoders.gemma.feature_extractor import FeatureExtractorV1
from transformers import Gemma3ForCausalLM, Gemma3ForConditionalGeneration

from ltxbench.model.gemma import TextEncoder
from tests.model.seeded import save_checkpoint, weights
from tests.model.text_inputs import gemma_weights

CONNECTOR = "model.diffusion_model.video_embeddings_connector."
PROJECTION = "text_embedding_projection."

torch.set_num_threads(1)  # The tensors are tiny: handing them between threads costs more than computing them.
transformers.utils.logging.disable_progress_bar()


def random_gemma(config: Mapping[str, Any], folder: Path, seed: int = 0) -> Gemma3ForCausalLM:
    """The official model; `folder` gets the configuration as given and the weights as it saves them."""
    model = Gemma3ForCausalLM(transformers.Gemma3TextConfig(**config)).eval()
    given = gemma_weights({name: tuple(p.shape) for name, p in model.model.named_parameters()}, seed)
    with torch.no_grad():
        for name, parameter in model.model.named_parameters():
            parameter.copy_(torch.from_numpy(given[name]))
    model.save_pretrained(folder)
    (folder / "config.json").write_text(json.dumps(dict(config)))
    return model


def random_multimodal(config: Mapping[str, Any], folder: Path) -> Gemma3ForConditionalGeneration:
    """Text and vision together, saved as transformers does it: nested configuration, prefixed keys."""
    vision = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 1}
    whole = transformers.Gemma3Config(
        text_config=transformers.Gemma3TextConfig(**config),
        vision_config={**vision, "image_size": 28, "patch_size": 14},
    )
    torch.manual_seed(3)
    model = Gemma3ForConditionalGeneration(whole).eval()
    model.save_pretrained(folder)
    return model


def official_hidden_states(model: Any, ids: np.ndarray, mask: np.ndarray) -> list[np.ndarray]:
    with torch.no_grad():
        out = model.model(
            input_ids=torch.from_numpy(ids), attention_mask=torch.from_numpy(mask), output_hidden_states=True
        )
    return [state.float().numpy() for state in out.hidden_states]


def mlx_gemma(config: Mapping[str, Any], dtype: Any, seed: int = 0) -> tuple[Gemma3ForCausalLM, TextEncoder]:
    """Both models with the same weights."""
    import mlx.core as mx

    with tempfile.TemporaryDirectory() as folder:
        reference = random_gemma(config, Path(folder), seed)
        encoder = TextEncoder.load(Path(folder), dtype)
        mx.eval(encoder.model.parameters())
    return reference, encoder


@dataclass(frozen=True)
class OfficialText:
    """Feature extractor and connector, and what a file with their weights holds."""

    processor: EmbeddingsProcessor
    config: dict[str, Any]
    shapes: dict[str, tuple[int, ...]]
    seed: int

    def save(self, path: Path) -> Path:
        return save_checkpoint(path, weights(self.shapes, self.seed), self.config)

    def features(self, hidden: list[np.ndarray], mask: np.ndarray) -> np.ndarray:
        dtype = self.processor.feature_extractor.aggregate_embed.weight.dtype
        with torch.no_grad():
            states = tuple(torch.from_numpy(h).to(dtype) for h in hidden)
            return self.processor.feature_extractor(states, torch.from_numpy(mask))[0].float().numpy()

    def context(self, hidden: list[np.ndarray], mask: np.ndarray) -> np.ndarray:
        """The official connector takes one prompt at a time."""
        dtype = self.processor.feature_extractor.aggregate_embed.weight.dtype
        rows = []
        with torch.no_grad():
            for row in range(mask.shape[0]):
                states = tuple(torch.from_numpy(h[row : row + 1]).to(dtype) for h in hidden)
                out = self.processor.process_hidden_states(states, torch.from_numpy(mask[row : row + 1]))
                rows.append(out.video_encoding.float().numpy())
        return np.concatenate(rows)


def official_text(
    *, heads: int, head_dim: int, layers: int, registers: int, gemma_layers: int, seed: int = 0, **stored: Any
) -> OfficialText:
    """`stored` changes fields of the checkpoint's transformer configuration, the 19B's otherwise."""
    transformer = {
        "connector_num_attention_heads": heads,
        "connector_attention_head_dim": head_dim,
        "connector_num_layers": layers,
        "connector_positional_embedding_max_pos": [4096],
        "rope_type": "split",
        "frequencies_precision": "float64",
        **stored,
    }
    dim = heads * head_dim
    connector = Embeddings1DConnectorConfigurator.from_config({"transformer": transformer})
    connector.num_learnable_registers = registers
    connector.learnable_registers = torch.nn.Parameter(torch.zeros(registers, dim))
    extractor = FeatureExtractorV1(torch.nn.Linear(dim * (gemma_layers + 1), dim, bias=False))
    parts = {CONNECTOR: connector, PROJECTION: extractor}
    shapes = {f"{prefix}{k}": tuple(v.shape) for prefix, part in parts.items() for k, v in part.state_dict().items()}
    given = weights(shapes, seed)
    for prefix, part in parts.items():
        part.load_state_dict({k: torch.from_numpy(given[f"{prefix}{k}"]) for k in part.state_dict()})
    processor = EmbeddingsProcessor(feature_extractor=extractor, video_connector=connector).eval()
    return OfficialText(processor, {"transformer": transformer}, shapes, seed)
