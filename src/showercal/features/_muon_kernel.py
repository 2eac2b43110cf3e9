"""The compiled part of the muon features: one pass over the lit cells of each event, clusters by flood fill."""

from __future__ import annotations

import math

import numpy as np
from numba import njit

# Where each feature stands in a row.
HIGH, CENTRE, CENTRE_HIGH, RADIUS, RADIUS_FIFTH = 0, 1, 2, 3, 4
TRACK_CLUSTERS, TRACK_CELLS_MAX, TRACK_ENERGY_MAX, EXTENT_X, EXTENT_Y, EXTENT_Z = 9, 10, 11, 12, 13, 14
TRACK_PER_CELL, TRACK_CELLS_MEAN = 15, 16
OTHER_CLUSTERS, OTHER_CELLS_MAX, OTHER_ENERGY_MAX, OTHER_PER_CELL, OTHER_CELLS_MEAN = 17, 18, 19, 20, 21
MOMENT_Y, MOMENT_X, BENDING, CUBE, LOW, MIDDLE = 22, 23, 24, 25, 26, 27
N_FEATURES = 28

_BENDING_REACH = 50.0  # of the weight of cells beside the plane in which the muon bends, [mm]
_BENDING_HIGHEST = 10_000.0  # of the bending energy, [GeV]: the track looks straight
_GEV_PER_TESLA_METRE = 0.3


@njit(cache=True, nogil=True, error_model="numpy")
def muon_rows(
    offsets, cell, energy, least, low, high, shape, x, y, layer_z, depth, impact_x, impact_y, column, field_x, field_y
):
    """Muon features of events, shape (B, 28), in the order of `MUON_FEATURES`.

    Args:
        offsets: Where each event begins in the hits, shape (B + 1,).
        cell, energy: Number and energy [GeV] of the cell of each hit, shape (H,).
        least: Hits without more energy are none, [GeV].
        low, high: Between them lie the cells of middle energy, [GeV].
        shape: (layers, n_x, n_y).
        x, y: Centres of the cells of a layer, shape (n_x * n_y,), [mm].
        layer_z: Centre of each layer, shape (L,), [mm].
        depth: Of the calorimeter, [mm].
        impact_x, impact_y: Where each muon enters, shape (B,), [mm].
        column: Number of the cell of a layer behind that point, shape (B,).
        field_x, field_y: Magnetic field across the beam, [T].
    """
    n_layers, n_x, n_y = shape
    n_cells = n_layers * n_x * n_y
    rows = np.zeros((len(impact_x), N_FEATURES))
    grid, cube = np.zeros(n_cells), np.empty((2, n_cells))
    lit, queue = np.empty(n_cells, np.int64), np.empty(n_cells, np.int64)
    for event in range(len(rows)):
        n_lit = 0
        for k in range(offsets[event], offsets[event + 1]):
            if energy[k] > least:
                if grid[cell[k]] == 0.0:
                    lit[n_lit] = cell[k]
                    n_lit += 1
                grid[cell[k]] += energy[k]
        row = rows[event]
        _sums(row, grid, lit[:n_lit], low, high, x - impact_x[event], y - impact_y[event], layer_z, depth)
        row[BENDING] = _bending_energy(
            grid, lit[:n_lit], x - impact_x[event], y - impact_y[event], layer_z, depth, field_x, field_y
        )
        # clusters that touch the column of the muon; their cells leave the grid, so that all others are apart from it
        for layer in range(n_layers):
            seed = layer * n_x * n_y + column[event]
            if grid[seed] > high:
                n_clustered, total, extent_x, extent_y, extent_z = _take_cluster(grid, queue, seed, high, shape)
                _add_cluster(row, TRACK_CLUSTERS, n_clustered, total)
                row[EXTENT_X] = max(row[EXTENT_X], extent_x)
                row[EXTENT_Y] = max(row[EXTENT_Y], extent_y)
                row[EXTENT_Z] = max(row[EXTENT_Z], extent_z)
        for seed in lit[:n_lit]:
            if grid[seed] > high:
                n_clustered, total, extent_x, extent_y, extent_z = _take_cluster(grid, queue, seed, high, shape)
                _add_cluster(row, OTHER_CLUSTERS, n_clustered, total)
        _finish_clusters(row, TRACK_CLUSTERS, TRACK_PER_CELL, TRACK_CELLS_MEAN)
        _finish_clusters(row, OTHER_CLUSTERS, OTHER_PER_CELL, OTHER_CELLS_MEAN)
        row[CUBE] = _highest_cube(grid, cube, shape)
        for number in lit[:n_lit]:
            grid[number] = 0.0
    return rows


