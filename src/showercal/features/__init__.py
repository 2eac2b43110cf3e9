"""Events -> tensors: voxel grids, layer sums, tables, images, point sets. Cells stay sparse until a batch is made."""

from showercal.features._columns import Columns, DenseColumn, RaggedColumn
from showercal.features._config import (
    FeatureConfig,
    Images,
    InputConfig,
    LayerSums,
    LinearEnergy,
    Neighbourhoods,
    Points,
    Table,
    Voxels,
)
from showercal.features._extractor import FeatureExtractor, same_detector
from showercal.features._flat import Fields, layer_sums_of_fields
from showercal.features._graph import FeatureGraph, fields_of
from showercal.features._neighbours import neighbourhoods
from showercal.features._sums import layer_sums
from showercal.features._symmetry import GridAugmentation

__all__ = [
    "Columns",
    "DenseColumn",
    "FeatureConfig",
    "FeatureExtractor",
    "FeatureGraph",
    "Fields",
    "GridAugmentation",
    "Images",
    "InputConfig",
    "LayerSums",
    "LinearEnergy",
    "Neighbourhoods",
    "Points",
    "RaggedColumn",
    "Table",
    "Voxels",
    "fields_of",
    "layer_sums",
    "layer_sums_of_fields",
    "neighbourhoods",
    "same_detector",
]
