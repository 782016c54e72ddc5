"""`tiny`: LTX-2's architecture at small width, made from a seed as real files in the official layout.

sizes        how big it is: the one place to tune
store        makes the files once and finds them again
numbers      random values and bfloat16, the same on every machine
transformer, vae, audio, upscaler, lora, gemma, tokenizer, config
             what stands in each part of the files
"""

from ltxbench.weights.tiny.store import ensure_tiny

__all__ = ["ensure_tiny"]