@njit(cache=True, nogil=True, error_model="numpy")
def _sums(row, grid, lit, low, high, dx, dy, layer_z, depth):
    """Energies and moments about the impact point."""
    plane = len(dx)
    total, high_x, high_y, all_x, all_y = 0.0, 0.0, 0.0, 0.0, 0.0
    in_fifth, square = np.zeros(5), np.zeros(5)
    for number in lit:
        e, layer = grid[number], number // plane
        e_x, e_y = e * dx[number - layer * plane], e * dy[number - layer * plane]
        fifth = min(int(5.0 * layer_z[layer] / depth), 4)
        total += e
        all_x += e_x
        all_y += e_y
        in_fifth[fifth] += e
        square[fifth] += (e_x * e_x + e_y * e_y) / e
        if e > high:
            row[HIGH] += e
            high_x += e_x
            high_y += e_y
        elif e > low:
            row[MIDDLE] += e
        else:
            row[LOW] += e
    row[CENTRE] = _ratio(math.hypot(all_x, all_y), total)
    row[CENTRE_HIGH] = _ratio(math.hypot(high_x, high_y), row[HIGH])
    row[RADIUS] = _ratio(square.sum(), total)
    for fifth in range(5):
        row[RADIUS_FIFTH + fifth] = _ratio(square[fifth], in_fifth[fifth])
    row[MOMENT_X], row[MOMENT_Y] = all_x + high_x, all_y + high_y


@njit(cache=True, nogil=True, error_model="numpy")
def _bending_energy(grid, lit, dx, dy, layer_z, depth, field_x, field_y):
    """Energy at which a circle about a point of the front plane runs through the middle of both halves, [GeV]."""
    field = math.hypot(field_x, field_y)
    if field == 0.0:
        return math.nan
    plane = len(dx)
    weight, along, beside = np.zeros(2), np.zeros(2), np.zeros(2)
    for number in lit:
        layer = number // plane
        place, z = number - layer * plane, layer_z[layer]
        half = 0 if z < 0.5 * depth else 1
        apart = abs(field_x * dx[place] + field_y * dy[place]) / field
        w = grid[number] * math.exp(-apart / _BENDING_REACH)
        weight[half] += w
        along[half] += w * z
        beside[half] += w * (field_y * dx[place] - field_x * dy[place]) / field
    if weight[0] == 0.0 or weight[1] == 0.0:
        return _BENDING_HIGHEST
    z_1, z_2, b_1, b_2 = along[0] / weight[0], along[1] / weight[1], beside[0] / weight[0], beside[1] / weight[1]
    if b_1 == b_2:
        return _BENDING_HIGHEST
    centre = (z_2 * z_2 - z_1 * z_1 + b_2 * b_2 - b_1 * b_1) / (2.0 * (b_2 - b_1))
    radius = math.hypot(b_1 - centre, z_1)
    return min(_GEV_PER_TESLA_METRE * field * 1e-3 * radius, _BENDING_HIGHEST)


