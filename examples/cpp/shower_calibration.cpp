#include "shower_calibration.h"

#include <algorithm>
#include <fstream>
#include <locale>
#include <sstream>
#include <stdexcept>

namespace showercal {
namespace {

constexpr const char* kFormat = "1";  // layout of the files that this class reads

/// The entry to ONNX Runtime; without this check a library older than the headers would be called by a null pointer.
Ort::Env makeEnvironment() {
  const OrtApiBase* base = OrtGetApiBase();
  if (base->GetApi(ORT_API_VERSION) == nullptr)
    throw std::runtime_error(std::string("ONNX Runtime ") + base->GetVersionString() +
                             " is older than the headers of 1." + std::to_string(ORT_API_VERSION) +
                             " that this program was built with; install a newer one");
  return Ort::Env(ORT_LOGGING_LEVEL_FATAL, "showercal");  // errors come as exceptions, not also on the screen
}

Ort::Session openSession(Ort::Env& env, const std::string& path, int n_threads) {
  if (!std::ifstream(path)) throw std::runtime_error(path + ": cannot be read");
  Ort::SessionOptions options;
  options.SetIntraOpNumThreads(n_threads);
  try {
    return Ort::Session(env, path.c_str(), options);
  } catch (const Ort::Exception& fault) {
    throw std::runtime_error(path + ": ONNX Runtime cannot load it: " + fault.what());
  }
}

/// A tensor that looks at the numbers where they lie.
template <typename T>
Ort::Value viewOf(const std::vector<T>& numbers) {
  static const auto memory = Ort::MemoryInfo::CreateCpu(OrtArenaAllocator, OrtMemTypeDefault);
  const auto length = static_cast<std::int64_t>(numbers.size());
  // ONNX Runtime only reads inputs, but asks for a pointer through which it could write.
  return Ort::Value::CreateTensor<T>(memory, const_cast<T*>(numbers.data()), numbers.size(), &length, 1);
}

/// The numbers of a field; none if it is not there, as in a batch without any hit.
const std::vector<float>& valuesOf(const Batch& batch, const std::string& field) {
  static const std::vector<float> nothing;
  const auto found = batch.values.find(field);
  return found == batch.values.end() ? nothing : found->second;
}

std::vector<float> numbersOf(const Ort::Value& tensor) {
  const auto* first = tensor.GetTensorData<float>();
  return {first, first + tensor.GetTensorTypeAndShapeInfo().GetElementCount()};
}

void checkLength(const std::string& field, std::size_t length, std::size_t expected, const std::string& of) {
  if (length != expected)
    throw std::invalid_argument("field '" + field + "' has " + std::to_string(length) + " numbers for " +
                                std::to_string(expected) + " " + of + "; give one each");
}

}  // namespace

ShowerCalibration::ShowerCalibration(const std::string& path, int n_threads)
    : path_(path), env_(makeEnvironment()), session_(openSession(env_, path, n_threads)) {
  const std::string format = metadata("format");
  if (format != kFormat)
    throw std::runtime_error(path_ + ": has format " + format + " of showercal's models; this program reads format " +
                             kFormat + ": take the program that comes with showercal " + metadata("version"));
  has_width_ = metadata("has_width") == "true";
  readEnergyRange();
  checkInputs();
}

std::string ShowerCalibration::metadata(const std::string& name) const {
  Ort::AllocatorWithDefaultOptions allocator;
  const auto value =
      session_.GetModelMetadata().LookupCustomMetadataMapAllocated(("showercal." + name).c_str(), allocator);
  if (!value)
    throw std::runtime_error(path_ + ": is not a model of showercal (it has no metadata 'showercal." + name +
                             "'); write one with showercal export");
  return value.get();
}

Energies ShowerCalibration::calibrate(const Batch& batch) const {
  checkBatch(batch);
  std::vector<const char*> names;
  std::vector<Ort::Value> inputs;
  for (const std::string& field : fields_) {
    names.push_back(field.c_str());
    inputs.push_back(field == kOffsets ? viewOf(batch.offsets)
                     : field == kCell  ? viewOf(batch.cell_id)
                                       : viewOf(valuesOf(batch, field)));
  }
  const char* outputs[] = {"energy", "width"};
  try {
    const auto results =
        session_.Run(Ort::RunOptions{}, names.data(), inputs.data(), inputs.size(), outputs, has_width_ ? 2 : 1);
    return {numbersOf(results[0]), has_width_ ? numbersOf(results[1]) : std::vector<float>{}};
  } catch (const Ort::Exception& fault) {
    throw std::runtime_error(path_ + ": refuses the events; are all cells of the calorimeter '" +
                             metadata("geometry_name") + "'? ONNX Runtime says: " + fault.what());
  }
}

/// The metadata hold it as "[0.2, 10.0]".
void ShowerCalibration::readEnergyRange() {
  std::istringstream text(metadata("energy_range"));
  text.imbue(std::locale::classic());
  char bracket, comma;
  if (!(text >> bracket >> energy_low_ >> comma >> energy_high_))
    throw std::runtime_error(path_ + ": has damaged metadata 'showercal.energy_range': " + text.str() +
                             "; export the method again");
}

void ShowerCalibration::checkInputs() {
  Ort::AllocatorWithDefaultOptions allocator;
  for (std::size_t i = 0; i < session_.GetInputCount(); ++i) {
    const std::string field = session_.GetInputNameAllocated(i, allocator).get();
    const auto type = session_.GetInputTypeInfo(i);  // owns what the next line looks at
    const auto tensor = type.GetTensorTypeAndShapeInfo();
    const bool is_whole = field == kOffsets || field == kCell;
    const auto expected = is_whole ? ONNX_TENSOR_ELEMENT_DATA_TYPE_INT64 : ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT;
    if (tensor.GetElementType() != expected || tensor.GetDimensionsCount() != 1)
      throw std::runtime_error(path_ + ": input '" + field + "' has another type or " +
                               std::to_string(tensor.GetDimensionsCount()) +
                               " axes; this program takes one number per hit or event, no images");
    fields_.push_back(field);
  }
}

void ShowerCalibration::checkBatch(const Batch& batch) const {
  const std::size_t n_hits = batch.cell_id.size();
  const auto& offsets = batch.offsets;
  if (offsets.empty() || offsets.front() != 0 || offsets.back() != static_cast<std::int64_t>(n_hits) ||
      !std::is_sorted(offsets.begin(), offsets.end()))
    throw std::invalid_argument("offsets must start with 0, never fall, and end with the number of hits, " +
                                std::to_string(n_hits));
  for (const std::string& field : fields_) {
    if (field == kOffsets || field == kCell) continue;
    const std::size_t length = valuesOf(batch, field).size();
    if (isOfHits(field))
      checkLength(field, length, n_hits, "hits");
    else
      checkLength(field, length, batch.size(), "events");
  }
}

}  // namespace showercal
