"""LDR-FLIP, a model of the differences a viewer sees when two pictures alternate.

Andersson et al., "FLIP: A Difference Evaluator for Alternating Images", Proc. ACM Comput. Graph. Interact. Tech. 3(2),
2020, computed by its authors' package flip-evaluator, at their 67 pixels per degree.
"""

from __future__ import annotations

import numpy as np

from ltxbench.quality.luma import Frames


def mean_flip(reference: Frames, other: Frames) -> float | None:
    """0 (the same) to 1, of uint8 RGB [H,W,3]; None where the package has no build for this Python."""
    try:
        import flip_evaluator
    except ImportError:
        return None
    one, two = (frame.astype(np.float32) / 255 for frame in (reference, other))
    _, mean, _ = flip_evaluator.evaluate(one, two, "LDR", applyMagma=False)
    return float(mean)
