"""Studies: the published systems as recipes over the parts; run, judge on other events, report, export."""

from showercal.studies._ablate import Ablation, Ablations, ablate_study
from showercal.studies._calibration_options import CalibrationConfig
from showercal.studies._data import read_events
from showercal.studies._export import export_run
from showercal.studies._recipe import (
    DataConfig,
    EvaluationConfig,
    MethodEntry,
    Recipe,
    SplitConfig,
    load_recipe,
    packaged_studies,
)
from showercal.studies._run import Run, evaluate_run, open_run, render_report, run_study

__all__ = [
    "Ablation",
    "Ablations",
    "CalibrationConfig",
    "DataConfig",
    "EvaluationConfig",
    "MethodEntry",
    "Recipe",
    "Run",
    "SplitConfig",
    "ablate_study",
    "evaluate_run",
    "export_run",
    "load_recipe",
    "open_run",
    "packaged_studies",
    "read_events",
    "render_report",
    "run_study",
]
