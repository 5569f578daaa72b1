#include "heed/api/guard.h"

#include <filesystem>
#include <new>

#include "heed/base/error.h"
#include "heed/error.h"

namespace heed::api {

void rethrow_as_public() {
  try {
    throw;
  } catch (const Exception&) {
    throw;
  } catch (const UsageError& e) {
    throw InvalidOptions(e.what());
  } catch (const ConfigError& e) {
    throw BadModel(e.what());
  } catch (const FormatError& e) {
    throw BadModel(e.what());
  } catch (const DataError& e) {
    throw BadData(e.what());
  } catch (const IoError& e) {
    throw IoFailure(e.what());
  } catch (const std::filesystem::filesystem_error& e) {
    throw IoFailure(e.what());
  } catch (const MemoryError& e) {
    throw OutOfMemory(e.what());
  } catch (const std::bad_alloc&) {
    throw OutOfMemory("out of memory");
  } catch (const DivergedError& e) {
    throw Diverged(e.what());
  } catch (const std::exception& e) {
    throw Exception(e.what());
  } catch (...) {
    throw Exception("unknown error");
  }
}

}  // namespace heed::api
