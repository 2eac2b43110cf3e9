#pragma once

#include <onnxruntime_cxx_api.h>

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace showercal {

/// The two fields of whole numbers.
inline constexpr const char* kOffsets = "offsets";
inline constexpr const char* kCell = "cells.id";

/// Whether a field has one number per hit, as "cells.tracks", and not one per event, as "n_tracks".
inline bool isOfHits(const std::string& field) { return field.find('.') != std::string::npos; }

/// B events with H hits, as a model takes them: the hits of all events one after another, without padding.
struct Batch {
  /// B + 1 numbers: hits offsets[i] to offsets[i + 1] belong to event i. Starts with 0, ends with H.
  std::vector<std::int64_t> offsets{0};
  /// Number of the hit cell in the calorimeter, H numbers.
  std::vector<std::int64_t> cell_id;
  /// By name of the field, in the model's units: H numbers of hits ("cells.tracks"), B numbers of events ("n_tracks").
  std::map<std::string, std::vector<float>> values;

  /// Number of events.
  std::size_t size() const { return offsets.size() - 1; }
};

/// Calibrated energies of the events of a batch.
struct Energies {
  std::vector<float> energy;  ///< [GeV], B numbers.
  std::vector<float> width;   ///< Half the central 68.27 % interval, [GeV]; empty if the model has no width.
};

/// A calibration that showercal has exported, read once and applied to batch after batch.
///
/// Scaling, network and bias correction are inside the file; fields go in, calibrated energies come out. `calibrate`
/// may be called from several threads at the same time.
class ShowerCalibration {
 public:
  /// Reads a model.
  ///
  /// @param path The file.
  /// @param n_threads Threads that share the work of one batch.
  /// @throws std::runtime_error If it cannot be read, or is not a model of showercal that this class can run.
  explicit ShowerCalibration(const std::string& path, int n_threads = 1);

  /// Names of the fields that the model needs: "offsets", "cells.id", then those of Batch::values.
  const std::vector<std::string>& fields() const { return fields_; }

  /// Whether the model gives a width.
  bool hasWidth() const { return has_width_; }

  /// Whether a calibrated energy lies outside the true energies of the training, or is not a number: extrapolated.
  ///
  /// @param energy Calibrated energy, [GeV].
  bool isOutsideTraining(float energy) const { return !(energy >= energy_low_ && energy <= energy_high_); }

  /// What the file says of itself, e.g. "method", "study", "version", "geometry_name", "geometry_fingerprint".
  ///
  /// @throws std::runtime_error If it says nothing of that name.
  std::string metadata(const std::string& name) const;

  /// Calibrates a batch.
  ///
  /// @throws std::invalid_argument If a field is missing or has not one number per hit or event.
  /// @throws std::runtime_error If the model refuses the batch, e.g. for a cell that its calorimeter does not have.
  Energies calibrate(const Batch& batch) const;

 private:
  void readEnergyRange();
  void checkInputs();
  void checkBatch(const Batch& batch) const;

  std::string path_;
  Ort::Env env_;
  mutable Ort::Session session_;  // its Run is not const, but meant to be called from many threads
  std::vector<std::string> fields_;
  bool has_width_;
  double energy_low_, energy_high_;  // of the training, [GeV]
};

}  // namespace showercal
