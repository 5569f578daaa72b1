#include "heed/cli/exit_code.h"

#include <new>

#include "heed/base/error.h"

namespace heed::cli {

Failure describe_failure(const std::exception_ptr& error) {
  try {
    std::rethrow_exception(error);
  } catch (const UsageError& e) {
    return {kUsage, e.what()};
  } catch (const ConfigError& e) {
    return {kBadModel, e.what()};
  } catch (const FormatError& e) {
    return {kBadModel, e.what()};
  } catch (const DataError& e) {
    return {kBadData, e.what()};
  } catch (const MemoryError& e) {
    return {kOutOfMemory, e.what()};
  } catch (const DivergedError& e) {
    return {kDiverged, e.what()};
  } catch (const std::bad_alloc&) {
    return {kOutOfMemory, "out of memory"};
  } catch (const std::exception& e) {
    return {kRuntimeError, e.what()};
  } catch (...) {
    return {kRuntimeError, "unknown error"};
  }
}

}  // namespace heed::cli
