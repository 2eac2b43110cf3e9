"""Any network as an Estimator."""

from __future__ import annotations

import copy
import hashlib
import json
import logging
import math
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, Literal, Self

import lightning
import numpy as np
import torch
from lightning.pytorch.callbacks import Callback, RichProgressBar
from pydantic import BaseModel, ConfigDict, Field, model_validator
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import nn

from showercal.errors import DataError, ModelFileError, RecipeError, check_fitted, nearest
from showercal.estimator import Estimator, read_model_file, write_model_file
from showercal.events import Events, FloatArray
from showercal.features import (
    Columns,
    FeatureConfig,
    FeatureExtractor,
    FeatureGraph,
    LinearEnergy,
    Neighbourhoods,
    Points,
    TrackProfiles,
    Voxels,
    fields_of,
)
from showercal.losses import (
    BoundaryConfig,
    FittedWidth,
    LossConfig,
    MseConfig,
    PredictedWidth,
    WeightingConfig,
    Width,
    build_loss,
    build_weighting,
    fit_width,
)
from showercal.models import (
    DeepSetsConfig,
    DepthNetConfig,
    EnergyDistribution,
    NetworkConfig,
    NetworkGraph,
    TruncatedLogNormalHeadConfig,
    TruncatedNormalHeadConfig,
    build_network,
)
from showercal.prediction import Prediction
from showercal.training._batches import Batches, generator
from showercal.training._callbacks import EpochCheckpoint, Memory, Patience
from showercal.training._config import OneCycleStepSchedule, TrainingConfig
from showercal.training._decorrelation import DecorrelationConfig, build_decorrelation
from showercal.training._loss_schedules import loss_schedule
from showercal.training._memory import keep_freed_memory
from showercal.training._module import EnergyRegression

_WEIGHTS_FILE = "weights.safetensors"
# Of a batch of predictions: at most so many events, and numbers in their features (16 MB), which keeps what a network
# makes of them in the caches of a processor.
_PREDICT_EVENTS = 1024
_PREDICT_NUMBERS = 2**22


