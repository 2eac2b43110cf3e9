"""Events -> tensors: voxel grids, layer sums, tables, images, point sets. Cells stay sparse until a batch is made."""

from showercal.features._columns import Columns, DenseColumn, RaggedColumn
from showercal.features._config import (
    FeatureConfig,
    Images,
    InputConfig,
    LayerSums,
    LinearEnergy,
    MuonFeatures,
    Neighbourhoods,
    Points,
    Table,
    TrackProfiles,
    Voxels,
)
from showercal.features._extractor import FeatureExtractor, same_detector
from showercal.features._flat import Fields, layer_sums_of_fields
from showercal.features._graph import FeatureGraph, fields_of
from showercal.features._muon_features import MUON_FEATURES, MUON_THRESHOLDS, MuonFeature, muon_features
from showercal.features._neighbours import neighbourhoods
from showercal.features._observables import Observables, join_observables, observe
from showercal.features._shower_profiles import CELL_EDGES, ShowerProfiles, ring_edges, shower_profiles
from showercal.features._shower_shapes import (
    LIT_THRESHOLDS,
    Hits,
    ShowerShapes,
    first_leaking_layer,
    shower_hits,
    shower_shapes,
    start_thresholds,
)
from showercal.features._sums import layer_sums
from showercal.features._symmetry import GridAugmentation
from showercal.features._track_profiles import (
    TRACK_RINGS,
    TRACK_THRESHOLDS,
    profile_names,
    track_profiles,
    track_profiles_of_fields,
)

__all__ = [
    "CELL_EDGES",
    "LIT_THRESHOLDS",
    "MUON_FEATURES",
    "MUON_THRESHOLDS",
    "TRACK_RINGS",
    "TRACK_THRESHOLDS",
    "Columns",
    "DenseColumn",
    "FeatureConfig",
    "FeatureExtractor",
    "FeatureGraph",
    "Fields",
    "GridAugmentation",
    "Hits",
    "Images",
    "InputConfig",
    "LayerSums",
    "LinearEnergy",
    "MuonFeature",
    "MuonFeatures",
    "Neighbourhoods",
    "Observables",
    "Points",
    "RaggedColumn",
    "ShowerProfiles",
    "ShowerShapes",
    "Table",
    "TrackProfiles",
    "Voxels",
    "fields_of",
    "first_leaking_layer",
    "join_observables",
    "layer_sums",
    "layer_sums_of_fields",
    "muon_features",
    "neighbourhoods",
    "observe",
    "profile_names",
    "ring_edges",
    "same_detector",
    "shower_hits",
    "shower_profiles",
    "shower_shapes",
    "start_thresholds",
    "track_profiles",
    "track_profiles_of_fields",
]
