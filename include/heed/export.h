// HEED_API marks what libheed.so exports; every other symbol of the library is hidden.
#pragma once

#if defined(__GNUC__)
#define HEED_API __attribute__((visibility("default")))
#else
#define HEED_API
#endif
