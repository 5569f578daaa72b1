// What this program is and what the machine offers, for --version and bug reports. Pure functions.
#pragma once

#include <string>
#include <vector>

namespace heed::cli {

// "0.1.0"
std::string version();

// Instruction sets of this CPU that some kernel can use ("avx2", "avx512f", …); empty on other architectures.
std::vector<std::string> cpu_features();

// The lines that `heed --version` prints: version, build type, compiler, architecture, CPU features.
std::string version_text();

}  // namespace heed::cli
