"""The random numbers of a digitisation, compiled: each event draws from its own stream."""

from __future__ import annotations

import math

import numpy as np

from showercal.simulation.fast._compiled import compiled
from showercal.simulation.fast._random import binomial, normal, poisson, seed_state, uniform


@compiled
def draw(offsets, seeds, mean, pixels, with_noise, group_offsets, group_cells, group_probability, n_cells, cell):
    """Photo-electrons and noise of lit cells, and empty cells that noise alone lifts above the threshold.

    Args:
        offsets: Where each event begins in the lit cells, shape (B + 1,).
        seeds: Of each event, shape (B,).
        mean: Mean number of photo-electrons of each lit cell, shape (N,), or (0,) where they do not fluctuate.
        pixels: Pixels of each lit cell's photomultiplier, 0 for no limit, shape (N,) or (0,).
        with_noise: Whether there is noise.
        group_offsets: Where each group of cells with the same probability begins in ``group_cells``, shape (G + 1,).
        group_cells: Cell numbers, group by group.
        group_probability: That noise in a cell of the group passes the threshold, shape (G,).
        n_cells: Cells of the calorimeter.
        cell: Number of each lit cell, shape (N,).

    Returns:
        Photo-electrons (or pixels that fired) of lit cells, shape (N,) or (0,); standard normal numbers for their
        noise, shape (N,) or (0,); and of empty cells that pass their event, cell and a uniform number, each of shape
        (M,).
    """
    counts, normals = np.empty(len(mean)), np.empty(len(cell) if with_noise else 0)
    capacity, found = 1024, 0
    events, cells = np.empty(capacity, np.int64), np.empty(capacity, np.int64)
    uniforms = np.empty(capacity)
    last_lit = np.full(n_cells, -1, np.int64)  # the event that lit a cell last
    rng = np.empty(4, np.uint64)
    for event in range(len(seeds)):
        seed_state(rng, seeds[event])
        for k in range(offsets[event], offsets[event + 1]):
            last_lit[cell[k]] = event
            if len(mean):
                counts[k] = _fired(rng, mean[k], pixels[k]) if pixels[k] else poisson(rng, mean[k])
            if with_noise:
                normals[k] = normal(rng)
        for group in range(len(group_probability)):
            # the number of cells until the next one that passes is geometric: no draw for the others
            scale = 1.0 / math.log1p(-group_probability[group]) if group_probability[group] < 1.0 else 0.0
            at, end = group_offsets[group] - 1, group_offsets[group + 1]
            while True:
                skipped = math.log(uniform(rng)) * scale
                if skipped >= end - at:
                    break
                at += 1 + int(skipped)
                if at >= end:
                    break
                number = uniform(rng)
                if last_lit[group_cells[at]] == event:
                    continue  # its noise is drawn above
                if found == capacity:
                    capacity *= 2
                    events, cells = _grown(events, capacity), _grown(cells, capacity)
                    uniforms = _grown(uniforms, capacity)
                events[found], cells[found], uniforms[found] = event, group_cells[at], number
                found += 1
    return counts, normals, events[:found], cells[:found], uniforms[:found]


@compiled
def _fired(rng, photo_electrons, pixels):
    """Pixels that fire, given the mean number of photo-electrons: each has its own Poisson number of them."""
    if photo_electrons < 0.5 * pixels:
        return binomial(rng, pixels, -math.expm1(-photo_electrons / pixels))
    return pixels - binomial(rng, pixels, math.exp(-photo_electrons / pixels))


@compiled
def _grown(values, capacity):
    larger = np.empty(capacity, values.dtype)
    larger[: len(values)] = values
    return larger
