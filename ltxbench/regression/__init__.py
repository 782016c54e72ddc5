"""Changes from run to run: baselines, the gate and the history. What each rule does stands in docs/regression.md."""
