#include "hit_file.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <stdexcept>
#include <type_traits>

using showercal::Batch;
using showercal::isOfHits;
using showercal::kCell;
using showercal::kOffsets;

namespace {

constexpr std::string_view kBlanks = " \t\r";
constexpr std::string_view kNothing = "-";

std::vector<std::string_view> wordsOf(std::string_view line) {
  std::vector<std::string_view> words;
  for (auto start = line.find_first_not_of(kBlanks); start != line.npos; start = line.find_first_not_of(kBlanks)) {
    line.remove_prefix(start);
    const auto length = std::min(line.find_first_of(kBlanks), line.size());
    words.push_back(line.substr(0, length));
    line.remove_prefix(length);
  }
  return words;
}

}  // namespace

HitFile::HitFile(const std::string& path, const std::vector<std::string>& fields) : path_(path), stream_(path) {
  if (!stream_) throw std::runtime_error(path + ": cannot be read");
  if (!nextLine()) fail("the file is empty; its first line must name the columns");
  header_.assign(words_.begin(), words_.end());
  event_place_ = placeOf("event");
  for (const std::string& field : fields)
    if (field != kOffsets) columns_.push_back({field, placeOf(field)});
}

bool HitFile::read(std::size_t n_events, std::vector<std::int64_t>& numbers, Batch& batch) {
  numbers.clear();
  batch = Batch{};
  while (is_line_left_ || nextLine()) {
    is_line_left_ = false;
    if (words_.size() != header_.size())
      fail("has " + std::to_string(words_.size()) + " columns instead of " + std::to_string(header_.size()));
    const auto event = number<std::int64_t>(event_place_);
    const bool starts_event = event != last_event_;
    if (starts_event && numbers.size() == n_events) {
      is_line_left_ = true;
      return true;
    }
    if (starts_event) {
      // Lines of one event that do not stand together would become two events.
      if (last_event_ && event < *last_event_)
        fail("event " + std::to_string(event) + " comes after event " + std::to_string(*last_event_) +
             "; sort the lines by event");
      numbers.push_back(event);
      batch.offsets.push_back(batch.offsets.back());
      last_event_ = event;
    }
    addLine(starts_event, batch);
  }
  return !numbers.empty();
}

/// Goes to the next line that says something; false at the end of the file.
bool HitFile::nextLine() {
  while (std::getline(stream_, line_)) {
    ++line_number_;
    words_ = wordsOf(line_);
    if (!words_.empty() && words_.front().front() != '#') return true;
  }
  if (stream_.bad()) fail("cannot be read further");
  return false;
}

std::size_t HitFile::placeOf(const std::string& name) const {
  const auto found = std::find(header_.begin(), header_.end(), name);
  if (found == header_.end()) {
    std::string columns;
    for (const std::string& column : header_) columns += " " + column;
    fail("no column '" + name + "', which is needed; the columns are" + columns);
  }
  return found - header_.begin();
}

void HitFile::addLine(bool starts_event, Batch& batch) {
  std::size_t n_cell_columns = 0, n_nothing = 0;
  for (const auto& [field, place] : columns_) {
    if (!isOfHits(field)) {
      const auto value = number<float>(place);
      auto& values = batch.values[field];
      if (starts_event) values.push_back(value);
      if (value != values.back()) fail("'" + field + "' must be the same in all lines of an event");
      continue;
    }
    ++n_cell_columns;
    if (words_[place] == kNothing)
      ++n_nothing;
    else if (field == kCell)
      batch.cell_id.push_back(number<std::int64_t>(place));
    else
      batch.values[field].push_back(number<float>(place));
  }
  if (n_nothing != 0 && n_nothing != n_cell_columns)
    fail("'-' stands for an event without hits; it must be in all columns of cells or in none");
  batch.offsets.back() = static_cast<std::int64_t>(batch.cell_id.size());
}

template <typename T>
T HitFile::number(std::size_t place) const {
  const std::string_view word = words_[place];
  T value{};
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), value);
  if (error != std::errc{} || end != word.data() + word.size() || !std::isfinite(static_cast<double>(value)))
    fail("'" + std::string(word) + "' in column '" + header_[place] + "' is not a " +
         (std::is_integral_v<T> ? "whole number" : "number"));
  return value;
}

void HitFile::fail(const std::string& reason) const {
  throw std::runtime_error(path_ + ":" + std::to_string(line_number_) + ": " + reason);
}
