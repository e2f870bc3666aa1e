"""Classical baselines on the same patches: KNN and SVM, as in the paper's Table 3, and a random forest.

All take a patch as one long vector: the numbers of all its modalities, normalised as the network gets them,
one modality after the other. 8,000 patches of 48 + 3 bands and 25 x 25 pixels are 1 GB in float32. Of them
scikit-learn's SVC would make a float64 copy (2 GB more), so it gets the kernel matrix instead: 0.5 GB, made
in blocks, once for all of its one-versus-rest machines.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.ensemble import RandomForestClassifier
from sklearn.multiclass import OneVsRestClassifier
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.svm import SVC

from mpmm.errors import PatchError

Features = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]
Labels = npt.NDArray[np.int16]
Read = Callable[[npt.NDArray[np.int64]], Mapping[str, Features]]

# patches read, and predicted, at a time
BATCH = 256
# rows and features of a block of the kernel matrix: its products stay below 100 MB, and sums of 4,096
# float32 products are added up in float64
ROWS, COLUMNS = 1024, 4096


def knn(neighbours: int = 5) -> Pipeline:
    """Majority of the nearest patches by Euclidean distance, all compared, in chunks of bounded memory."""
    return make_pipeline(KNeighborsClassifier(neighbours, algorithm="brute", metric="euclidean"))


def svm(penalty: float = 1.0) -> Pipeline:
    """One machine a class against the rest, with the kernel exp(-gamma |x - y|^2)."""
    return make_pipeline(RbfKernel(), OneVsRestClassifier(SVC(C=penalty, kernel="precomputed")))


def forest(trees: int = 200) -> Pipeline:
    """Majority of trees that each see a sample of the patches, and at each branch some of the features."""
    return make_pipeline(RandomForestClassifier(trees, random_state=0, n_jobs=-1))


def baselines() -> dict[str, Pipeline]:
    """Return the unfitted baselines by the name that tables give them."""
    return {"KNN (k=5)": knn(), "RBF-SVM": svm(), "random forest": forest()}


def extras(size: int) -> dict[str, Pipeline]:
    """Return one more unfitted method that the paper does not have: an SVM of the centre pixels alone.

    Parameters
    ----------
    size
        Rows and columns of a patch.
    """
    return {"RBF-SVM, centre pixel": make_pipeline(CentrePixels(size), *(step for _, step in svm().steps))}


class CentrePixels(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Keeps of each patch its centre pixel alone, all bands of all modalities.

    Parameters
    ----------
    size
        Rows and columns of a patch, odd.
    """

    def __init__(self, size: int) -> None:
        self.size = size

    def fit(self, features: Features, labels: object = None) -> Self:
        """Learn nothing, for there is nothing to learn."""
        return self

    def transform(self, features: Features) -> Features:
        """Take the middle of each band: float32 (samples, bands)."""
        pixels = self.size * self.size
        return np.ascontiguousarray(features[:, pixels // 2 :: pixels])


class RbfKernel(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Turns features into their kernel with every training sample: exp(-gamma |x - y|^2).

    gamma is 1 / (features * variance of all training values), scikit-learn's "scale". Distances come from
    |x|^2 + |y|^2 - 2 x.y by float32 products added up in float64, so that no float64 copy of the features
    is made.
    """

    def fit(self, features: Features, labels: object = None) -> Self:
        """Keep the training features (not a copy) and measure gamma."""
        self.features_ = features
        self.squares_ = squared_lengths(features)
        self.gamma_ = scale(features)
        return self

    def transform(self, features: Features) -> Doubles:
        """Compute the kernel matrix, float64 (samples, training samples)."""
        kernel = np.zeros((len(features), len(self.features_)))
        for rows in _slices(len(features), ROWS):
            block = kernel[rows]
            for columns in _slices(features.shape[1], COLUMNS):
                block += features[rows, columns] @ self.features_[:, columns].T
            block *= -2
            block += squared_lengths(features[rows])[:, None]
            block += self.squares_
            np.maximum(block, 0, out=block)
            block *= -self.gamma_
            np.exp(block, out=block)
        return kernel


def squared_lengths(features: Features) -> Doubles:
    """|x|^2 of each sample, in float64, shape (samples,)."""
    squares = np.zeros(len(features))
    for rows in _slices(len(features), 64):
        squares[rows] = np.square(features[rows], dtype=np.float64).sum(axis=1)
    return squares


def scale(features: Features) -> float:
    """gamma = 1 / (features * variance of all values); 1 where nothing varies."""
    mean = float(features.mean(dtype=np.float64))
    squares = sum(
        float(np.square(features[rows] - mean, dtype=np.float64).sum()) for rows in _slices(len(features), 64)
    )
    variance = squares / features.size
    return 1 / (features.shape[1] * variance) if variance > 0 else 1.0


def vectorised(read: Read, count: int) -> Iterator[Features]:
    """Read samples 0 .. count - 1 as vectors, a batch at a time: float32 (batch, features).

    Parameters
    ----------
    read
        Gives the patches of samples by modality, each (n, bands, size, size).
    """
    for rows in _slices(count, BATCH):
        patches = read(np.arange(count)[rows])
        yield np.concatenate([each.reshape(len(each), -1) for each in patches.values()], axis=1)


def vectors(read: Read, count: int) -> Features:
    """Read all samples as vectors into one matrix: float32 (count, features)."""
    matrix: Features | None = None
    for rows, batch in zip(_slices(count, BATCH), vectorised(read, count), strict=True):
        matrix = np.empty((count, batch.shape[1]), np.float32) if matrix is None else matrix
        matrix[rows] = batch
    if matrix is None:
        raise PatchError("the baselines have no training patches", "draw some")
    return matrix


def fitted(model: Pipeline, features: Features, labels: Labels) -> Pipeline:
    """Fit a baseline to the training patches, and return it.

    Raises
    ------
    PatchError
        The training patches are of one class only, or fewer than the neighbours that vote.
    """
    if len(np.unique(labels)) < 2:
        raise PatchError(
            "the training patches are all of one class", "the baselines need two classes or more"
        )
    neighbours = model.get_params().get("kneighborsclassifier__n_neighbors", 1)
    if len(labels) < neighbours:
        raise PatchError(
            f"{len(labels)} training patches, {neighbours} neighbours vote", "draw more patches per class"
        )
    return model.fit(features, labels)


def predicted(model: Pipeline, read: Read, count: int) -> npt.NDArray[Any]:
    """Predict samples 0 .. count - 1, reading a batch at a time; class positions, shape (count,)."""
    batches: Sequence[npt.NDArray[Any]] = [model.predict(batch) for batch in vectorised(read, count)]
    return np.concatenate(batches) if batches else np.zeros(0, np.int16)


def _slices(length: int, step: int) -> Iterator[slice]:
    return (slice(start, min(start + step, length)) for start in range(0, length, step))