class NetworkMethodConfig(BaseModel):
    """A network, what it sees and how it is trained.

    Args:
        features: Its inputs.
        network: Its architecture and head.
        loss: What is made small.
        weighting: Weights of events in it by their true energy; None weighs all alike.
        decorrelation: A penalty on what the error tells about the true energy; the last epoch is then kept, not the
            best.
        start_from: Name of another method of the study with the same features and architecture, whose weights this one
            starts from; the head may be another.
        training: Options of the loop.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    kind: Literal["network"] = "network"
    features: FeatureConfig = Field(min_length=1)
    network: NetworkConfig
    loss: LossConfig = MseConfig()
    weighting: WeightingConfig | None = None
    decorrelation: DecorrelationConfig | None = None
    start_from: str | None = None
    training: TrainingConfig = TrainingConfig()

    @property
    def fields(self) -> tuple[str, ...]:
        """Fields of the events that it sees."""
        return fields_of(self.features.values())

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        augmentation = self.training.augmentation
        if augmentation is not None and not isinstance(self.features.get(augmentation.input), Voxels):
            hint = nearest(augmentation.input, self.features)
            raise ValueError(f"augmentation.input {augmentation.input!r} is not a voxels input; {hint}")
        _check_loss(self.loss, self.network.head.kind, self.start_from)
        if self.decorrelation is not None:
            _check_keeps_last(self.training)
        _check_inputs(self.network, self.features)
        return self


def _check_keeps_last(training: TrainingConfig) -> None:
    """Refuse options that look for the best epoch."""
    if training.patience is not None:
        raise ValueError("a decorrelation keeps the last epoch, so that training.patience has no meaning: leave it out")
    if training.schedule.kind == "one_cycle_step":
        raise ValueError(
            "a decorrelation keeps the last epoch, and schedule one_cycle_step goes back to the best one: choose "
            "another schedule"
        )


def _check_inputs(network: NetworkConfig, features: FeatureConfig) -> None:
    """Refuse inputs of a kind that the network does not take."""
    sets = {name for name, spec in features.items() if isinstance(spec, Points | Neighbourhoods)}
    if isinstance(network, DeepSetsConfig):
        if network.hits not in sets:
            raise ValueError(
                f"network.hits {network.hits!r} is not an input of kind points or neighbourhoods; "
                f"{nearest(network.hits, features)}"
            )
        if network.start is not None and not isinstance(features.get(network.start), LinearEnergy):
            raise ValueError(
                f"network.start {network.start!r} is not an input of kind linear_energy; "
                f"{nearest(network.start, features)}"
            )
        sets -= {network.hits}
    if isinstance(network, DepthNetConfig):
        profiles = {name for name, spec in features.items() if isinstance(spec, TrackProfiles)}
        if network.profile not in profiles:
            raise ValueError(
                f"network.profile {network.profile!r} is not an input of kind track_profiles; "
                f"{nearest(network.profile, features)}"
            )
    if sets:
        raise ValueError(f"{network.name} does not take the points or neighbourhoods {sorted(sets)}: leave them out")


_NEEDS: Final = {"quantile": ("quantiles",), "mutual_information": ("gaussian_ansatz",)}
_WITHOUT_DENSITY: Final = ("point", "quantiles")


def _check_loss(loss: LossConfig, head: str, start_from: str | None) -> None:
    """Refuse a loss that the head cannot serve."""
    needed = _NEEDS.get(loss.kind)
    if needed is not None and head not in needed:
        raise ValueError(f"loss {loss.kind} needs network.head.kind {' or '.join(needed)}; got {head}")
    if loss.kind != "mutual_information" and head == "gaussian_ansatz":
        raise ValueError(f"head gaussian_ansatz is trained by loss mutual_information; got {loss.kind}")
    if loss.kind == "nll" and head in _WITHOUT_DENSITY:
        raise ValueError(f"loss nll needs a head with a density: set network.head to {{kind: normal}}; got {head}")
    if isinstance(loss, BoundaryConfig):
        if head not in ("point", "normal"):
            raise ValueError(f"loss boundary trains a location: set network.head.kind to point or normal; got {head}")
        if isinstance(loss.sigma, PredictedWidth) and head != "normal":
            raise ValueError("loss.sigma.kind predicted needs a head with a width: set network.head to {kind: normal}")
        if loss.train_width and (head != "normal" or isinstance(loss.sigma, PredictedWidth)):
            raise ValueError(
                "loss.train_width trains the width of head {kind: normal} beside a location with another sigma; got "
                f"head {head} and loss.sigma.kind {loss.sigma.kind}"
            )
        if isinstance(loss.sigma, FittedWidth) and start_from is None:
            raise ValueError("loss.sigma.kind fitted is fitted to another method's errors: name it in start_from")


def _check_energies(config: NetworkMethodConfig, **energies: FloatArray) -> None:
    """Refuse energies of which a loss is infinite or not defined, (B,), [GeV]."""
    loss, head = config.loss.kind, config.network.head
    for part, energy in energies.items():
        if loss in ("fractional_mse", "fractional_huber"):
            needs, advice = "divides by energy_true, which must be > 0 GeV", "drop them with Events[mask]"
            wrong = energy <= 0
        elif loss == "nll" and isinstance(head, TruncatedNormalHeadConfig | TruncatedLogNormalHeadConfig):
            needs = f"of head {head.kind} needs energy_true from {head.low:g} to {head.high:g} GeV"
            advice = "set network.head.low and high to hold them, or drop them with Events[mask]"
            # in the precision of the training, where an energy at an end is inside
            low, high, single = np.float32(head.low), np.float32(head.high), energy.astype(np.float32)
            wrong = (single < low) | (single > high)
        else:
            continue
        if wrong.any():
            at = int(wrong.argmax())
            raise DataError(
                f"loss {loss} {needs}; got {energy[at]:g} at event {at} of the {part} events ({int(wrong.sum())} of "
                f"{len(energy)}): {advice}"
            )


class NetworkRegressor(Estimator):
    """Trains a network on events and predicts their energies.

    The weights of the epoch with the lowest validation loss are kept.

    Args:
        config: Options.
        start: Fitted method whose weights this one starts from, where the options name one in ``start_from``.
        fine_tune: Train ``start`` on instead, whatever ``start_from`` says: the scales of features and energies stay
            those it learned, so that before the first step the answers are its answers. Scales of the new events would
            change what the weights see, and those of a few events are poorly known.
        progress: Whether to show a bar.

    Attributes:
        network_: The trained network; ``extractor_`` its features; ``history_`` one row per epoch.
    """

    def __init__(
        self,
        config: NetworkMethodConfig,
        *,
        start: NetworkRegressor | None = None,
        fine_tune: bool = False,
        progress: bool = True,
    ) -> None:
        self.config = config
        self.start = start
        self.fine_tune = fine_tune
        self.progress = progress

    def fit(self, train: Events, validation: Events, workspace: Path | None = None) -> Self:
        """Train, or go on where an earlier call with the same workspace and options was killed.

        Raises:
            TrainingError: If the loss stops being finite.
            DataError: If the loss divides by true energies and one is 0, or one is outside the interval that the head
                allows.
            RecipeError: If the method to start from, or to train on, is missing or has other features or layers.
            KeyboardInterrupt: On Ctrl-C; with a workspace no finished epoch is lost.
        """
        keep_freed_memory()
        options = self.config.training
        energy = train.energy_true
        _check_energies(self.config, train=energy, validation=validation.energy_true)
        with torch.random.fork_rng():
            torch.manual_seed(generator("weights", options.seed).initial_seed())
            columns = self._take_all(train) if self.fine_tune else self._begin(train)
            if options.augmentation is not None:
                _check_square(self.extractor_)
            decorrelation = None
            if self.config.decorrelation is not None:
                decorrelation = build_decorrelation(self.config.decorrelation, torch.from_numpy(energy))
        loss = build_loss(self.config.loss, self._fitted_width(train))
        weighting = None if self.config.weighting is None else build_weighting(self.config.weighting)
        module = EnergyRegression(self.network_, loss, options, decorrelation, weighting)
        device = _device(options.device)
        learn = self._batches(train, device, options.batch_size, options.seed, columns)
        learn.epoch = lambda: module.current_epoch
        judge = self._batches(validation, device, self._prediction_batch(), None)

        memory = Memory(keep_last=decorrelation is not None)
        callbacks: list[Callback] = [memory, *loss_schedule(options)]
        if options.patience is not None:
            schedule = options.schedule
            n_cycle = schedule.n_cycle if isinstance(schedule, OneCycleStepSchedule) else 0
            callbacks.append(Patience(options.patience, n_before=n_cycle))
        checkpoint = None
        if workspace is not None:
            workspace.mkdir(parents=True, exist_ok=True)
            checkpoint = workspace / f"training-{self._identity(learn, judge)}.ckpt"
            callbacks.append(EpochCheckpoint(checkpoint))
        if self.progress:
            callbacks.append(RichProgressBar(leave=False))
        with _quiet(), torch.random.fork_rng():
            trainer = lightning.Trainer(
                accelerator="cuda" if device.type == "cuda" else "cpu",
                devices=1,
                precision=_precision(options.precision, device),
                max_epochs=options.epochs,
                gradient_clip_val=options.gradient_clip,
                callbacks=callbacks,
                logger=False,
                enable_checkpointing=False,
                enable_model_summary=False,
                enable_progress_bar=self.progress,
                num_sanity_val_steps=0,
                deterministic="warn",
                default_root_dir=workspace,
            )
            resume = checkpoint if checkpoint is not None and checkpoint.exists() else None
            try:
                trainer.fit(module, learn, judge, ckpt_path=resume, weights_only=True)
            except SystemExit as stop:  # what Lightning makes of Ctrl-C
                if trainer.interrupted:
                    raise KeyboardInterrupt from stop
                raise
        self.network_.load_state_dict(memory.best_weights)
        self.network_.cpu().eval()
        self.history_ = memory.history
        self.n_train_ = len(train)
        if workspace is not None:
            for left in workspace.glob("training-*.ckpt"):
                left.unlink()
        return self

    def predict(self, events: Events) -> Prediction:
        check_fitted(self, "network_")
        keep_freed_memory()
        device = _device(self.config.training.device)
        network = self.network_.to(device)
        batches: list[EnergyDistribution] = []
        with torch.inference_mode():
            for batch in self._batches(events, device, self._prediction_batch(), None):
                batches.append(network(batch.features))  # noqa: PERF401
        return batches[0].to_prediction(batches)

    def graph(self) -> NetworkGraph:
        check_fitted(self, "network_")
        return NetworkGraph(FeatureGraph(self.extractor_), self.network_.cpu())

    @property
    def n_parameters(self) -> int:
        return count_parameters(self.network_)

    @property
    def kept_epoch(self) -> dict[str, float]:
        """The row of the history of the epoch whose weights were kept: the best, or the last under a decorrelation."""
        if self.config.decorrelation is not None:
            return self.history_[-1]
        return min(self.history_, key=lambda row: row["validation_loss"])

    @property
    def train_seconds(self) -> float:
        """Spent in training steps, over all calls of a fit that was resumed, [s]."""
        return sum(row["seconds"] for row in self.history_)

    @property
    def train_events_per_s(self) -> float:
        """Median over the epochs of events per second spent in training steps."""
        return self.n_train_ / float(np.median([row["seconds"] for row in self.history_]))

    def save(self, folder: Path) -> None:
        check_fitted(self, "network_")
        learned: dict[str, Any] = {
            "features": self.extractor_.state(),
            "energy_mean": float(self.network_.head.energy_mean),  # type: ignore[union-attr, arg-type]
            "energy_std": float(self.network_.head.energy_std),  # type: ignore[union-attr, arg-type]
            "history": self.history_,
            "n_train": self.n_train_,
        }
        folder.mkdir(parents=True, exist_ok=True)
        weights = {name: value.contiguous() for name, value in self.network_.state_dict().items()}
        save_file(weights, folder / _WEIGHTS_FILE)
        write_model_file(folder, self.config, learned)

    @classmethod
    def load(cls, folder: Path) -> Self:
        options, learned = read_model_file(folder)
        method = cls(NetworkMethodConfig(**options))
        method.extractor_ = FeatureExtractor.from_state(method.config.features, learned["features"])
        method.network_ = build_network(
            method.config.network, method.extractor_.shapes(), learned["energy_mean"], learned["energy_std"]
        ).eval()
        try:
            method.network_.load_state_dict(load_file(folder / _WEIGHTS_FILE))
        except (OSError, SafetensorError, RuntimeError) as fault:
            raise ModelFileError(f"{folder / _WEIGHTS_FILE} is missing or damaged ({fault}); train again") from fault
        method.history_, method.n_train_ = learned["history"], learned["n_train"]
        return method

    def _begin(self, train: Events) -> Columns:
        """A new network with scales of its own; and the features of the training events."""
        self.extractor_ = FeatureExtractor(self.config.features)
        columns, energy = self.extractor_.fit_transform(train), train.energy_true
        self.network_ = build_network(
            self.config.network, self.extractor_.shapes(), float(energy.mean()), float(energy.std())
        )
        if self.config.start_from is not None:
            self._take_weights(self.config.start_from)
        return columns

    def _take_all(self, train: Events) -> Columns:
        """The network and the features that are trained on, with all their scales; and those of the training events."""
        if self.start is None:
            raise RecipeError("a fine-tuning needs the method to train on: NetworkRegressor(config, start=...)")
        check_fitted(self.start, "network_")
        theirs, ours = self.start.config, self.config
        if (theirs.features, theirs.network) != (ours.features, ours.network):
            raise RecipeError(
                "a fine-tuning keeps features and network of the method that is trained on; got others for it"
            )
        self.extractor_ = self.start.extractor_
        self.network_ = copy.deepcopy(self.start.network_).train()
        return self.extractor_.transform(train)

    def _take_weights(self, name: str) -> None:
        """Start from the weights of another method; of a head with other outputs, those that both have."""
        if self.start is None:
            raise RecipeError(
                f"this method starts from {name!r}, which was not given: NetworkRegressor(config, start=...)"
            )
        theirs, ours = self.start.network_.state_dict(), self.network_.state_dict()
        layers = [key for key in ours if not key.startswith("head.")]
        if self.start.extractor_.state() != self.extractor_.state() or any(
            key not in theirs or ours[key].shape[1:] != theirs[key].shape[1:] for key in layers
        ):
            raise RecipeError(
                f"start_from: {name!r} sees other features or has other layers; give both the same features and network"
            )
        for key in layers:
            n = min(len(ours[key]), len(theirs[key]))  # the first output is the energy in all heads
            if ours[key].ndim == 0 or ours[key].shape == theirs[key].shape:
                ours[key].copy_(theirs[key])
            else:
                ours[key][:n].copy_(theirs[key][:n])

    def _fitted_width(self, train: Events) -> Width | None:
        """sigma(E) of the errors of the method this one starts from."""
        if not (isinstance(self.config.loss, BoundaryConfig) and isinstance(self.config.loss.sigma, FittedWidth)):
            return None
        assert self.start is not None
        return fit_width(train.energy_true, self.start.predict(train).mean)

    def _prediction_batch(self) -> int:
        """Events that are predicted at a time."""
        numbers = sum(math.prod(shape) for shape in self.extractor_.shapes().values())
        return max(1, min(_PREDICT_EVENTS, _PREDICT_NUMBERS // numbers))

    def _batches(
        self, events: Events, device: torch.device, size: int, seed: int | None, columns: Columns | None = None
    ) -> Batches:
        """Batches of events, whose columns are made unless they are given."""
        if columns is None:
            columns = self.extractor_.transform(events)
        columns = {name: column.to(device) for name, column in columns.items()}
        energy = np.zeros(len(events)) if "energy_true" not in events.fields else events.energy_true
        return Batches(self.extractor_, columns, torch.tensor(energy, dtype=torch.float32, device=device), size, seed)

    def _identity(self, *parts: Batches) -> str:
        """Short hash of all that decides the result, so that a checkpoint of something else is not taken up."""
        options = [self.config.model_dump(mode="json"), self.extractor_.state()]
        digest = hashlib.sha256(json.dumps(options, sort_keys=True).encode())
        if self.start is not None:
            for weights in self.network_.state_dict().values():
                digest.update(weights.cpu().numpy().tobytes())
        for part in parts:
            arrays = [part.energy_true, *(array for column in part.columns.values() for array in vars(column).values())]
            for array in arrays:
                digest.update(np.ascontiguousarray(array.cpu().numpy()).data)
        return digest.hexdigest()[:12]


def count_parameters(network: nn.Module) -> int:
    """Trainable parameters."""
    return sum(p.numel() for p in network.parameters() if p.requires_grad)


def _check_square(extractor: FeatureExtractor) -> None:
    calorimeter = extractor.calorimeter_
    assert calorimeter is not None
    across = (calorimeter.n_x, calorimeter.cell_x), (calorimeter.n_y, calorimeter.cell_y)
    if across[0] != across[1]:
        raise RecipeError(
            f"the augmentation needs a calorimeter that is the same in x and in y; {calorimeter.name!r} has "
            f"{across[0][0]} cells of {across[0][1]} mm in x and {across[1][0]} of {across[1][1]} mm in y: leave it out"
        )


def _device(wanted: str) -> torch.device:
    if wanted == "auto":
        wanted = "cuda" if torch.cuda.is_available() else "cpu"
    return torch.device(wanted)


def _precision(wanted: str, device: torch.device) -> Literal["bf16-mixed", "32-true"]:
    if wanted == "auto":
        able = torch.cpu.get_capabilities()
        # without instructions for it, bf16 on a CPU is slower than float32
        native = device.type == "cuda" or able.get("avx512_bf16") or able.get("amx_bf16")
        wanted = "bf16" if native else "float32"
    return "bf16-mixed" if wanted == "bf16" else "32-true"


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence what Lightning says about hardware and loader workers, and undo what it sets for the whole process."""
    logger = logging.getLogger("lightning.pytorch")
    level = logger.level
    deterministic = torch.are_deterministic_algorithms_enabled()
    warn_only = torch.is_deterministic_algorithms_warn_only_enabled()
    logger.setLevel(logging.WARNING)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*does not have many workers.*")
        warnings.filterwarnings("ignore", message=".*GPU available but not used.*")
        warnings.filterwarnings("ignore", message=".*isinstance.*LeafSpec.*")
        try:
            yield
        finally:
            logger.setLevel(level)
            torch.use_deterministic_algorithms(deterministic, warn_only=warn_only)
