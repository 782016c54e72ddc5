"""The artifact score: the lattice and the grain that an undistilled model leaves in stage 2.

`score` is the largest of lattice / LATTICE_UNIT, mesh / LATTICE_UNIT and grain / GRAIN_UNIT: 1 is where a picture
stands out. docs/quality.md has the false alarms on photographs, those that the units were set on and others.
"""

from __future__ import annotations

import numpy as np

from ltxbench.quality import grain, lattice, mesh
from ltxbench.quality.luma import Frames, luma, spread, without_bars
from ltxbench.quality.records import Artifacts, LatticePeak

FRAMES = 5
"""Of a video, evenly spaced: content moves between them, an artifact of the decoder does not."""
LATTICE_UNIT = 0.4
"""Grey levels, root mean square."""
GRAIN_UNIT = 2.0
"""Grey levels, standard deviation of luma."""
LISTED = 6


def artifacts(frames: Frames) -> Artifacts:
    """Of uint8 [F,H,W,3]."""
    planes = without_bars(np.stack([luma(frames[index]) for index in spread(len(frames), FRAMES)]))
    peaks = lattice.peaks(planes)
    pattern = lattice.rms(peaks)
    wandering = float(np.median([mesh.rms(plane) for plane in planes]))
    noise = float(np.median([grain.sigma(plane) for plane in planes]))
    return Artifacts(
        score=max(pattern / LATTICE_UNIT, wandering / LATTICE_UNIT, noise / GRAIN_UNIT),
        lattice_rms=pattern,
        mesh_rms=wandering,
        grain_sigma=noise,
        peaks=tuple(
            LatticePeak(
                period_x_px=peak.period_x_px,
                period_y_px=peak.period_y_px,
                amplitude=peak.amplitude,
                coherence=peak.coherence,
            )
            for peak in peaks[:LISTED]
        ),
    )
