"""The muon studies: on a file of the published layout, and what their ablations change."""

from __future__ import annotations

import json
from pathlib import Path

import h5py
import numpy as np
import pytest

from showercal.readers import load_mapping
from showercal.studies import load_recipe, run_study

# Per fold: 4 folds of so many muons.
N_MUONS = 160


@pytest.fixture
def published(tmp_path: Path, rng: np.random.Generator) -> Path:
    """Muons along z, whose cells of 40 MeV along the track and of what they radiate rise with the energy."""
    path = tmp_path / "muons.hdf5"
    names = [str(f.column) for name, f in load_mapping("lumin_muons").fields.items() if name.startswith("hl_")]
    with h5py.File(path, "w") as file:
        for fold in range(4):
            energy = rng.uniform(60, 7900, N_MUONS)
            x, y = rng.integers(12, 20, (2, N_MUONS))
            entries = []
            for event in range(N_MUONS):
                layers = np.arange(50)
                lost = 0.04 + rng.exponential(0.001 * energy[event] / 50, 50)
                row = np.zeros(50)
                entries.append(np.stack([lost, row + event, row, layers, row + x[event], row + y[event]]))
                entries[-1][0, ::7] = 5e-4  # cells that are left out
            file[f"fold_{fold}/matrix_inputs"] = np.concatenate(entries, axis=1).astype(np.float32)
            seen = np.array([one[0].sum() for one in entries])
            inputs = rng.normal(size=(N_MUONS, 28)) + ((seen - seen.mean()) / seen.std())[:, None]
            file[f"fold_{fold}/inputs"] = inputs.astype(np.float32)
            file[f"fold_{fold}/targets"] = energy.astype(np.float32)
            file[f"fold_{fold}/weights"] = np.ones(N_MUONS, np.float32)
        file["meta_data/cont_feats"] = json.dumps(names)
        file["meta_data/matrix_feats"] = json.dumps({"shape": [1, 50, 32, 32], "is_sparse": True})
    return path


@pytest.mark.usefixtures("no_figures")
def test_the_study_of_the_published_files_runs_on_their_layout(published: Path, tmp_path: Path) -> None:
    quick = [f"methods.{name}.method.training.batch_size=32" for name in ("hl_mlp", "depth", "depth_likelihood")]
    quick += [f"methods.{name}.method.training.averaging=null" for name in ("depth", "depth_likelihood")]
    quick += ["calibration.n_bins=3", "evaluation.n_bins=2", "evaluation.n_bootstrap=5"]
    recipe = load_recipe("muons-published", [f"data.events={published}", *quick]).without_long_methods()
    said: list[str] = []
    run = run_study(recipe, tmp_path / "run", say=said.append)
    assert f"{4 * N_MUONS:,} events: {2 * N_MUONS} train, {N_MUONS} validation, {N_MUONS} test" in said
    # 8 of 50 cells of each muon
    assert any("1 MeV" in text or "0.001 GeV" in text for text in said)
    assert run.info["provenance"]["n_events"] == 4 * N_MUONS
    for name in recipe.methods:
        value, error = run.value(name, "mean_improvement")
        assert np.isfinite(value)
        assert error > 0


@pytest.mark.parametrize("study", ["muons", "electrons"])
def test_each_ablation_changes_something_of_its_base(study: str) -> None:
    from showercal.studies._ablations import with_variants

    recipe = load_recipe(study)
    config = recipe.ablations
    assert config is not None
    methods = with_variants(recipe.methods, config, config.variants)
    found = {name: (methods[name].method, methods[name].calibration) for name in (config.base, *config.variants)}
    texts = [repr(one) for one in found.values()]
    assert len(set(texts)) == len(texts) == 1 + len(config.variants)
