"""Huberised fractional squared error: against a slow loop, its shape, and a state that only training moves."""

import math

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from pydantic import TypeAdapter, ValidationError

from showercal.losses import FractionalHuber, LossConfig, build_loss, fractional_mse
from showercal.models import PointEnergy

PUBLISHED = {"low": 50.0, "high": 8000.0, "n_bins": 5, "quantile": 0.68, "momentum": 0.1}


def build(**changes: float) -> FractionalHuber:
    loss = build_loss(TypeAdapter(LossConfig).validate_python({"kind": "fractional_huber", **PUBLISHED, **changes}))
    assert isinstance(loss, FractionalHuber)
    return loss.double()


def slow(
    batches: list[tuple[NDArray[np.float64], NDArray[np.float64]]], n_bins: int, momentum: float
) -> tuple[list[NDArray[np.float64]], list[float | None]]:
    """Loss of each event of each batch, and the thresholds at the end, event by event."""
    edges = np.linspace(50, 8000, n_bins + 1)
    thresholds: list[float | None] = [None] * n_bins
    losses = []
    for pred, truth in batches:
        each = [(p - t) ** 2 for p, t in zip(pred, truth, strict=True)]
        for b in range(n_bins):
            members = [i for i, t in enumerate(truth) if edges[b] <= t < edges[b + 1]]
            if not members:
                continue
            k = 1 + round(0.68 * (len(members) - 1))
            value = sorted(each[i] for i in members)[k - 1]
            old = thresholds[b]
            new = value if old is None else old + momentum * (value - old)
            thresholds[b] = new
            for i in members:
                if each[i] > new:
                    each[i] = new + 2 * math.sqrt(new) * (abs(pred[i] - truth[i]) - math.sqrt(new))
        losses.append(np.array(each) / truth)
    return losses, thresholds


def batches(n_events: int) -> list[tuple[NDArray[np.float64], NDArray[np.float64]]]:
    """Six of them, with events outside the bins and on their edges, and bins that some batches have no event in."""
    rng = np.random.default_rng(1)
    made = []
    for _ in range(6):
        truth = rng.uniform(20, 8600, n_events)
        truth[:3] = 50.0, 1640.0, 8000.0
        made.append((truth * (1 + 0.3 * rng.standard_t(3, n_events)), truth))
    return made


@pytest.mark.parametrize("n_events", [4, 9, 256])
@pytest.mark.parametrize(("n_bins", "momentum"), [(5, 0.1), (1, 0.1), (5, 0.0)])
def test_equals_the_slow_loop(n_events: int, n_bins: int, momentum: float) -> None:
    loss = build(n_bins=n_bins, momentum=momentum)
    expected, thresholds = slow(batches(n_events), n_bins, momentum)
    for (pred, truth), each in zip(batches(n_events), expected, strict=True):
        got = loss(PointEnergy(torch.from_numpy(pred)), torch.from_numpy(truth))
        np.testing.assert_allclose(got, each, rtol=1e-12)
    known = [math.inf if t is None else t for t in thresholds]
    np.testing.assert_allclose(loss.threshold, known, rtol=1e-12)
    assert n_events == 4 or all(math.isfinite(t) for t in known)


def test_has_no_step_and_no_kink_and_a_bounded_slope() -> None:
    loss = build(n_bins=1).eval()
    loss.threshold[:] = 100.0**2
    error = torch.linspace(-400, 400, 8001, dtype=torch.float64, requires_grad=True)
    truth = torch.full_like(error, 1000.0)
    each = loss(PointEnergy(truth + error), truth)
    (slope,) = torch.autograd.grad(each.sum(), error)
    torch.testing.assert_close(slope, 2 * error.detach().clamp(-100, 100) / 1000)
    assert float(each.detach().diff().abs().max()) < 0.021


def test_without_tails_it_is_the_plain_square() -> None:
    truth = torch.tensor([100.0, 3000.0, 9000.0], dtype=torch.float64)
    pred = PointEnergy(truth * 1.5)
    torch.testing.assert_close(build().eval()(pred, truth), fractional_mse(pred, truth))
    torch.testing.assert_close(fractional_mse(pred, truth), 0.25 * truth)


def test_only_training_moves_the_thresholds() -> None:
    loss, (first, second, *_) = build(), batches(200)
    for pred, truth in (first, second):
        loss(PointEnergy(torch.from_numpy(pred)), torch.from_numpy(truth))
    before = loss.threshold.clone()
    loss.eval()(PointEnergy(torch.from_numpy(3 * first[0])), torch.from_numpy(first[1]))
    torch.testing.assert_close(loss.threshold, before, rtol=0, atol=0)
    loss.train()(PointEnergy(torch.from_numpy(3 * first[0])), torch.from_numpy(first[1]))
    assert (loss.threshold > before).all()


def test_the_state_is_what_a_checkpoint_holds() -> None:
    first, second = build(), build()
    pred, truth = (torch.from_numpy(part) for part in batches(200)[0])
    first(PointEnergy(pred), truth)
    second.load_state_dict(first.state_dict())
    torch.testing.assert_close(
        first(PointEnergy(2 * pred), truth), second(PointEnergy(2 * pred), truth), rtol=0, atol=0
    )
    assert set(first.state_dict()) == {"threshold"}


def test_ends_must_be_in_order() -> None:
    with pytest.raises(ValidationError, match="needs low < high; got 8000 and 50 GeV"):
        build(low=8000.0, high=50.0)
