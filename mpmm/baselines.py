"""Classical baselines on the same patches: KNN and SVM, as in the paper's Table 3."""
