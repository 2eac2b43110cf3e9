// apply_model MODEL FILE...: calibrated energies of the events of text files, one line per event.

#include <cstdint>
#include <exception>
#include <iomanip>
#include <iostream>
#include <stdexcept>
#include <string>
#include <vector>

#include "hit_file.h"
#include "shower_calibration.h"

namespace {

constexpr std::size_t kBatchSize = 256;  // events in memory at a time

void apply(const showercal::ShowerCalibration& calibration, const std::string& path) {
  HitFile file(path, calibration.fields());
  std::vector<std::int64_t> numbers;
  showercal::Batch batch;
  while (file.read(kBatchSize, numbers, batch)) {
    const auto [energy, width] = calibration.calibrate(batch);
    for (std::size_t i = 0; i < numbers.size(); ++i) {
      std::cout << numbers[i] << ' ' << energy[i];
      if (calibration.hasWidth()) std::cout << ' ' << width[i];
      std::cout << ' ' << calibration.isOutsideTraining(energy[i]) << '\n';
    }
  }
}

void run(const std::string& model, const std::vector<std::string>& paths) {
  const showercal::ShowerCalibration calibration(model);
  const std::string geometry = calibration.metadata("geometry_name");  // empty: the method uses no cells
  std::cout << "# method '" << calibration.metadata("method") << "' of study '" << calibration.metadata("study") << "'"
            << (geometry.empty() ? "" : " for calorimeter '" + geometry + "'") << "; energies in GeV\n"
            << (calibration.hasWidth() ? "event energy width outside\n" : "event energy outside\n")
            << std::setprecision(7);  // what a float holds
  for (const std::string& path : paths) apply(calibration, path);
  if (!std::cout.flush()) throw std::runtime_error("the output cannot be written");
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) {
    std::cerr << "usage: apply_model MODEL.onnx HITS.txt...\n";
    return 2;
  }
  try {
    run(argv[1], {argv + 2, argv + argc});
  } catch (const std::exception& fault) {
    std::cerr << "apply_model: " << fault.what() << '\n';
    return 1;
  }
}
