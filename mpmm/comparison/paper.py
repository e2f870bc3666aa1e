"""What the paper states: Aspri, Tsagkatakis, Tsakalides, Remote Sensing 2020, 12, 2670; all on DFC2018."""

from __future__ import annotations

from collections.abc import Mapping

# Table 2: validation accuracy in percent by what the network sees
TABLE_2: Mapping[str, float] = {"RGB": 43.1, "HSI": 77.6, "both": 83.6}
# Table 3: validation accuracy in percent by method
TABLE_3: Mapping[str, float] = {"SVM": 74.1, "KNN": 82.4, "network": 83.6}
# Tables 4 and 5, for 1,000 and 14,000 patches: seconds, and accuracy, by layout
PATCHES = (1000, 14000)
TABLE_4: Mapping[str, tuple[float, float]] = {
    "data": (51.7, 787.2),
    "baseline": (26.0, 500.1),
    "optimized": (25.1, 364.5),
}
TABLE_5: Mapping[str, tuple[float, float]] = {
    "data": (0.86, 0.83),
    "baseline": (0.86, 0.83),
    "optimized": (0.86, 0.84),
}
# Figures 11 and 12: MB/s of the merging worker, from the baseline to the optimized layout
MERGING = (10.0, 2.5)
# Figure 10: batches whose traffic is compared
BATCHES = (10, 50, 200)
