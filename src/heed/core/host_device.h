// HEED_DEVICE: before a function that is compiled for the host and, by nvcc, for a GPU as well.
#pragma once

#ifdef __CUDACC__
#define HEED_DEVICE __host__ __device__ __forceinline__
#else
#define HEED_DEVICE inline
#endif
