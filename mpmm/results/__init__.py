"""What a run leaves behind: checkpoints, scores, logs, reports."""
