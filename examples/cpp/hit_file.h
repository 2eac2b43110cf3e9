#pragma once

#include <cstddef>
#include <cstdint>
#include <fstream>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "shower_calibration.h"

/// Events from a text file with one line per hit and named columns; README.md describes it.
class HitFile {
 public:
  /// Opens a file and finds its columns.
  ///
  /// @param path The file.
  /// @param fields What to read, as ShowerCalibration::fields names it.
  /// @throws std::runtime_error If it cannot be read or lacks a column.
  HitFile(const std::string& path, const std::vector<std::string>& fields);

  /// Reads the next events.
  ///
  /// @param n_events How many at most.
  /// @param numbers Their event numbers.
  /// @param batch Their fields.
  /// @return Whether there were any.
  /// @throws std::runtime_error With file and line, if a line is malformed.
  bool read(std::size_t n_events, std::vector<std::int64_t>& numbers, showercal::Batch& batch);

 private:
  struct Column {
    std::string field;
    std::size_t place;
  };

  bool nextLine();
  std::size_t placeOf(const std::string& name) const;
  void addLine(bool starts_event, showercal::Batch& batch);
  template <typename T>
  T number(std::size_t place) const;
  [[noreturn]] void fail(const std::string& reason) const;

  std::string path_;
  std::ifstream stream_;
  std::string line_;
  std::size_t line_number_ = 0;
  std::vector<std::string_view> words_;  // of line_
  std::vector<std::string> header_;
  std::size_t event_place_ = 0;
  std::vector<Column> columns_;
  std::optional<std::int64_t> last_event_;
  bool is_line_left_ = false;  // line_ starts the next batch
};
