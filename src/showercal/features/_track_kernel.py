"""The compiled part of the track profiles: one pass over the lit cells of each event."""

from __future__ import annotations

import numpy as np
from numba import njit, prange


@njit(cache=True, nogil=True, parallel=True, error_model="numpy")
def profile_rows(offsets, cell, energy, shape, x, y, track, least, squares, thresholds, unit):
    """Track profiles of events, shape (B, L, C), in the order of `profile_names`.

    Args:
        offsets: Where each event begins in the hits, shape (B + 1,).
        cell, energy: Number and energy [GeV] of the cell of each hit, shape (H,).
        shape: (layers, n_x, n_y).
        x, y: Centres of rows and columns of cells, shapes (n_x,) and (n_y,), [mm].
        track: Where each particle enters, shape (B, 2), [mm].
        least: Hits without more energy are none, [GeV].
        squares: Of the distances that part the rings, [mm^2].
        thresholds: Energies above which cells are counted, [GeV].
        unit: Of energies below the logarithm, [GeV].
    """
    n_layers, n_x, n_y = shape
    n_across = n_x * n_y
    n_rings, n_counts = len(squares) + 1, len(thresholds)
    own = n_rings + n_counts  # where the moments begin
    rows = np.zeros((len(track), n_layers, own + 6), np.float32)
    for event in prange(len(track)):
        # the cells behind each other are as far from the track
        dx, dy, squared = np.empty(n_across), np.empty(n_across), np.empty(n_across)
        ring = np.zeros(n_across, np.int64)
        for column in range(n_across):
            dx[column] = x[column // n_y] - track[event, 0]
            dy[column] = y[column % n_y] - track[event, 1]
            squared[column] = dx[column] * dx[column] + dy[column] * dy[column]
            for edge in squares:
                ring[column] += squared[column] >= edge
        sums = np.zeros((n_layers, own + 6))
        roots = np.zeros(n_layers)
        for hit in range(offsets[event], offsets[event + 1]):
            deposit = float(energy[hit])
            if deposit <= least:
                continue
            layer = cell[hit] // n_across
            column = cell[hit] - layer * n_across
            row, root = sums[layer], np.sqrt(deposit)
            row[ring[column]] += deposit
            for k in range(n_counts):
                if deposit <= thresholds[k]:
                    break
                row[n_rings + k] += 1
            roots[layer] += root
            row[own] += deposit * dx[column]
            row[own + 1] += deposit * dy[column]
            row[own + 2] += deposit * squared[column]
            row[own + 3] += root * dx[column]
            row[own + 4] = max(row[own + 4], deposit)
            row[own + 5] += deposit
        for layer in range(n_layers):
            row, total = sums[layer], sums[layer, own + 5]
            if total == 0.0:
                continue
            for k in range(n_rings):
                rows[event, layer, k] = np.log1p(row[k] / unit)
            for k in range(n_rings, own):
                rows[event, layer, k] = np.log1p(row[k])
            rows[event, layer, own] = np.arcsinh(row[own] / total)
            rows[event, layer, own + 1] = np.arcsinh(row[own + 1] / total)
            rows[event, layer, own + 2] = np.log1p(row[own + 2] / total)
            rows[event, layer, own + 3] = np.arcsinh(row[own + 3] / roots[layer])
            rows[event, layer, own + 4] = np.log1p(row[own + 4] / unit)
            rows[event, layer, own + 5] = np.log1p(total / unit)
    return rows


@njit(cache=True, nogil=True, parallel=True, error_model="numpy")
def find_tracks(offsets, cell, energy, shape, x, y, least, most):
    """Mean place of the bright cells of each event, by their energy up to a limit, shape (B, 2), [mm].

    Args:
        offsets, cell, energy, shape, x, y: As of `profile_rows`.
        least: Cells without more energy do not count, [GeV].
        most: No cell counts for more, [GeV].
    """
    n_x, n_y = shape[1], shape[2]
    place = np.zeros((len(offsets) - 1, 2))
    for event in prange(len(place)):
        total = 0.0
        for hit in range(offsets[event], offsets[event + 1]):
            if energy[hit] > least:
                weight = min(float(energy[hit]), most)
                total += weight
                place[event, 0] += weight * x[cell[hit] // n_y % n_x]
                place[event, 1] += weight * y[cell[hit] % n_y]
        if total > 0.0:
            place[event] /= total
    return place
