"""Losses: pure functions of a predicted distribution and the true energy."""

from showercal.losses._losses import LOSSES, Loss, mse, negative_log_likelihood

__all__ = ["LOSSES", "Loss", "mse", "negative_log_likelihood"]
