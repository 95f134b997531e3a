/* All kernels in double precision. */
#define real double
#define whole int64_t
#define SINGLE 0
#define NAME(name) name##_float64
#include "adam.h"
#include "block.h"
#include "gradient.h"
#include "predict.h"