@njit(cache=True, nogil=True, error_model="numpy")
def _take_cluster(grid, queue, seed, high, shape):
    """Cells above the threshold that hang together with a seed by their faces; they leave the grid.

    Returns:
        Number of cells, energy, and extent in x, y and layers.
    """
    n_layers, n_x, n_y = shape
    plane = n_x * n_y
    total, n_found = grid[seed], 1
    queue[0], grid[seed] = seed, 0.0
    least_x, least_y, least_z, most_x, most_y, most_z = n_x, n_y, n_layers, 0, 0, 0
    at = 0
    while at < n_found:
        number = queue[at]
        at += 1
        layer = number // plane
        ix = (number - layer * plane) // n_y
        iy = number - layer * plane - ix * n_y
        least_x, least_y, least_z = min(least_x, ix), min(least_y, iy), min(least_z, layer)
        most_x, most_y, most_z = max(most_x, ix), max(most_y, iy), max(most_z, layer)
        for step, is_inside in (
            (-plane, layer > 0),
            (plane, layer < n_layers - 1),
            (-n_y, ix > 0),
            (n_y, ix < n_x - 1),
            (-1, iy > 0),
            (1, iy < n_y - 1),
        ):
            if is_inside and grid[number + step] > high:
                queue[n_found] = number + step
                n_found += 1
                total += grid[number + step]
                grid[number + step] = 0.0
    return n_found, total, most_x - least_x, most_y - least_y, most_z - least_z


@njit(cache=True, nogil=True, error_model="numpy")
def _add_cluster(row, first, n_cells, energy):
    """Count a cluster: their number, the most cells and the highest energy stand one after another from ``first``."""
    row[first] += 1.0
    row[first + 1] = max(row[first + 1], n_cells)
    row[first + 2] = max(row[first + 2], energy)
    mean = TRACK_CELLS_MEAN if first == TRACK_CLUSTERS else OTHER_CELLS_MEAN
    row[mean] += n_cells


@njit(cache=True, nogil=True, error_model="numpy")
def _finish_clusters(row, first, per_cell, mean):
    row[per_cell] = _ratio(row[first + 2], row[first + 1])
    row[mean] = _ratio(row[mean], row[first])


@njit(cache=True, nogil=True, error_model="numpy")
def _ratio(above, below):
    """0 where there is nothing to take a mean of."""
    return above / below if below > 0.0 else 0.0


@njit(cache=True, nogil=True, error_model="numpy")
def _highest_cube(grid, scratch, shape):
    """Highest sum over 3 x 3 x 3 cells, fewer at the faces, [GeV]: sums along y, then x, then layers."""
    n_layers, n_x, n_y = shape
    along_y, along_x = scratch[0], scratch[1]
    _sums_in_rows(grid.reshape(n_layers * n_x, n_y), along_y.reshape(n_layers * n_x, n_y))
    rows_y, rows_x = along_y.reshape(n_layers, n_x, n_y), along_x.reshape(n_layers, n_x, n_y)
    for layer in range(n_layers):
        _sums_of_rows(rows_y[layer], rows_x[layer])
    cubes = along_y.reshape(n_layers, n_x * n_y)  # free again
    _sums_of_rows(along_x.reshape(n_layers, n_x * n_y), cubes)
    highest = cubes[0]  # of each place across: its elements do not wait for each other
    for layer in range(1, n_layers):
        for place in range(n_x * n_y):
            highest[place] = max(highest[place], cubes[layer, place])
    return highest.max()


@njit(cache=True, nogil=True, error_model="numpy")
def _sums_in_rows(values, sums):
    """Sums of each value with its neighbours in the row, shape (R, N)."""
    n_rows, n = values.shape
    for row in range(n_rows):
        sums[row, 0] = values[row, 0]
        for at in range(1, n):
            sums[row, at] = values[row, at - 1] + values[row, at]
        for at in range(n - 1):
            sums[row, at] += values[row, at + 1]


@njit(cache=True, nogil=True, error_model="numpy")
def _sums_of_rows(values, sums):
    """Sums of each row with the rows beside it, shape (R, N)."""
    n_rows, n = values.shape
    for row in range(n_rows):
        for at in range(n):
            sums[row, at] = values[row, at]
        if row > 0:
            for at in range(n):
                sums[row, at] += values[row - 1, at]
        if row < n_rows - 1:
            for at in range(n):
                sums[row, at] += values[row + 1, at]
