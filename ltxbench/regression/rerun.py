"""A suspected case measured again, its controls in between, by the runner that measured it first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ltxbench.errors import LtxbenchError
from ltxbench.regression.entry import Entry
from ltxbench.regression.take import take_run
from ltxbench.run.identity import code_sha256
from ltxbench.run.listener import Listener
from ltxbench.run.lock import machine_lock
from ltxbench.run.options import CooldownRule, Options
from ltxbench.run.store import RunFolder
from ltxbench.weights.files import FROM_DISK


@dataclass(frozen=True)
class Repeater:
    """Runs cases of `run` again, `rounds` times, interleaved; the new run is kept beside it."""

    run: RunFolder
    rounds: int
    root: Path
    engine: str = "mlx"
    listener: Listener | None = None

    def __call__(self, suspected: Sequence[str], controls: Sequence[str]) -> Entry | None:
        """None, and a note to the listener, where the weights are not here or the machine is in no state to measure."""
        from ltxbench.run.runner import Work, run_matrix
        from ltxbench.weights.resolve import digest, resolve

        record = self.run.record
        listener = self.listener or Listener()
        if record.code_sha256 not in (None, code_sha256()):
            listener.note("the rerun was not possible: this is not the code that the run measured")
            return None

        def waiting(holder: str) -> None:
            listener.note(f"the rerun waits for another benchmark: {holder}")

        wanted = {*suspected, *controls}
        cases = tuple(case for case in record.matrix.cases if case.name in wanted)
        selected = [case for case in record.matrix.cases if case.name in (record.selected or wanted)]
        kind = record.weights.kind
        plan = record.schedule
        try:
            with machine_lock(f"rerun of {record.id}", wait=True, on_wait=waiting):
                files = resolve(kind.removesuffix(FROM_DISK), selected, from_disk=kind.endswith(FROM_DISK))
                work = Work(
                    # The text that the first run encoded: enhancing it anew could give another one.
                    matrix=record.matrix.model_copy(update=_conditioning(self.run)),
                    cases=cases,
                    weights=files,
                    root=self.root,
                    engine=self.engine,
                    weights_digest=digest(files, selected),
                )
                options = Options(
                    repeats=self.rounds,
                    order_seed=plan.order_seed,
                    warm_up=plan.warm_up,
                    cooldown=CooldownRule.parse(plan.cooldown.removesuffix(" s")) if plan.cooldown else None,
                )
                return take_run(run_matrix(work, options, listener))
        except LtxbenchError as error:
            listener.note(f"the rerun was not possible: {error.message}")
            return None


def _conditioning(run: RunFolder) -> dict[str, object]:
    record = run.record
    if not record.matrix.enhance or record.conditioning is None:
        return {}
    return {"enhanced": record.conditioning}
