"""What every loss promises: one value per event, from which a weighted mean can be made."""

from typing import Any, get_args

import pytest
import torch
from pydantic import TypeAdapter

from showercal.losses import Loss, LossConfig, build_loss
from showercal.models import EnergyDistribution, GaussianAnsatzEnergy, NormalEnergy, PointEnergy, QuantileEnergy

B = 40
LOSSES: dict[str, dict[str, Any]] = {
    "mse": {},
    "mae": {},
    "huber": {"delta": 0.5},
    "log_cosh": {},
    "fractional_mse": {},
    "fractional_huber": {"low": 0, "high": 8},
    "quantile": {},
    "nll": {},
    "boundary": {"low": 0, "high": 10, "train_width": True},
    "mutual_information": {"n_energies": 8},
}
# what an event adds depends on the other events of its batch
OF_THE_BATCH = {"mutual_information", "fractional_huber"}


def loss(kind: str) -> Loss:
    return build_loss(TypeAdapter(LossConfig).validate_python({"kind": kind, **LOSSES[kind]}))


def distribution(kind: str, energy: torch.Tensor) -> EnergyDistribution:
    if kind in ("nll", "boundary"):
        return NormalEnergy(energy, 0.1 + 0.1 * energy)
    if kind == "quantile":
        steps = torch.tensor([-0.3, 0.0, 0.4])
        return QuantileEnergy(torch.tensor([0.1, 0.5, 0.9]).expand(len(energy), 3), energy[:, None] + steps)
    if kind == "mutual_information":
        return GaussianAnsatzEnergy(energy, torch.ones_like(energy), torch.ones_like)
    return PointEnergy(energy)


def test_every_loss_is_tested() -> None:
    kinds = {option.model_fields["kind"].default for option in get_args(get_args(LossConfig)[0])}
    assert kinds == set(LOSSES)


@pytest.mark.parametrize("kind", LOSSES)
def test_gives_one_finite_value_per_event(kind: str) -> None:
    truth, pred = 10 * torch.rand(2, B, generator=torch.Generator().manual_seed(1))
    each = loss(kind)(distribution(kind, pred), truth)
    assert each.shape == (B,)
    assert torch.isfinite(each).all()
    assert len(each.unique()) > B / 2


@pytest.mark.parametrize("kind", sorted(LOSSES.keys() - OF_THE_BATCH))
def test_the_value_of_an_event_is_its_own(kind: str) -> None:
    truth, pred = 10 * torch.rand(2, B, generator=torch.Generator().manual_seed(2))
    some = torch.tensor([7, 3, 21])
    each = loss(kind)(distribution(kind, pred), truth)
    torch.testing.assert_close(loss(kind)(distribution(kind, pred[some]), truth[some]), each[some])
